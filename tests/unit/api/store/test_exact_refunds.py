"""api/store/exact_refunds.py: what is owed of fronted payments, until it is paid for good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.domain.codec import to_address
from api.domain.eip3009 import Authorization, ExactPayment
from api.store.database import Database
from api.store.exact_payments import (
    ExactPaymentStore,
    PaymentState,
    SettlementKind,
    TakenPayment,
)
from api.store.exact_refunds import RefundStore
from api.types import ClusterId, Digest

PAYER = to_address(b"\x0a" * 20)
TX, PAID = Digest(b"\x07" * 32), Digest(b"\x08" * 32)


@pytest.fixture
def payments(database: Database) -> ExactPaymentStore:
    return ExactPaymentStore(database)


@pytest.fixture
def store(database: Database) -> RefundStore:
    return RefundStore(database)


async def fronted(payments: ExactPaymentStore, number: int, used_usd6: int | None) -> Authorization:
    """A payment of 100 that somebody else has brought."""
    nonce = Digest(bytes([number]) * 32)
    one = Authorization(PAYER, to_address(b"\x0b" * 20), 100, 0, 2**40 - 1, nonce)
    taken = TakenPayment(ExactPayment(one, b"\x01" * 65), ClusterId(1), 5, number)
    assert await payments.take(replace(taken, state=PaymentState.FRONTED, tx_hash=TX))
    await payments.order(one, SettlementKind.AHEAD)
    if used_usd6 is not None:
        await payments.note_use(one, used_usd6, nonce)
    return one


async def test_order__of_a_payment_that_is_paid__keeps_it_so(
    payments: ExactPaymentStore,
) -> None:
    one = await fronted(payments, 1, None)
    known = await payments.find(one.payer, one.nonce)
    assert known is not None
    assert (known.state, known.kind, known.tx_hash) == (PaymentState.FRONTED, "ahead", TX)
    assert await payments.due(9) == []
    assert [other.authorization for other in await payments.unfinished()] == [one]
    await payments.forget(one)
    assert await payments.find(one.payer, one.nonce) is not None


async def test_owed__what_was_not_used__the_smallest_first(
    payments: ExactPaymentStore, store: RefundStore
) -> None:
    for number, used in ((1, 40), (2, 90), (3, 100), (4, None)):
        await fronted(payments, number, used)
    smallest = await store.owed()
    assert smallest is not None
    assert (smallest.amount_usd6, smallest.nonce[0], smallest.from_block) == (10, 2, 5)
    assert await store.owed_usd6() == 70


async def test_form__of_a_debt__is_open_and_owed_until_it_is_closed(
    payments: ExactPaymentStore, store: RefundStore
) -> None:
    one = await fronted(payments, 1, 40)
    debt = await store.owed()
    assert debt is not None
    await store.form(debt, b"call", 6, 1_000)
    assert await store.owed() is None
    assert await store.owed_usd6() == 60
    assert [await store.formed_since_usd6(at) for at in (999, 1_000)] == [60, 0]
    refund = await store.open()
    assert refund is not None
    assert (refund.calldata, refund.from_block, refund.amount_usd6) == (b"call", 6, 60)
    assert refund.purpose == f"refund/{refund.id}"
    await store.close(refund, PAID)
    assert await store.open() is None
    assert await store.owed_usd6() == 0
    paid = await store.of(one.payer, one.nonce)
    assert paid is not None
    assert paid.tx_hash == PAID
