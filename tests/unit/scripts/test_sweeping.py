"""What `ape run sweep` and the console's verb find, push on and say."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import click
import pytest
from ape import chain
from ape.api import AccountAPI
from rich.console import Console

from api.domain.codec import to_hex
from api.errors import UnknownCluster
from scripts._lib import models, sweeping
from scripts._lib.console import InvestorConsole
from scripts._lib.deployment import System
from scripts._lib.record import Record
from scripts._lib.times import utc
from scripts.sweep import cli
from tests.support.payments import FEE_NOTICE
from tests.support.revenue import Books
from tests.support.scenario import USD
from tests.support.ways_x402 import ExactWays

HOUR, DAY = 3_600, 86_400


@pytest.fixture(scope="module")
def system(record: Record) -> System:
    """What is on record."""
    return record.system()


def texts(record: Record, cluster_id: int, sender: AccountAPI) -> list[str]:
    """What is said of all that is pushed on, none of which fails."""
    outcomes = list(sweeping.push(record, sweeping.find(record, cluster_id), sender))
    assert not any(one.has_failed for one in outcomes)
    return [one.text for one in outcomes]


def command(record: Record, **options: Any) -> None:
    """`ape run sweep` with these options."""
    given = {
        "account": None, "cluster_id": None, "gateways": (), "least": None, "treasury": False,
        "dry_run": False,
    }  # fmt: skip
    assert cli.callback is not None
    cli.callback(**given | options, deployments=record.directory)


def test_find__brought_for_a_gateway_that_no_event_names__only_if_it_is_named(
    exact: ExactWays,
    record: Record,
    books: Books,
    customer: AccountAPI,
    attacker: AccountAPI,
    keeper: AccountAPI,
) -> None:
    exact.front(attacker, 5 * USD, 1, customer)
    assert sweeping.find(record, books.cluster_id) == []
    gateway, pay_to = str(keeper.address), exact.till.pay_to
    (found,) = sweeping.find(record, books.cluster_id, (gateway, gateway))
    assert str(found) == f"$5.000000 at {pay_to}, for gateway {gateway}"
    assert sweeping.find(record, books.cluster_id, (gateway,), 5 * USD + 1) == []
    with pytest.raises(UnknownCluster):
        sweeping.find(record, books.cluster_id + 1)


def test_push__brought_for_a_gateway_that_settled__is_the_clusters_income(
    exact: ExactWays, record: Record, books: Books, customer: AccountAPI, attacker: AccountAPI
) -> None:
    exact.settle((customer, 7, 7, 1))
    exact.front(attacker, 5 * USD, 2, customer)
    before = books.state.received
    place = f"at {exact.till.pay_to}, for gateway {exact.till.gateway.address}"
    assert texts(record, books.cluster_id, attacker) == [
        f"$5.000000 {place}: $5.000000 came in as income of cluster {books.cluster_id}"
    ]
    assert books.state.received == before + 5 * USD
    assert texts(record, books.cluster_id, attacker) == []


def test_find__gateway_that_only_collected_or_was_swept__is_known(
    exact: ExactWays,
    record: Record,
    books: Books,
    charged: Any,
    customer: AccountAPI,
    attacker: AccountAPI,
    keeper: AccountAPI,
) -> None:
    till = exact.till.at(attacker)
    exact.till.usd.transfer(till.pay_to, 3, sender=customer)
    exact.till.settler.sweep(books.cluster_id, attacker, sender=customer)
    exact.till.usd.transfer(till.pay_to, 4, sender=customer)
    exact.till.usd.transfer(exact.till.pay_to, 5, sender=customer)
    charged(USD)
    found = {one.place.split()[-1]: one.amount_usd6 for one in sweeping.find(record, 1)}
    assert found == {str(attacker.address): 4, str(keeper.address): 5}


def test_push__settled_ahead_and_never_said__waits_a_day_and_is_passed_on(
    exact: ExactWays,
    record: Record,
    system: System,
    books: Books,
    customer: AccountAPI,
    attacker: AccountAPI,
    holder: AccountAPI,
    issuer: AccountAPI,
    admin: AccountAPI,
) -> None:
    system.payments.schedulePlatformFee(250, sender=admin)
    chain.pending_timestamp = int(chain.pending_timestamp) + FEE_NOTICE
    model_id = models.register(system, "llama", str(holder.address), 1_000, bytes(32), issuer)
    exact.till = replace(exact.till, model=model_id)
    said = exact.ahead((customer, 2 * USD, USD, 1))
    exact.till.allocate(said.entries, {0: USD})
    batch = exact.ahead((customer, 2 * USD, USD, 2), (attacker, 8 * USD, USD, 3))
    open_at = int(chain.blocks.head.timestamp) + DAY

    place = (
        f"$10.000000 settled ahead by {exact.till.gateway.address},"
        f" batch {to_hex(bytes(batch.batchId))}"
    )
    assert texts(record, books.cluster_id, attacker) == [
        f"{place}: its gateway has until {utc(open_at)} to say what was used"
    ]
    chain.pending_timestamp = open_at
    chain.mine()
    assert texts(record, books.cluster_id, attacker) == [
        f"{place}: $8.750000 came in as income of cluster {books.cluster_id};"
        f" $1.000000 royalty owed to {holder.address}; $0.250000 fee owed to the treasury"
    ]
    assert texts(record, books.cluster_id, attacker) == []


def test_push__refused_by_the_waterfall__waits_until_it_takes_it(
    record: Record,
    charged: Any,
    exact: ExactWays,
    books: Books,
    guardian: AccountAPI,
    customer: AccountAPI,
    attacker: AccountAPI,
) -> None:
    books.waterfall.pauseInflow(HOUR, sender=guardian)
    root = to_hex(charged(2 * USD, 3 * USD)[0].root)
    exact.front(attacker, USD, 1, customer)
    swept, deferred = texts(record, books.cluster_id, attacker)
    word = "0x" + exact.till.pay_to[2:].lower().rjust(64, "0")
    assert swept.endswith(
        f": $1.000000 owed to cluster 1 under {word}, refused by its waterfall:"
        " InflowPausable_Paused"
    )
    waiting = f"$5.000000 refused by the waterfall, under {root}"
    assert deferred.startswith(
        f"{waiting}: not taken yet, reverted with InflowPausable_Paused(untilAt="
    )

    books.waterfall.resumeInflow(sender=guardian)
    took = "came in as income of cluster 1"
    assert texts(record, books.cluster_id, attacker) == [
        f"{waiting}: $5.000000 {took}",
        f"$1.000000 refused by the waterfall, under {word}: $1.000000 {took}",
    ]
    assert texts(record, books.cluster_id, attacker) == []


def test_command__one_cannot_be_pushed_on__the_others_are_and_the_status_is_1(
    record: Record,
    system: System,
    charged: Any,
    exact: ExactWays,
    books: Books,
    guardian: AccountAPI,
    customer: AccountAPI,
    attacker: AccountAPI,
    admin: AccountAPI,
    capsys: pytest.CaptureFixture[str],
) -> None:
    system.payments.schedulePlatformFee(100, sender=admin)
    chain.pending_timestamp = int(chain.pending_timestamp) + FEE_NOTICE
    books.waterfall.pauseInflow(HOUR, sender=guardian)
    charged(2 * USD)
    books.waterfall.resumeInflow(sender=guardian)
    exact.front(attacker, USD, 1, customer)
    # Nothing is swept while deposits are paused.
    system.payments.pauseInflow(HOUR, sender=guardian)
    treasury = str(system.payments.TREASURY())
    before = int(system.stablecoin.balanceOf(treasury))

    command(record, cluster_id=books.cluster_id, treasury=True, dry_run=True)
    assert len(capsys.readouterr().out.splitlines()) == 3
    with pytest.raises(click.ClickException, match="1 of 3 could not be pushed on") as failure:
        command(record, cluster_id=books.cluster_id, treasury=True)

    assert failure.value.exit_code == 1
    swept, forwarded, fees = capsys.readouterr().out.splitlines()
    assert ": not pushed on, the contract refused: InflowPausable_Paused(untilAt=" in swept
    assert forwarded.endswith(f"$1.980000 came in as income of cluster {books.cluster_id}")
    assert fees == f"$0.020000 of fees, for the treasury {treasury}: $0.020000 paid"
    assert int(system.stablecoin.balanceOf(treasury)) == before + USD // 50
    command(record, treasury=True)
    assert capsys.readouterr().out == "nothing waits\n"


@pytest.mark.parametrize("options", [{}, {"treasury": True, "least": 1}, {"gateways": ("0x",)}])
def test_command__without_a_cluster__says_what_to_name(
    record: Record, options: dict[str, Any]
) -> None:
    with pytest.raises(click.UsageError, match="--cluster"):
        command(record, **options)


def test_console__sweep__pushes_on_and_says_when_nothing_waits(
    exact: ExactWays, record: Record, customer: AccountAPI, attacker: AccountAPI
) -> None:
    output = io.StringIO()
    shown = Console(file=output, width=400, color_system=None)
    sweep = InvestorConsole(record.directory, shown).verbs()["sweep"]
    exact.settle((customer, 7, 7, 1))
    exact.front(attacker, 5 * USD, 2, customer)
    sweep(1)
    sweep(1, who=attacker)
    first, second = output.getvalue().splitlines()
    assert first.endswith("$5.000000 came in as income of cluster 1")
    assert second == "Nothing waits."
