"""scripts/_lib/console.py and status.py: what investors and operators are shown."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ape import chain
from ape.api import AccountAPI
from rich.console import Console

from api.chain.views import IncomeKind
from scripts._lib import operations, payments, views
from scripts._lib.console import InvestorConsole
from scripts._lib.deployment import System, deploy_share
from scripts._lib.record import Record
from scripts._lib.status import holders_of_roles, role_name, show
from tests.support.oracle import Figures, Newsdesk, end_of, let_name_reporters, reporter_keys
from tests.support.payments import FOREVER, Till, key_of
from tests.support.scenario import EPOCH_SECONDS, SHARE, USD, Scenario, current_epoch, default_spec

DAY = 86_400


@dataclass(frozen=True)
class Market:
    """Cluster 1 is Live with two holders and an income that streams; cluster 2 is Proposed."""

    record: Record
    system: System
    life: Scenario
    share: str


@pytest.fixture(scope="module")
def market(
    record: Record,
    deployer: AccountAPI,
    registrar: AccountAPI,
    kyc_provider: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
    trustee: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
) -> Market:
    system = record.system()
    life = Scenario(system, deployer, registrar, kyc_provider, issuer, operator, trustee)
    # Well before the first measured epoch, whatever the time: no running cost comes between.
    chain.mine(timestamp=(current_epoch() + 1) * EPOCH_SECONDS)
    cluster_id = life.register_cluster()
    with record.deploying(registrar):
        share = deploy_share(
            system, cluster_id, "Rackstream Node 1", "RACK1", registrar,
            on_deployed=record.on_deployed,
        )  # fmt: skip
    system.registry.registerShare(cluster_id, share, sender=registrar)
    system.registry.openFunding(cluster_id, sender=registrar)
    life.issue(share, [holder, other_holder], [300 * SHARE, 100 * SHARE])
    system.registry.goLive(cluster_id, sender=issuer)
    life.give_usd(customer, 1_000 * USD)
    operations.pay(record, system, cluster_id, 1_000 * USD, IncomeKind.LEASE, bytes(32), customer)
    operations.distribute(system, cluster_id, customer)
    system.registry.registerCluster(issuer, SHARE, default_spec(gpuCount=16), sender=registrar)
    return Market(record, system, life, share.address)


Shown = Callable[..., str]


@pytest.fixture
def shown(market: Market) -> Shown:
    """Runs a verb and returns what it printed, without the frame."""

    def run(verb: str, *arguments: object, **options: object) -> str:
        output = io.StringIO()
        console = Console(file=output, width=200, color_system=None)
        InvestorConsole(market.record.directory, console).verbs()[verb](*arguments, **options)
        return output.getvalue()

    return run


def _rows(text: str) -> list[list[str]]:
    """The cells of each line of a table."""
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def _stream_for(seconds: int) -> None:
    chain.mine(timestamp=int(chain.pending_timestamp) + seconds)


# -- verbs -------------------------------------------------------------------------------------


def test_clusters__two_of_them__are_listed(shown: Shown) -> None:
    first, second, third, _ = _rows(shown("clusters"))

    assert first[:6] == [
        "1",
        "Rackstream Node 1",
        "8 × H100-SXM5-80GB",
        "eu-north-1",
        "Live",
        "400",
    ]
    assert second[1] == "RACK1"
    assert third[:6] == ["2", "–", "16 × H100-SXM5-80GB", "eu-north-1", "Proposed", "0"]


def test_clusters__none__says_how_to_register(
    market: Market, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "read_clusters", lambda record: [])

    assert "`ape run register_cluster`" in shown("clusters")


def test_cluster__live_one__shows_specification_and_income(shown: Shown, market: Market) -> None:
    text = shown("cluster", 1)

    facts = {row[0]: row[1] for row in _rows(text)}
    assert facts["power"] == "at most 700 W a GPU, PUE 1.3000"
    assert facts["energy"] == "$0.092900 (92,900 units) a kWh"
    assert facts["price paid"] == "$300,000.00 (300,000,000,000 units)"
    assert facts["shares"] == "400 issued of 1,000,000 authorised"
    assert facts["share contract"] == market.share
    income = {row[0]: row[1:] for row in _rows(text) if len(row) == 3}
    assert income["received from customers"] == ["$1,000.00", "1,000,000,000"]
    assert income["replacement reserve"] == ["$100.00", "100,000,000"]
    assert income["holders"] == ["$900.00", "900,000,000"]


def test_cluster__proposed_one__has_no_share_yet(shown: Shown) -> None:
    text = shown("cluster", 2)

    assert "Cluster 2: no share yet" in text
    assert ["status", "Proposed"] in _rows(text)


@pytest.mark.parametrize("verb", ["cluster", "uptime"])
def test_verb__unknown_cluster__is_said(shown: Shown, verb: str) -> None:
    assert shown(verb, 9) == "cluster 9 is not known: clusters() lists those there are\n"


def test_portfolio__holder__sees_shares_income_and_rate(
    shown: Shown, market: Market, holder: AccountAPI
) -> None:
    _stream_for(DAY // 4)
    (holding,) = views.read_portfolio(market.record, holder.address)

    text = shown("portfolio", holder)

    dollars_row, units_row = _rows(text)
    assert dollars_row[:4] == ["1", "RACK1", "300", "75.00 %"]
    assert dollars_row[5] == "$0.00"
    # 675 dollars over a day and up to one boundary (four hours) more.
    assert 675 * USD * DAY // (DAY + 4 * 3_600) < holding.usd6_per_day <= 675 * USD
    assert units_row[7] == f"{holding.usd6_per_day:,}"
    earned = int(units_row[4].replace(",", ""))
    # A quarter of a day at that rate, and the seconds that the transactions took.
    assert 0 <= earned - holding.usd6_per_day // 4 < 60 * holding.usd6_per_day // DAY
    assert units_row[6] == units_row[4]
    assert dollars_row[4] == f"${earned // 10**4 / 100:,.2f}"


def test_portfolio__address_alias_and_account__mean_the_same(
    shown: Shown, holder: AccountAPI
) -> None:
    for who in (holder, holder.address, holder.address.lower(), "TEST::11"):
        text = shown("portfolio", who)

        assert f"Portfolio of {holder.address}" in text
        assert _rows(text)[0][:3] == ["1", "RACK1", "300"]


def test_portfolio__stranger__holds_nothing(shown: Shown, attacker: AccountAPI) -> None:
    assert f"{attacker.address} holds no shares" in shown("portfolio", attacker)


@pytest.mark.parametrize(
    ("who", "words"),
    [
        (None, "Whose? An address or an alias"),
        ("0x12", "who is '0x12', expected an address"),
        ("nobody", "'nobody' not found"),
        (7, "who is 7, expected an address"),
    ],
)
def test_portfolio__nobody_known__says_what_to_give(shown: Shown, who: object, words: str) -> None:
    assert words in shown("portfolio", who)


def test_claim__holder__is_paid_and_can_see_it(
    shown: Shown, market: Market, holder: AccountAPI
) -> None:
    _stream_for(2 * DAY)

    row = _rows(shown("claim", holder))[0]

    paid = int(row[4].replace(",", ""))
    assert row[:3] == ["1", "RACK1", holder.address]
    assert paid == market.system.stablecoin.balanceOf(holder) == 675 * USD - 1
    assert _rows(shown("portfolio", holder))[1][5] == f"{paid:,}"
    assert f"{holder.address} has nothing to claim now" in shown("claim", holder)


def test_claim__for_somebody_else__goes_to_their_payee(
    shown: Shown,
    market: Market,
    other_holder: AccountAPI,
    attacker: AccountAPI,
    relayer: AccountAPI,
) -> None:
    share = operations.share_of(market.system, 1)
    share.setPayee(relayer, sender=other_holder)
    _stream_for(2 * DAY)
    before = chain.provider.get_nonce(other_holder.address)

    row = _rows(shown("claim", other_holder.address, sender=attacker))[0]

    assert row[2] == relayer.address
    assert market.system.stablecoin.balanceOf(relayer) == 225 * USD - 1
    assert chain.provider.get_nonce(other_holder.address) == before


def test_claim__address_without_a_key_off_the_local_chain__asks_for_a_sender(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts._lib.wallets.LOCAL_CHAIN_ID", 1)

    text = shown("claim", "0x00000000000000000000000000000000000000aa")

    assert "name one that pays the gas" in text


def test_uptime__no_report_yet__says_when_measuring_begins(shown: Shown) -> None:
    text = shown("uptime", 1)

    assert ["availability", "–"] in _rows(text)
    assert "No report yet; the first measured hour begins" in text


def test_uptime__reported_hours__are_shown_newest_first(
    shown: Shown,
    market: Market,
    admin: AccountAPI,
    oracle_admin: AccountAPI,
    relayer: AccountAPI,
) -> None:
    keys = reporter_keys(4)
    let_name_reporters(market.system, oracle_admin, admin)
    market.system.oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    desk = Newsdesk(market.system.oracle, tuple(keys), relayer)
    first = int(market.system.registry.cluster(1).firstEpoch)
    for epoch in range(first, first + 3):
        desk.post_at(end_of(epoch), desk.report(epoch, Figures(1, billable=9_500 + epoch - first)))

    rows = _rows(shown("uptime", 1, epochs=2))

    totals = {row[0]: row[1] for row in rows if len(row) == 2}
    # 28,100 of 28,800 GPU-seconds an hour, and 9,501 of them billed on average: rounded down.
    assert totals["availability"] == "97.56 %"
    assert totals["billable utilisation"] == "32.98 %"
    assert totals["energy, before PUE"] == "14.700 kWh"
    # Of the pending block, as far behind the report's as the machine was slow.
    assert re.fullmatch(r"\d+ s", totals["age of the reading"])
    hours = [row for row in rows if len(row) == 7]
    assert [int(row[1]) for row in hours] == [first + 2, first + 1]
    start = datetime.fromtimestamp((first + 2) * 3_600, UTC)
    assert hours[0] == [
        f"{start:%Y-%m-%d %H:%M}",
        str(first + 2),
        "97.56 %",
        "65.97 %",
        "32.99 %",
        "2.63 GPU-h",
        "4.900 kWh",
    ]
    chain.mine(timestamp=end_of(first + 2) + 2 * DAY)
    assert " s stale" in shown("uptime", 1)


def test_uptime__not_live__says_so(shown: Shown) -> None:
    assert "The cluster is not live yet" in shown("uptime", 2)


def test_inference__collected_twice__the_newest_first_with_root_and_transaction(
    shown: Shown, market: Market, keeper: AccountAPI, customer: AccountAPI
) -> None:
    assert "Nothing was collected for it yet" in shown("inference", 1)
    system, hot = market.system, key_of("hot")
    market.life.give_usd(customer, 10 * USD)
    payments.deposit(system, 10 * USD, str(customer.address), customer)
    system.payments.authorise(hot.address, keeper, 10 * USD, FOREVER, sender=customer)
    till = Till(system.payments, keeper, (1,))
    roots = [bytes([number]) * 32 for number in (1, 2)]
    sent = [
        till.collect(till.voucher(customer, hot, promised), root=root)
        for promised, root in zip((70_000, 100_000), roots, strict=True)
    ]

    newest, last = views.read_collections(market.record, 1)
    assert (newest.income, newest.fee, newest.root) == (30_000, 0, "0x" + roots[1].hex())
    assert (newest.at, newest.tx_hash) == (sent[1].timestamp, sent[1].txn_hash)
    assert newest.gateway == keeper.address
    assert (last.income, last.tx_hash) == (70_000, sent[0].txn_hash)

    assert "30,000" in (text := shown("inference", 1, collections=1))
    assert "70,000" not in text
    assert "cluster 9 is not known" in shown("inference", 9)


def test_help__no_argument__lists_every_verb(shown: Shown, market: Market) -> None:
    listed = {row[0].partition("(")[0] for row in _rows(shown("help"))}

    assert listed == set(InvestorConsole(market.record.directory).verbs())


def test_help__something_else__is_pythons(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    shown("help", len)

    assert "Return the number of items" in capsys.readouterr().out


def test_verb__nothing_deployed__says_what_to_do(tmp_path: Path) -> None:
    output = io.StringIO()
    console = Console(file=output, width=200, color_system=None)

    InvestorConsole(tmp_path, console).verbs()["clusters"]()

    assert "nothing is deployed on chain 31337" in output.getvalue()
    assert "`ape run deploy`" in output.getvalue()


def test_verb__fault_of_ours__keeps_its_trace(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(views, "read_clusters", fail)

    with pytest.raises(ZeroDivisionError):
        shown("clusters")


# -- status ------------------------------------------------------------------------------------


def _status(record: Record) -> tuple[bool, str]:
    output = io.StringIO()
    agrees = show(record, Console(file=output, width=200, color_system=None))
    return agrees, output.getvalue()


def test_show__sound_deployment__agrees(market: Market, oracle_admin: AccountAPI) -> None:
    agrees, text = _status(market.record)

    assert agrees
    rows = {row[0]: row for row in _rows(text)}
    for key, address in market.record.addresses().items():
        assert rows[key][1] == address
        assert rows[key][3:] == ["as recorded", "as recorded"]
    assert rows["ORACLE_ADMIN"][1] == oracle_admin.address
    assert rows["ISSUER of cluster 1"][1] == market.life.issuer.address
    assert rows["reporters"][1] == "none: `ape run register_reporter`"
    assert rows["1"][1:6] == ["Live", "RACK1", "400 / 1,000,000", "$1,000.00", "$0.00"]


def test_show__changed_code__is_red_and_ends_there(market: Market) -> None:
    address = market.record.addresses()["MetricsOracle"]
    chain.provider.make_request("anvil_setCode", [address, "0x00"])

    agrees, text = _status(market.record)

    assert not agrees
    assert {row[0]: row for row in _rows(text)}["MetricsOracle"][3] == "differs"
    assert "MetricsOracle: code is" in text
    assert "Powers" not in text


def test_holders_of_roles__revoked_power__is_not_shown(
    market: Market, admin: AccountAPI, guardian: AccountAPI
) -> None:
    assert holders_of_roles(market.record)["GUARDIAN"] == [guardian.address]

    market.system.authority.revokeRole(2 << 32, guardian, sender=admin)

    assert "GUARDIAN" not in holders_of_roles(market.record)


def test_role_name__any_role__has_a_name() -> None:
    assert role_name(0) == "ADMIN"
    assert role_name(64 << 32 | 7) == "ISSUER of cluster 7"
    assert role_name(99 << 32) == f"role {99 << 32}"
