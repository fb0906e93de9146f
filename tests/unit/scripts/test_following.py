"""What `ape run trace` finds, on a chain: exact, additive, and what contracts hold and pay."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount
from rich.console import Console

from api.chain.client import ChainClient
from api.chain.views import EARNED_SCALE
from api.domain.receipts import Receipt
from api.domain.way import Event, Place, ProvenReceipt, Way
from api.domain.work import NO_MODEL, model_id_of
from api.errors import BadSignature, Incoherent, NodeRefused, NotFound
from api.types import Address
from scripts._lib import following
from scripts._lib.record import Record
from tests.support.payments import FEE_NOTICE
from tests.support.revenue import Books
from tests.support.scenario import SHARE, USD
from tests.support.ways import Counter, amount_in, by_place

HOUR = 3_600


def follow_all(record: Record, proven: list[ProvenReceipt]) -> list[Way]:
    return [following.follow(record, one) for one in proven]


@pytest.fixture
def forgetful_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps every block, and of the states the newest alone."""
    call = ChainClient.call

    async def answered(
        client: ChainClient, to: Address, data: bytes, *, block: int | str = "latest", **rest: Any
    ) -> bytes:
        if block not in ("latest", (await client.block()).number):
            raise NodeRefused("eth_call", -32_000, "missing trie node")
        return await call(client, to, data, block=block, **rest)

    monkeypatch.setattr(ChainClient, "call", answered)


def test_follow__collected_and_not_distributed__is_undistributed_income(
    record: Record, charged: Any
) -> None:
    first, second = follow_all(record, charged(3 * USD, 7 * USD))

    assert amount_in(first, Place.UNDISTRIBUTED) == 3 * USD
    assert [step.event for step in second.steps] == [Event.COLLECTED, Event.RECEIVED]
    assert second.steps[1].of_usd6 == 10 * USD


def test_follow__a_platform_fee__takes_its_part_of_each(
    record: Record, charged: Any, admin: AccountAPI
) -> None:
    record.system().payments.schedulePlatformFee(250, sender=admin)
    chain.pending_timestamp = int(chain.pending_timestamp) + FEE_NOTICE

    ways = follow_all(record, charged(33, 1_000_000))

    fee = record.system().payments.treasuryOwedUsd6()
    assert fee == 1_000_033 * 250 // 10_000
    assert sum(amount_in(way, Place.PLATFORM) for way in ways) == fee
    assert amount_in(ways[0], Place.PLATFORM) == Fraction(33 * fee, 1_000_033)


def test_follow__models_of_several_owners__each_pays_its_own_royalty(
    record: Record,
    counter: Counter,
    books: Books,
    admin: AccountAPI,
    customer: AccountAPI,
    hot: LocalAccount,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    system = record.system()
    system.payments.schedulePlatformFee(250, sender=admin)
    chain.pending_timestamp = int(chain.pending_timestamp) + FEE_NOTICE
    owed = {}
    for name, payee, bps in (("small", other_holder, 733), ("large", keeper, 1_000)):
        model = system.models.register(name, payee, bps, bytes(32), sender=other_holder)
        owed[bytes(model.return_value)] = payee
    till = counter.till
    here = replace(till, clusters=till.clusters * 3, models=(NO_MODEL, *sorted(owed)))
    charges = {"nobody's": (1_000_003,), "small": (33, 2_000_017), "large": (777_777,)}
    owner = Address(str(other_holder.address))
    places = {"nobody's": 0} | {
        name: here.models.index(model_id_of(owner, name)) for name in ("small", "large")
    }
    receipts = [
        replace(counter.receipt(customer, hot, books.cluster_id, charge), model=name)
        for name, some in charges.items()
        for charge in some
    ]
    proven = counter.proven(receipts)
    parts = [(places[name], sum(some)) for name, some in charges.items()]
    spent = till.collected(customer, hot) + sum(amount for _, amount in parts)
    assert proven[0].root is not None
    here.collect(here.voucher(customer, hot, spent, parts), root=proven[0].root)

    ways = follow_all(record, proven)

    paid = sum(amount for _, amount in parts)
    fee = paid * 250 // 10_000
    royalties = {
        other_holder: sum(charges["small"]) * 733 // 10_000,
        keeper: sum(charges["large"]) * 1_000 // 10_000,
    }
    for payee, royalty in royalties.items():
        assert system.payments.royaltyOwedUsd6(payee) == royalty
        found = [
            part.amount
            for way in ways
            for part in way.parts
            if (part.place, part.who) == (Place.ROYALTY, payee.address)
        ]
        assert sum(found) == royalty
    assert amount_in(ways[0], Place.ROYALTY) == 0
    small = sum(charges["small"])
    assert amount_in(ways[1], Place.ROYALTY) == Fraction(33 * royalties[other_holder], small)
    assert [amount_in(way, Place.PLATFORM) for way in ways] == [
        Fraction(fee * way.receipt.charge_usd6, paid) for way in ways
    ]
    income = paid - fee - sum(royalties.values())
    assert sum(amount_in(way, Place.UNDISTRIBUTED) for way in ways) == income
    assert ways[0].steps[1].of_usd6 == income


def test_follow__nothing_collected_yet__is_due(
    record: Record, counter: Counter, books: Books, customer: AccountAPI, hot: LocalAccount
) -> None:
    (proven,) = counter.proven([counter.receipt(customer, hot, books.cluster_id, 5)])
    way = following.follow(record, replace(proven, root=None, proof=()))
    assert amount_in(way, Place.DUE) == 5
    assert way.steps == []


def test_follow__a_voucher_that_came_short__pays_each_alike_and_the_next_one_the_rest(
    record: Record, charged: Any, counter: Counter, customer: AccountAPI, hot: LocalAccount
) -> None:
    spent = 90 * USD
    proven = charged(spent, 30 * USD)
    short = follow_all(record, proven)
    record.system().payments.deposit(50 * USD, sender=customer)
    more = charged(12 * USD)

    assert [amount_in(way, Place.DUE) for way in short] == [15 * USD, 5 * USD]
    assert sum(amount_in(way, Place.UNDISTRIBUTED) for way in short) == 100 * USD
    paid = follow_all(record, [*proven, *more])
    assert [amount_in(way, Place.DUE) for way in paid] == [0, 0, 0]
    assert sum(amount_in(way, Place.UNDISTRIBUTED) for way in paid) == 132 * USD
    assert [step.event for step in paid[0].steps] == [Event.COLLECTED, Event.RECEIVED] * 2


def test_follow__the_waterfall_paused__is_owed_until_it_is_forwarded(
    record: Record, charged: Any, books: Books, guardian: AccountAPI, customer: AccountAPI
) -> None:
    books.waterfall.pauseInflow(HOUR, sender=guardian)
    proven = charged(2 * USD, 3 * USD)
    deferred = follow_all(record, proven)
    books.waterfall.resumeInflow(sender=guardian)
    record.system().payments.forward(books.cluster_id, proven[0].root, sender=customer)

    assert [amount_in(way, Place.DEFERRED) for way in deferred] == [2 * USD, 3 * USD]
    forwarded = follow_all(record, proven)
    assert [amount_in(way, Place.UNDISTRIBUTED) for way in forwarded] == [2 * USD, 3 * USD]


def test_follow__down_to_the_holders__is_what_everybody_holds_and_can_claim(
    record: Record,
    charged: Any,
    books: Books,
    holder: AccountAPI,
    other_holder: AccountAPI,
    trustee: AccountAPI,
    keeper: AccountAPI,
    forgetful_node: None,
) -> None:
    """The waterfall's income is these receipts alone: together they are its totals."""
    books.senior.accrue(7 * USD, 0, sender=keeper)
    proven = charged(11 * USD, 13 * USD + 1)
    books.distribute(at=books.start + HOUR - 60)
    books.scenario.attest(other_holder)
    books.share.transfer(other_holder, 333 * SHARE, sender=holder)
    proven += charged(5 * USD + 7)
    chain.pending_timestamp = books.start + HOUR + 5
    books.report(0, 400)
    books.distribute()
    books.waterfall.drawReserve(books.cluster_id, 10**6, trustee, b"\x01" * 32, sender=trustee)
    books.share.setPayee(keeper, sender=other_holder)
    chain.mine(timestamp=books.start + 9 * HOUR)

    ways = follow_all(record, proven)

    state = books.waterfall.state(books.cluster_id)
    stream = books.share.streamState()
    together = by_place(ways)

    def in_all(place: Place) -> Fraction:
        return sum((amount for key, amount in together.items() if key[0] is place), Fraction(0))

    assert in_all(Place.OPERATOR) == state.operatorEarned
    assert in_all(Place.ESCROW) == state.escrowed
    assert together[Place.TRANCHE, str(books.senior.address), None] == 7 * USD
    assert in_all(Place.RESERVE) == state.reserveAssigned - state.reserveDrawn
    assert in_all(Place.DRAWN) == state.reserveDrawn == 10**6
    assert abs(in_all(Place.STREAMING) - Fraction(int(stream.unstreamed), EARNED_SCALE)) < 1
    for account, payee in ((holder, None), (other_holder, keeper.address)):
        exact = together[Place.HOLDER, account.address, payee]
        assert (
            abs(exact - Fraction(int(books.share.accountState(account).earned), EARNED_SCALE)) < 1
        )
    assert in_all(Place.HOLDER) + in_all(Place.STREAMING) == state.holdersStreamed
    # Each of them also for itself, as the Way checks; and a released escrow was split again.
    assert [step.event for step in ways[0].steps].count(Event.DISTRIBUTED) == 2


def test_follow__income_assigned__is_the_payees(
    record: Record,
    charged: Any,
    books: Books,
    holder: AccountAPI,
    keeper: AccountAPI,
    admin: AccountAPI,
    relayer: AccountAPI,
) -> None:
    from scripts._lib import roles

    record.system().authority.grantRole(roles.ENCUMBRANCER_ROLE, relayer, 0, sender=admin)
    books.share.encumber(relayer, 400 * SHARE, sender=holder)
    books.share.assignIncome(relayer, 250 * SHARE, keeper, sender=holder)
    proven = charged(40 * USD)
    books.distribute()
    chain.mine(timestamp=int(chain.pending_timestamp) + 30 * HOUR)

    (way,) = follow_all(record, proven)

    (mine,) = [part for part in way.parts if part.place is Place.HOLDER and not part.is_assigned]
    (given,) = [part for part in way.parts if part.is_assigned]
    assert (given.who, given.payee) == (holder.address, keeper.address)
    assert mine.amount == 3 * given.amount
    _, earned, _ = books.share.interestState(holder, keeper)
    assert abs(given.amount - Fraction(int(earned), EARNED_SCALE)) < 1


def test_follow__an_untrue_receipt__is_believed_nothing(record: Record, charged: Any) -> None:
    (proven,) = charged(4 * USD)
    (other,) = charged(1)
    forged: Receipt = replace(proven.receipt, charge_usd6=3 * USD)
    with pytest.raises(BadSignature):
        following.follow(record, replace(proven, receipt=forged))
    with pytest.raises(Incoherent):
        following.follow(record, replace(proven, root=other.root))


def test_follow__under_a_root_that_was_never_collected__not_found(
    record: Record, counter: Counter, books: Books, customer: AccountAPI, hot: LocalAccount
) -> None:
    (proven,) = counter.proven([counter.receipt(customer, hot, books.cluster_id, 5)])
    with pytest.raises(NotFound):
        following.follow(record, proven)


def test_tables__of_a_way__name_every_amount_and_say_all_of_them(
    record: Record, charged: Any, books: Books, tmp_path: Path
) -> None:
    (proven, _) = charged(1 * USD, 2 * USD)
    books.distribute()
    kept = tmp_path / "receipt.json"
    kept.write_text(
        json.dumps(
            {
                "receipt": proven.receipt.to_json(),
                "signature": "0x" + proven.signature.hex(),
                "collection": {
                    "root": "0x" + proven.root.hex(),
                    "proof": ["0x" + node.hex() for node in proven.proof],
                },
            }
        )
    )
    way = following.follow(record, following.read(kept))
    output = Console(width=200, record=True)

    for table in following.tables(way):
        output.print(table)

    shown = output.export_text()
    assert "split by the waterfall" in shown
    assert "holders, still to stream" in shown
    assert "$1.000000000000000" in shown
    told = way.to_json()
    assert sum(Fraction(part["amountUsd6"]) for part in told["parts"]) == USD
