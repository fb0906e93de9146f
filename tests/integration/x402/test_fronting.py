"""Payments that somebody else has brought to the stablecoin: served once, and what was not used of
them refunded once, from the gateway's own dollars.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest
from eth_account import Account
from sqlalchemy import text

from api.domain.codec import parse_address
from api.domain.eip712 import address_word
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.hashing import keccak256
from api.domain.receipts import NOBODY
from api.domain.work import Work
from api.domain.x402 import Payment
from api.errors import PaymentRefused
from api.gateway import exact
from api.store.database import Database
from api.store.exact_payments import PaymentState
from api.store.journal import Entry, StoredReceipt
from api.types import Signature
from tests.integration.x402.test_exact import bring, cancel, emptied
from tests.support.market import GATEWAY, MOST, PAYER, Cashier, Market
from tests.support.market_gateway import spend

USED = "invalid_exact_evm_nonce_already_used"


@pytest.fixture
def payment(market: Market, cashier: Cashier) -> Payment:
    return market.signed(cashier.offer, secrets.token_bytes(32))


@pytest.fixture(autouse=True)
async def _rich(market: Market, cashier: Cashier) -> None:
    """The gateway has dollars of its own."""
    market.fund(GATEWAY.address, 10 * MOST)


async def note(cashier: Cashier, one: Authorization, charge: int) -> None:
    """Something was given for it; its receipt is like no other."""
    stored = StoredReceipt(
        one.receipt_id, one.payer, NOBODY, Work(cashier.market.cluster), charge, 1, b"{}",
        keccak256(one.nonce), Signature(bytes(65)), True,
    )  # fmt: skip
    await cashier.journal.write([Entry(0, None, 0, stored)])


async def give(cashier: Cashier, one: Authorization, charge: int) -> None:
    """Serve a request for a payment that was taken."""
    await cashier.exact.settle_ahead(one)
    await note(cashier, one, charge)
    cashier.exact.let_go(one, is_given=True)
    await cashier.holding.tidy()


async def refunds(cashier: Cashier) -> list[int]:
    """What the gateway has given back to the payer, in the chain's own events."""
    payments = cashier.payments
    payer = address_word(parse_address(PAYER.address, "payer"))
    logs = await cashier.client.logs(
        addresses=[payments.address],
        topics=[payments.abi.events["Refunded"].topic, address_word(GATEWAY.address), payer],
        from_block=0,
    )
    return [event.fields["amountUsd6"] for event in payments.decode_logs(logs)]


async def paid(cashier: Cashier) -> None:
    """Until nothing is owed."""
    async with asyncio.timeout(20):
        while await cashier.refunds.owed_usd6():  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0.1)


async def test_take__brought_by_somebody_else_before__is_served_once_and_refunded_once(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    before, given = await cashier.credit(), await refunds(cashier)
    bring(market, cashier, payment)
    taken = await cashier.exact.take(payment, cashier.offer)
    assert taken.state is PaymentState.FRONTED
    assert cashier.exact.told(taken).success
    with pytest.raises(PaymentRefused, match="brought before"):
        await cashier.exact.take(payment, cashier.offer)
    await give(cashier, taken.authorization, 150)
    async with cashier.working():
        await paid(cashier)
    assert await cashier.credit() == before + MOST - 150
    assert await refunds(cashier) == [*given, MOST - 150]
    with pytest.raises(PaymentRefused, match="brought before"):
        await cashier.exact.take(payment, cashier.offer)


async def test_take__its_time_over_since_it_was_brought__is_still_paid(
    market: Market, cashier: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = market.signed(cashier.offer, secrets.token_bytes(32))
    bring(market, cashier, late)
    # A busy machine needs all of a minute to bring it; of what is left nothing will do.
    monkeypatch.setattr(exact, "LEAST_SECONDS", 120)
    with pytest.raises(PaymentRefused, match="too soon"):
        await cashier.exact.verify(late, cashier.offer)
    taken = await cashier.exact.take(late, cashier.offer)
    assert taken.state is PaymentState.FRONTED


async def test_settle_ahead__brought_by_somebody_else_meanwhile__what_was_not_used_is_refunded(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    before = await cashier.credit()
    async with cashier.working():
        taken = await cashier.exact.take(payment, cashier.offer)
        bring(market, cashier, payment)
        await give(cashier, taken.authorization, 400)
        await paid_in_books(cashier, taken.authorization)
        await paid(cashier)
    assert await cashier.credit() == before + MOST - 400


async def paid_in_books(cashier: Cashier, one: Authorization) -> None:
    async with asyncio.timeout(20):
        known = await cashier.store.find(one.payer, one.nonce)
        while known is None or not known.state.is_final:
            await asyncio.sleep(0.1)
            known = await cashier.store.find(one.payer, one.nonce)


async def test_take__not_deep_enough__is_pending_and_can_be_brought_again(
    market: Market, database: Database
) -> None:
    careful = Cashier(market, database, confirmations=5)
    payment = market.signed(careful.offer, secrets.token_bytes(32))
    bring(market, careful, payment)
    with pytest.raises(PaymentRefused) as refused:
        await careful.exact.take(payment, careful.offer)
    assert refused.value.reason == "settlement_pending"
    market.node.rpc("anvil_mine", hex(5))
    taken = await careful.exact.take(payment, careful.offer)
    assert taken.state is PaymentState.FRONTED
    await careful.close()


async def test_take__used_by_a_cancellation__is_no_payment(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    cancel(market, cashier, ExactPayment.from_payload(payment.payload).authorization.nonce)
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.take(payment, cashier.offer)
    assert refused.value.reason == USED


async def test_take__settled_before_this_database__is_no_payment_of_somebody_else(
    market: Market, cashier: Cashier, database: Database, payment: Payment
) -> None:
    async with cashier.working():
        taken = await cashier.exact.take(payment, cashier.offer)
        await give(cashier, taken.authorization, 150)
        await paid_in_books(cashier, taken.authorization)
        await emptied(cashier)
    async with database.writing() as connection:
        await connection.execute(text("delete from exact_payments"))
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.take(payment, cashier.offer)
    assert refused.value.reason == USED


async def test_take__brought_and_told_without_the_payers_signature__buys_nothing(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    bring(market, cashier, payment)
    forged = {**payment.payload, "signature": "0x" + "11" * 65}
    with pytest.raises(PaymentRefused):
        await cashier.exact.take(replace(payment, payload=forged), cashier.offer)


async def test_let_go__brought_by_somebody_else_and_not_served__can_be_brought_again(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    bring(market, cashier, payment)
    taken = await cashier.exact.take(payment, cashier.offer)
    cashier.exact.let_go(taken.authorization, is_given=False)
    await cashier.holding.tidy()
    assert await cashier.refunds.owed_usd6() == 0
    again = await cashier.exact.take(payment, cashier.offer)
    assert again.state is PaymentState.FRONTED


async def test_take__failed_and_brought_by_somebody_else_since__is_served_and_refunded_once(
    market: Market, cashier: Cashier
) -> None:
    """Its payer had nothing for a moment; whoever saw the authorisation can still use it."""
    poor = Account.from_key(secrets.token_bytes(32))
    market.fund(poor.address, MOST)
    payment = market.signed(cashier.offer, secrets.token_bytes(32), poor)
    async with cashier.working():
        one = (await cashier.exact.take(payment, cashier.offer)).authorization
        bring(market, cashier, market.signed(cashier.offer, secrets.token_bytes(32), poor))
        assert (await cashier.exact.settle_ahead(one)).state is PaymentState.FAILED
        cashier.exact.let_go(one, is_given=False)
        await emptied(cashier)
    market.fund(poor.address, MOST)
    with pytest.raises(PaymentRefused, match="failed on chain"):
        await cashier.exact.take(payment, cashier.offer)
    bring(market, cashier, payment)
    assert (await cashier.exact.take(payment, cashier.offer)).state is PaymentState.FRONTED
    with pytest.raises(PaymentRefused, match="brought before"):
        await cashier.exact.take(payment, cashier.offer)
    await give(cashier, one, 150)
    async with cashier.working():
        await paid(cashier)
    assert await cashier.credit(poor) == MOST - 150


async def test_recover__brought_by_somebody_else_and_cut_off__is_refunded_as_noted(
    market: Market, cashier: Cashier, database: Database, payment: Payment
) -> None:
    before = await cashier.credit()
    bring(market, cashier, payment)
    one = (await cashier.exact.take(payment, cashier.offer)).authorization
    await cashier.exact.settle_ahead(one)
    await note(cashier, one, 30)
    second = Cashier(market, database)
    await second.holding.recover()
    async with second.working():
        await paid(second)
    assert await second.credit() == before + MOST - 30
    await second.close()


async def test_facilitate__brought_by_somebody_else_before__settles_nothing(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    """Its payee may have served it: whoever asks again must not be told that it is paid anew."""
    bring(market, cashier, payment)
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.facilitate(payment, cashier.offer)
    assert refused.value.reason == USED


async def test_refund__too_little_of_its_own_dollars__is_owed_and_paid_later(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    before = await cashier.credit()
    spend(market, GATEWAY.address, await cashier.balance(GATEWAY.address) - (MOST - 151))
    bring(market, cashier, payment)
    taken = await cashier.exact.take(payment, cashier.offer)
    await give(cashier, taken.authorization, 150)
    for _ in range(3):
        assert await cashier.refunding.work()
    assert b"rackstream_gateway_refunds_owed_usd6 850.0" in cashier.metrics.text()
    assert await cashier.credit() == before
    market.fund(GATEWAY.address, 1)
    async with cashier.working():
        await paid(cashier)
        await asyncio.sleep(0.5)
    assert await cashier.credit() == before + MOST - 150
    assert b"rackstream_gateway_refunds_owed_usd6 0.0" in cashier.metrics.text()
    assert b"rackstream_gateway_refunded_usd6_total 850.0" in cashier.metrics.text()


async def test_refund__more_than_is_given_back_within_a_day__waits_and_holds_up_no_smaller_one(
    market: Market, database: Database, cashier: Cashier
) -> None:
    careful = Cashier(market, database, refund_day_usd6=900)
    before = await careful.credit()
    for charge in (50, 300, 800):
        payment = market.signed(careful.offer, secrets.token_bytes(32))
        bring(market, careful, payment)
        taken = await careful.exact.take(payment, careful.offer)
        await give(careful, taken.authorization, charge)
    async with careful.working():
        async with asyncio.timeout(20):
            while await careful.refunds.owed_usd6() > 950:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
    # 200 and 700 are within it, 950 is not.
    assert await careful.credit() == before + 200 + 700
    assert await careful.refunds.owed_usd6() == 950
    await careful.close()


async def test_refund__killed_at_any_step__is_paid_once(
    market: Market, cashier: Cashier, database: Database, payment: Payment
) -> None:
    """A step at a time, each by a process that knows nothing of the one before."""
    before, given = await cashier.credit(), await refunds(cashier)
    bring(market, cashier, payment)
    taken = await cashier.exact.take(payment, cashier.offer)
    await give(cashier, taken.authorization, 150)
    for _ in range(6):
        other = Cashier(market, database)
        await other.refunding.work()
        await other.close()
    assert await cashier.refunds.owed_usd6() == 0
    assert await cashier.credit() == before + MOST - 150
    assert await refunds(cashier) == [*given, MOST - 150]


async def test_refund__paid_before_and_forgotten__is_noted_and_not_paid_again(
    market: Market, cashier: Cashier, database: Database, payment: Payment
) -> None:
    """As of a database that was restored from a copy."""
    before, given = await cashier.credit(), await refunds(cashier)
    bring(market, cashier, payment)
    taken = await cashier.exact.take(payment, cashier.offer)
    await give(cashier, taken.authorization, 150)
    async with cashier.working():
        await paid(cashier)
        async with database.writing() as connection:
            await connection.execute(text("delete from exact_refunds"))
            await connection.execute(text("delete from transactions"))
        assert await cashier.refunds.owed_usd6() == MOST - 150
        await paid(cashier)
    assert await cashier.credit() == before + MOST - 150
    assert await refunds(cashier) == [*given, MOST - 150]


async def test_refund__sent_and_not_mined_when_its_process_died__is_paid_once(
    market: Market, cashier: Cashier, database: Database, payment: Payment
) -> None:
    before = await cashier.credit()
    bring(market, cashier, payment)
    taken = await cashier.exact.take(payment, cashier.offer)
    await give(cashier, taken.authorization, 150)
    market.node.rpc("evm_setAutomine", False)
    try:
        await cashier.refunding.work()
        second = Cashier(market, database)
        await second.refunding.work()
    finally:
        market.node.rpc("evm_setAutomine", True)
        market.node.rpc("evm_mine")
    async with second.working():
        await paid(second)
    assert await second.credit() == before + MOST - 150
    await second.close()


async def test_refund__brought_by_the_payer_itself__is_paid_and_not_sent(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    before, given = await cashier.credit(), await refunds(cashier)
    bring(market, cashier, payment)
    taken = await cashier.exact.take(payment, cashier.offer)
    await give(cashier, taken.authorization, 150)
    market.node.rpc("evm_setAutomine", False)
    try:
        # Signed and in the pool: its calldata is public.
        await cashier.refunding.work()
        refund = await cashier.refunds.open()
        assert refund is not None
        market.node.rpc("anvil_dropAllTransactions")
    finally:
        market.node.rpc("evm_setAutomine", True)
    market.send(market.payments, refund.calldata, sender=3)
    async with cashier.working():
        await paid(cashier)
    closed = await cashier.refunds.of(taken.authorization.payer, taken.authorization.nonce)
    assert closed is not None
    assert closed.tx_hash is not None
    assert await cashier.credit() == before + MOST - 150
    assert await refunds(cashier) == [*given, MOST - 150]


async def test_refund__its_block_taken_back__is_sent_again(
    market: Market, database: Database, cashier: Cashier
) -> None:
    careful = Cashier(market, database, confirmations=2)
    before = await careful.credit()
    payment = market.signed(careful.offer, secrets.token_bytes(32))
    bring(market, careful, payment)
    market.node.rpc("anvil_mine", hex(2))
    taken = await careful.exact.take(payment, careful.offer)
    await give(careful, taken.authorization, 150)
    snapshot = market.node.rpc("evm_snapshot")
    await careful.refunding.work()
    assert await careful.credit() == before + MOST - 150
    market.node.rpc("evm_revert", snapshot)
    assert await careful.credit() == before
    async with asyncio.timeout(30):
        while await careful.refunds.owed_usd6():
            await careful.refunding.work()
            market.node.rpc("evm_mine")
            await asyncio.sleep(0.2)
    assert await careful.credit() == before + MOST - 150
    await careful.close()
