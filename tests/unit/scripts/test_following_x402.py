"""What `ape run trace` finds of payments of x402, on a chain: every way that one can go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from ape import chain
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount
from rich.console import Console

from api.domain.eip3009 import Authorization
from api.domain.receipts import NOBODY, Receipt
from api.domain.way import Event, Place, ProvenReceipt, Way
from api.errors import Incoherent
from api.types import Address, ClusterId, Digest
from scripts._lib import following
from scripts._lib.record import Record
from tests.support import x402
from tests.support.payments import FEE_NOTICE
from tests.support.revenue import Books
from tests.support.scenario import USD
from tests.support.ways import Counter, amount_in

HOUR, DAY = 3_600, 86_400


@dataclass
class Payments:
    """A gateway's payments of x402, and the receipts that it signs for them."""

    till: x402.Counter
    books: Counter
    record: Record

    def receipt(self, payer: Any, value: int, used: int, name: object) -> Receipt:
        address = Address(str(payer.address))
        nonce = Digest(x402.nonce_of(name))
        one = Authorization(address, Address(self.till.pay_to), value, 0, 0, nonce)
        told = self.books.receipt(payer, payer, self.till.cluster, used)
        return replace(told, id=one.receipt_id, key=NOBODY, promised_usd6=value)

    def proven(self, receipts: Sequence[Receipt]) -> list[ProvenReceipt]:
        return self.books.proven(receipts)

    def unproven(self, receipt: Receipt) -> ProvenReceipt:
        return replace(self.books.proven([receipt])[0], root=None, proof=())

    def settle(self, *bought: tuple[Any, int, int, object]) -> list[ProvenReceipt]:
        """Each a payer, what it pays, what it uses of that, and a nonce's name."""
        proven = self.proven([self.receipt(*one) for one in bought])
        assert proven[0].root is not None
        payments = [self.till.payment(payer, value, name) for payer, value, _, name in bought]
        unused = [value - used for _, value, used, _ in bought]
        credits = {place: amount for place, amount in enumerate(unused) if amount}
        self.till.settle(*payments, credits=credits, root=proven[0].root)
        return proven

    def ahead(self, *bought: tuple[Any, int, int, object]) -> Any:
        """The batch's id and entries."""
        payments = [self.till.payment(payer, value, name) for payer, value, _, name in bought]
        (told,) = self.till.settle_ahead(*payments).decode_logs(self.till.settler.SettledAhead)
        return told

    def follow(self, proven: ProvenReceipt) -> Way:
        return following.follow(self.record, proven)


@pytest.fixture
def payments(
    record: Record,
    books: Books,
    counter: Counter,
    keeper: AccountAPI,
    deployer: AccountAPI,
    attacker: AccountAPI,
) -> Payments:
    system = record.system()
    system.stablecoin.mint(attacker, 100 * USD, sender=deployer)
    till = x402.Counter(system.settler, system.stablecoin, keeper, books.cluster_id)
    return Payments(till, counter, record)


def front(payments: Payments, payer: Any, value: int, name: object, by: AccountAPI) -> None:
    """Somebody brings a payment to the stablecoin."""
    usd = payments.till.usd
    one = payments.till.authorization(payer, value, name)
    usd.transferWithAuthorization(
        payer, one.to, value, one.valid_after, one.valid_before, one.nonce,
        one.signed_by(payer, usd), sender=by,
    )  # fmt: skip


def test_follow__settled__income_and_credit_are_the_payment(
    payments: Payments, customer: AccountAPI, attacker: AccountAPI
) -> None:
    bought = ((customer, 5 * USD, 2 * USD, 1), (attacker, USD, USD, 2), (customer, 9, 4, 3))
    ways = [payments.follow(one) for one in payments.settle(*bought)]

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
    payments: Payments, customer: AccountAPI
) -> None:
    bought = ((customer, 50, 50, 1), (customer, 70, 30, 2))
    ways = [payments.follow(one) for one in payments.settle(*bought)]
    assert [amount_in(way, Place.CREDIT) for way in ways] == [0, 40]


def test_follow__nothing_used__is_all_credit(payments: Payments, customer: AccountAPI) -> None:
    (proven,) = payments.settle((customer, 50, 0, 1))
    way = payments.follow(proven)
    assert [(part.place, part.amount, part.who) for part in way.parts] == [
        (Place.CREDIT, Fraction(50), customer.address)
    ]


def test_follow__a_platform_fee__takes_its_part_of_what_was_used(
    payments: Payments, record: Record, customer: AccountAPI, admin: AccountAPI
) -> None:
    record.system().payments.schedulePlatformFee(250, sender=admin)
    chain.pending_timestamp = int(chain.pending_timestamp) + FEE_NOTICE
    bought = ((customer, 100, 33, 1), (customer, 1_000_000, 1_000_000, 2))

    ways = [payments.follow(one) for one in payments.settle(*bought)]

    fee = 1_000_033 * 250 // 10_000
    assert amount_in(ways[0], Place.PLATFORM) == Fraction(33 * fee, 1_000_033)
    assert sum(amount_in(way, Place.PLATFORM) for way in ways) == fee


def test_follow__settled_ahead__waits_and_then_is_what_was_used(
    payments: Payments, customer: AccountAPI
) -> None:
    bought = (customer, 5 * USD, 2 * USD, 1)
    receipt = payments.receipt(*bought)
    batch = payments.ahead(bought)
    waiting = payments.follow(payments.unproven(receipt))
    (proven,) = payments.proven([receipt])
    assert proven.root is not None
    payments.till.allocate(batch.entries, {0: 3 * USD}, proven.root)

    way = payments.follow(proven)

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
    assert payments.follow(payments.unproven(receipt)).parts == way.parts


def test_follow__passed_on_after_a_day__is_income_of_all_of_it(
    payments: Payments, customer: AccountAPI, attacker: AccountAPI
) -> None:
    bought = (customer, 5 * USD, 2 * USD, 1)
    batch = payments.ahead(bought)
    chain.pending_timestamp = int(chain.pending_timestamp) + DAY
    payments.till.settler.passOn(batch.batchId, sender=attacker)

    way = payments.follow(payments.unproven(payments.receipt(*bought)))

    assert [step.event for step in way.steps] == [
        Event.SETTLED_AHEAD, Event.PASSED_ON, Event.RECEIVED,
    ]  # fmt: skip
    assert [(part.place, part.amount) for part in way.parts] == [
        (Place.UNDISTRIBUTED, Fraction(5 * USD))
    ]


def test_follow__brought_by_somebody_else__waits_for_the_sweep_and_shows_the_refund(
    payments: Payments,
    record: Record,
    customer: AccountAPI,
    attacker: AccountAPI,
    keeper: AccountAPI,
    deployer: AccountAPI,
) -> None:
    system, receipt = record.system(), payments.receipt(customer, 5 * USD, 2 * USD, 1)
    proven = payments.unproven(receipt)
    unpaid = payments.follow(proven)
    front(payments, customer, 5 * USD, 1, attacker)
    fronted = payments.follow(proven)
    # The settler moves what it brought alone: the payment stays.
    payments.settle((customer, 7, 7, 2))
    system.stablecoin.mint(keeper, 3 * USD, sender=deployer)
    system.stablecoin.approve(system.payments, 3 * USD, sender=keeper)
    leaf = receipt.message(payments.books.domain).struct_hash
    system.payments.refund(customer, 3 * USD, leaf, sender=keeper)
    front(payments, customer, USD, 3, attacker)
    system.settler.sweep(payments.till.cluster, keeper, sender=attacker)

    way = payments.follow(proven)

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
    payments: Payments, customer: AccountAPI
) -> None:
    payments.settle((customer, 50, 20, 1))
    (other,) = payments.proven([payments.receipt(customer, 50, 30, 1)])
    with pytest.raises(Incoherent, match="what was used is under"):
        payments.follow(other)


def test_follow__another_clusters_payment_of_the_same_nonce__is_not_this_ones(
    payments: Payments, customer: AccountAPI
) -> None:
    """The id says payer and nonce alone: where it went is for the chain to say."""
    payments.settle((customer, 50, 20, 1))
    receipt = payments.receipt(customer, 50, 20, 1)
    other = replace(receipt, cluster_id=ClusterId(int(receipt.cluster_id) + 1))
    assert amount_in(payments.follow(payments.unproven(other)), Place.DUE) == 50


def test_follow__distributed_to_the_last_holder__adds_up_exactly(
    payments: Payments, books: Books, customer: AccountAPI, hot: LocalAccount
) -> None:
    payments.settle((customer, 20 * USD, 20 * USD, 0))
    proven = payments.settle((customer, 9_000_007, 7_000_003, 1), (customer, 1_000, 999, 2))
    books.distribute()
    chain.pending_timestamp = int(chain.pending_timestamp) + 5 * HOUR
    chain.mine()

    ways = [payments.follow(one) for one in proven]

    for way, paid in zip(ways, (9_000_007, 1_000), strict=True):
        assert sum((part.amount for part in way.parts), Fraction(0)) == paid
        assert amount_in(way, Place.HOLDER) > 0
        assert amount_in(way, Place.STREAMING) > 0
        assert way.steps[-1].event is Event.STREAMED
    shares = [amount_in(way, Place.HOLDER) for way in ways]
    assert shares[0] / shares[1] == Fraction(7_000_003, 999)


def test_tables__of_a_payment_by_itself__say_its_credit_and_sum(
    payments: Payments, customer: AccountAPI
) -> None:
    (proven,) = payments.settle((customer, 5 * USD, 2 * USD, 1))
    output = Console(width=200, record=True)
    for table in following.tables(payments.follow(proven)):
        output.print(table)
    shown = output.export_text()
    assert "credited what was not used" in shown
    assert "paid by x402" in shown
    assert "5,000,000" in shown
