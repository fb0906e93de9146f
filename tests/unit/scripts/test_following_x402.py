"""What `ape run trace` finds of payments of x402, on a chain: every way that one can go."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from ape import chain
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount
from rich.console import Console

from api.domain.way import Event, Place
from api.errors import Incoherent
from api.types import ClusterId
from scripts._lib import following
from scripts._lib.record import Record
from tests.support import x402
from tests.support.payments import FEE_NOTICE
from tests.support.revenue import Books
from tests.support.scenario import USD
from tests.support.ways import amount_in
from tests.support.ways_x402 import ExactWays

HOUR, DAY = 3_600, 86_400


def test_follow__settled__income_and_credit_are_the_payment(
    exact: ExactWays, record: Record, customer: AccountAPI, attacker: AccountAPI
) -> None:
    bought = ((customer, 5 * USD, 2 * USD, 1), (attacker, USD, USD, 2), (customer, 9, 4, 3))
    ways = [following.follow(record, one) for one in exact.settle(*bought)]

    assert [amount_in(way, Place.CREDIT) for way in ways] == [3 * USD, 0, 5]
    assert [amount_in(way, Place.UNDISTRIBUTED) for way in ways] == [2 * USD, USD, 4]
    assert [way.paid_usd6 for way in ways] == [5 * USD, USD, 9]
    assert [step.event for step in ways[0].steps] == [
        Event.SETTLED, Event.CREDITED, Event.RECEIVED,
    ]  # fmt: skip
    assert ways[2].steps[0].of_usd6 == 6 * USD + 9
    assert ways[0].transfer is not None
    assert ways[0].transfer.nonce == x402.nonce_of(1)


def test_follow__one_of_a_payers_payments_all_used__the_call_says_which(
    exact: ExactWays, record: Record, customer: AccountAPI
) -> None:
    bought = ((customer, 50, 50, 1), (customer, 70, 30, 2))
    ways = [following.follow(record, one) for one in exact.settle(*bought)]
    assert [amount_in(way, Place.CREDIT) for way in ways] == [0, 40]


def test_follow__nothing_used__is_all_credit(
    exact: ExactWays, record: Record, customer: AccountAPI
) -> None:
    (proven,) = exact.settle((customer, 50, 0, 1))
    way = following.follow(record, proven)
    assert [(part.place, part.amount, part.who) for part in way.parts] == [
        (Place.CREDIT, Fraction(50), customer.address)
    ]


def test_follow__a_platform_fee__takes_its_part_of_what_was_used(
    exact: ExactWays, record: Record, customer: AccountAPI, admin: AccountAPI
) -> None:
    record.system().payments.schedulePlatformFee(250, sender=admin)
    chain.pending_timestamp = int(chain.pending_timestamp) + FEE_NOTICE
    bought = ((customer, 100, 33, 1), (customer, 1_000_000, 1_000_000, 2))

    ways = [following.follow(record, one) for one in exact.settle(*bought)]

    fee = 1_000_033 * 250 // 10_000
    assert amount_in(ways[0], Place.PLATFORM) == Fraction(33 * fee, 1_000_033)
    assert sum(amount_in(way, Place.PLATFORM) for way in ways) == fee


def test_follow__settled_ahead__waits_and_then_is_what_was_used(
    exact: ExactWays, record: Record, customer: AccountAPI
) -> None:
    bought = (customer, 5 * USD, 2 * USD, 1)
    receipt = exact.receipt(*bought)
    batch = exact.ahead(bought)
    waiting = following.follow(record, exact.unproven(receipt))
    (proven,) = exact.proven([receipt])
    assert proven.root is not None
    exact.till.allocate(batch.entries, {0: 3 * USD}, proven.root)

    way = following.follow(record, proven)

    assert [(part.place, part.amount) for part in waiting.parts] == [
        (Place.PENDING, Fraction(5 * USD))
    ]
    assert [step.event for step in waiting.steps] == [Event.SETTLED_AHEAD]
    assert amount_in(way, Place.CREDIT) == 3 * USD
    assert amount_in(way, Place.UNDISTRIBUTED) == 2 * USD
    assert [step.event for step in way.steps] == [
        Event.SETTLED_AHEAD, Event.ALLOCATED, Event.CREDITED, Event.RECEIVED,
    ]  # fmt: skip
    # Who kept the receipt from before is told the same.
    assert following.follow(record, exact.unproven(receipt)).parts == way.parts


def test_follow__passed_on_after_a_day__is_income_of_all_of_it(
    exact: ExactWays, record: Record, customer: AccountAPI, attacker: AccountAPI
) -> None:
    bought = (customer, 5 * USD, 2 * USD, 1)
    batch = exact.ahead(bought)
    chain.pending_timestamp = int(chain.pending_timestamp) + DAY
    exact.till.pass_on(batch.entries, attacker)

    way = following.follow(record, exact.unproven(exact.receipt(*bought)))

    assert [step.event for step in way.steps] == [
        Event.SETTLED_AHEAD, Event.PASSED_ON, Event.RECEIVED,
    ]  # fmt: skip
    assert [(part.place, part.amount) for part in way.parts] == [
        (Place.UNDISTRIBUTED, Fraction(5 * USD))
    ]


def test_follow__brought_by_somebody_else__waits_for_the_sweep_and_shows_the_refund(
    exact: ExactWays,
    record: Record,
    customer: AccountAPI,
    attacker: AccountAPI,
    keeper: AccountAPI,
    deployer: AccountAPI,
) -> None:
    system, receipt = record.system(), exact.receipt(customer, 5 * USD, 2 * USD, 1)
    proven = exact.unproven(receipt)
    unpaid = following.follow(record, proven)
    exact.front(customer, 5 * USD, 1, attacker)
    fronted = following.follow(record, proven)
    # The settler moves what it brought alone: the payment stays.
    exact.settle((customer, 7, 7, 2))
    system.stablecoin.mint(keeper, 3 * USD, sender=deployer)
    system.stablecoin.approve(system.payments, 3 * USD, sender=keeper)
    leaf = receipt.message(exact.books.domain).struct_hash
    system.payments.refund(customer, 3 * USD, leaf, sender=keeper)
    exact.front(customer, USD, 3, attacker)
    system.settler.sweep(exact.till.cluster, keeper, sender=attacker)

    way = following.follow(record, proven)

    assert [(part.place, part.amount) for part in unpaid.parts] == [(Place.DUE, Fraction(5 * USD))]
    assert unpaid.transfer is None
    assert [(part.place, part.amount) for part in fronted.parts] == [
        (Place.UNSWEPT, Fraction(5 * USD))
    ]
    assert [(step.event, int(step.amount)) for step in way.steps] == [
        (Event.FRONTED, 5 * USD),
        (Event.REFUNDED, 3 * USD),
        (Event.SWEPT, 5 * USD),
        (Event.RECEIVED, 5 * USD),
    ]
    assert way.steps[2].of_usd6 == 6 * USD
    # The refund is the gateway's own money: the cluster has all of the payment.
    assert amount_in(way, Place.UNDISTRIBUTED) == 5 * USD


def test_follow__told_under_a_root_that_is_not_the_batchs__refused(
    exact: ExactWays, record: Record, customer: AccountAPI
) -> None:
    exact.settle((customer, 50, 20, 1))
    (other,) = exact.proven([exact.receipt(customer, 50, 30, 1)])
    with pytest.raises(Incoherent, match="what was used is under"):
        following.follow(record, other)


def test_follow__another_clusters_payment_of_the_same_nonce__is_not_this_ones(
    exact: ExactWays, record: Record, customer: AccountAPI
) -> None:
    """The id says payer and nonce alone: where it went is for the chain to say."""
    exact.settle((customer, 50, 20, 1))
    receipt = exact.receipt(customer, 50, 20, 1)
    other = replace(receipt, cluster_id=ClusterId(int(receipt.cluster_id) + 1))
    assert amount_in(following.follow(record, exact.unproven(other)), Place.DUE) == 50


def test_follow__distributed_to_the_last_holder__adds_up_exactly(
    exact: ExactWays, record: Record, books: Books, customer: AccountAPI, hot: LocalAccount
) -> None:
    exact.settle((customer, 20 * USD, 20 * USD, 0))
    proven = exact.settle((customer, 9_000_007, 7_000_003, 1), (customer, 1_000, 999, 2))
    books.distribute()
    chain.pending_timestamp = int(chain.pending_timestamp) + 5 * HOUR
    chain.mine()

    ways = [following.follow(record, one) for one in proven]

    for way, paid in zip(ways, (9_000_007, 1_000), strict=True):
        assert sum((part.amount for part in way.parts), Fraction(0)) == paid
        assert amount_in(way, Place.HOLDER) > 0
        assert amount_in(way, Place.STREAMING) > 0
        assert way.steps[-1].event is Event.STREAMED
    shares = [amount_in(way, Place.HOLDER) for way in ways]
    assert shares[0] / shares[1] == Fraction(7_000_003, 999)


def test_tables__of_a_payment_by_itself__say_its_credit_and_sum(
    exact: ExactWays, record: Record, customer: AccountAPI
) -> None:
    (proven,) = exact.settle((customer, 5 * USD, 2 * USD, 1))
    output = Console(width=200, record=True)
    for table in following.tables(following.follow(record, proven)):
        output.print(table)
    shown = output.export_text()
    assert "credited what was not used" in shown
    assert "paid by x402" in shown
    assert "5,000,000" in shown
