"""Payments of the scheme `exact` on a real chain, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from sqlalchemy import text

from api.domain.codec import parse_address, to_hex
from api.domain.eip712 import TypedMessage
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.hashing import keccak256
from api.domain.receipts import NOBODY
from api.domain.work import Work
from api.domain.x402 import Offer, Payment
from api.errors import PaymentRefused
from api.store.database import Database
from api.store.exact_payments import PaymentState
from api.store.journal import Entry, StoredReceipt
from api.types import Signature
from tests.support.market import GATEWAY, MOST, PAYER, Cashier, Market

RECEIPT = keccak256(b"receipt")


@pytest.fixture
def payment(market: Market, cashier: Cashier) -> Payment:
    return market.signed(cashier.offer, secrets.token_bytes(32))


def bring(market: Market, cashier: Cashier, payment: Payment) -> None:
    """Somebody brings it to the stablecoin."""
    brought = ExactPayment.from_payload(payment.payload)
    data = cashier.stablecoin.encode_transfer_with_authorization(brought)
    market.send(cashier.stablecoin.address, data, sender=3)


async def test_settle__part_of_it_used__pays_the_cluster_and_credits_the_rest(
    cashier: Cashier, payment: Payment
) -> None:
    before = await cashier.credit()
    async with cashier.working():
        taken = await cashier.exact.take(payment, cashier.offer)
        settled = await cashier.exact.settle(taken.authorization, 400, RECEIPT)
    assert settled.state is PaymentState.SETTLED
    assert await cashier.credit() == before + MOST - 400
    response = await cashier.exact.response(settled)
    assert response.success
    assert response.transaction == to_hex(settled.tx_hash or b"")
    assert str(response.payer) == str(PAYER.address)


async def test_settle__many_at_once__go_in_few_transactions(
    market: Market, cashier: Cashier
) -> None:
    payments = [market.signed(cashier.offer, secrets.token_bytes(32)) for _ in range(12)]
    taken = [await cashier.exact.take(payment, cashier.offer) for payment in payments]
    settling = [
        asyncio.ensure_future(cashier.exact.settle(one.authorization, MOST, RECEIPT))
        for one in taken
    ]
    await asyncio.sleep(0.3)
    async with cashier.working():
        settled = await asyncio.gather(*settling)
    assert {one.state for one in settled} == {PaymentState.SETTLED}
    assert len({one.tx_hash for one in settled}) == 1


async def test_settle_ahead__then_used__credits_the_rest(
    cashier: Cashier, payment: Payment
) -> None:
    before = await cashier.credit()
    async with cashier.working():
        taken = await cashier.exact.take(payment, cashier.offer)
        settled = await cashier.exact.settle_ahead(taken.authorization)
        assert settled.state is PaymentState.SETTLED
        held = await cashier.balance(cashier.settler.address)
        assert held == MOST
        await note(cashier, taken.authorization, 150)
        cashier.exact.let_go(taken.authorization, is_given=True)
        for _ in range(200):
            await asyncio.sleep(0.05)
            if not await cashier.balance(cashier.settler.address):
                break
    assert await cashier.credit() == before + MOST - 150


async def test_take__deposits_paused__is_refused_and_what_is_on_its_way_is_said_afterwards(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    before = await cashier.credit()
    other = market.signed(cashier.offer, secrets.token_bytes(32))
    async with cashier.working():
        taken = await cashier.exact.take(payment, cashier.offer)
        assert (await cashier.exact.settle_ahead(taken.authorization)).state.is_paid
        with market.inflow_paused():
            await note(cashier, taken.authorization, 150)
            cashier.exact.let_go(taken.authorization, is_given=True)
            # What is not used of it could not be given back for days.
            for bring_it in (cashier.exact.take, cashier.exact.facilitate):
                with pytest.raises(PaymentRefused, match="paused until") as refused:
                    await bring_it(other, cashier.offer)
                assert refused.value.reason == "invalid_transaction_state"
            assert await cashier.balance(cashier.settler.address) == MOST
        await emptied(cashier)
        assert await cashier.credit() == before + MOST - 150
        taken = await cashier.exact.take(other, cashier.offer)
        assert (await cashier.exact.settle(taken.authorization, MOST, RECEIPT)).state.is_paid


async def note(cashier: Cashier, one: Authorization, charge: int) -> None:
    """Something was given for it."""
    stored = StoredReceipt(
        one.receipt_id, one.payer, NOBODY, Work(cashier.market.cluster), charge, 1, b"{}",
        RECEIPT, Signature(bytes(65)), True,
    )  # fmt: skip
    await cashier.journal.write([Entry(0, None, 0, stored)])


@pytest.mark.parametrize(("charge", "used"), [(None, 0), (30, 30), (MOST + 1, MOST)])
async def test_recover__settled_ahead_and_cut_off__was_used_as_noted(
    market: Market, database: Database, payment: Payment, charge: int | None, used: int
) -> None:
    first = Cashier(market, database)
    async with first.working():
        one = (await first.exact.take(payment, first.offer)).authorization
        await first.exact.settle_ahead(one)
        if charge is not None:
            await note(first, one, charge)
    await first.close()
    second = Cashier(market, database)
    await second.holding.recover()
    known = await second.store.find(one.payer, one.nonce)
    assert known is not None
    assert known.used_usd6 == used
    async with second.working():
        await emptied(second)
    await second.close()


async def emptied(cashier: Cashier) -> None:
    """Until the settler has passed on what it held."""
    async with asyncio.timeout(20):
        while await cashier.balance(cashier.settler.address):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.1)


async def test_let_go__pending_and_settled_later__all_of_it_is_credited(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    before = await cashier.credit()
    taken = await cashier.exact.take(payment, cashier.offer)
    market.node.rpc("evm_setAutomine", False)
    try:
        async with cashier.working():
            waiting = await cashier.exact.settle_ahead(taken.authorization, 1.0)
            assert not waiting.state.is_final
            cashier.exact.let_go(taken.authorization, is_given=False)
            market.node.rpc("evm_setAutomine", True)
            market.node.rpc("evm_mine")
            async with asyncio.timeout(20):
                while await cashier.credit() == before:  # noqa: ASYNC110 - a chain has no event
                    await asyncio.sleep(0.1)
    finally:
        market.node.rpc("evm_setAutomine", True)
    assert await cashier.credit() == before + MOST


async def test_take__more_at_once_than_its_payer_has__is_refused(
    market: Market, cashier: Cashier
) -> None:
    poor = Account.from_key(secrets.token_bytes(32))
    market.fund(poor.address, 2 * MOST - 1)
    first, second = (market.signed(cashier.offer, secrets.token_bytes(32), poor) for _ in range(2))
    taken = await cashier.exact.take(first, cashier.offer)
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.take(second, cashier.offer)
    assert refused.value.reason == "invalid_exact_evm_insufficient_balance"
    cashier.exact.let_go(taken.authorization, is_given=False)
    await cashier.holding.tidy()
    await cashier.exact.take(second, cashier.offer)


async def test_take__brought_again__is_refused_until_it_is_released(
    cashier: Cashier, payment: Payment
) -> None:
    taken = await cashier.exact.take(payment, cashier.offer)
    with pytest.raises(PaymentRefused, match="brought before"):
        await cashier.exact.take(payment, cashier.offer)
    cashier.exact.let_go(taken.authorization, is_given=False)
    await cashier.exact.take(payment, cashier.offer)


async def test_settle__killed_at_any_step__charges_once(
    market: Market, database: Database, payment: Payment
) -> None:
    """A step at a time, each by a process that knows nothing of the one before."""
    first = Cashier(market, database)
    payer = ExactPayment.from_payload(payment.payload).authorization.payer
    before = await first.balance(payer)
    taken = await first.exact.take(payment, first.offer)
    await first.exact.settle(taken.authorization, MOST, RECEIPT, 0)
    for _ in range(6):
        await first.close()
        first = Cashier(market, database)
        await first.holding.recover()
        await first.settling.work()
    known = await first.store.find(payer, taken.authorization.nonce)
    assert known is not None
    assert known.state is PaymentState.SETTLED
    assert await first.balance(payer) == before - MOST
    await first.close()


async def test_settle__sent_again_after_it_had_settled__is_still_what_this_gateway_settled(
    market: Market, database: Database, payment: Payment
) -> None:
    """Of two transactions that were mined for one batch, the first to be known did nothing."""
    careful = Cashier(market, database, confirmations=5)
    taken = await careful.exact.take(payment, careful.offer)
    async with careful.working():
        paid = await careful.exact.settle(taken.authorization, MOST, RECEIPT)
    (batch,) = await careful.store.open_batches()
    again = {"from": GATEWAY.address, "to": batch.target, "data": to_hex(batch.calldata)}
    market.node.rpc("anvil_impersonateAccount", GATEWAY.address)
    hash_ = market.node.rpc("eth_sendTransaction", again | {"gas": hex(10**6)})
    market.node.rpc("anvil_stopImpersonatingAccount", GATEWAY.address)
    async with database.writing() as connection:
        await connection.execute(
            text(
                "insert into transactions (id, purpose, sender, nonce, hash, raw, max_fee,"
                " max_priority_fee, created_at_ms, state) overriding system value"
                " select 0, purpose, sender, nonce + 1, decode(:hash, 'hex'), raw, max_fee,"
                " max_priority_fee, created_at_ms, state from transactions"
            ),
            {"hash": str(hash_)[2:]},
        )
    market.node.rpc("anvil_mine", hex(6))
    assert await careful.settling.work()
    known = await careful.store.find(taken.authorization.payer, taken.authorization.nonce)
    assert known is not None
    assert (known.state, known.tx_hash) == (PaymentState.SETTLED, paid.tx_hash)
    await careful.close()


async def test_settle__chain_too_slow__is_pending_and_settles_later(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    taken = await cashier.exact.take(payment, cashier.offer)
    market.node.rpc("evm_setAutomine", False)
    try:
        async with cashier.working():
            waiting = await cashier.exact.settle(taken.authorization, MOST, RECEIPT, 1.0)
            response = await cashier.exact.response(waiting)
            assert not response.success
            assert response.error_reason == "settlement_pending"
            assert response.transaction
            market.node.rpc("evm_mine")
            settled = await cashier.exact.settle(taken.authorization, MOST, RECEIPT)
    finally:
        market.node.rpc("evm_setAutomine", True)
    assert settled.state is PaymentState.SETTLED
    assert to_hex(settled.tx_hash or b"") == response.transaction


@pytest.mark.parametrize("is_ahead", [False, True])
async def test_settle__brought_by_somebody_else_meanwhile__is_paid_and_told_apart(
    market: Market, cashier: Cashier, payment: Payment, is_ahead: bool
) -> None:
    taken = await cashier.exact.take(payment, cashier.offer)
    bring(market, cashier, payment)
    async with cashier.working():
        if is_ahead:
            known = await cashier.exact.settle_ahead(taken.authorization)
        else:
            known = await cashier.exact.settle(taken.authorization, 1, RECEIPT)
    assert known.state is PaymentState.FRONTED
    assert (await cashier.exact.response(known)).success


async def test_settle__cancelled_meanwhile__is_not_paid(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    taken = await cashier.exact.take(payment, cashier.offer)
    one = taken.authorization
    cancel(market, cashier, one.nonce)
    async with cashier.working():
        known = await cashier.exact.settle(one, MOST, RECEIPT)
    assert (known.state, known.reason) == (PaymentState.FAILED, "authorization_cancelled")
    assert not (await cashier.exact.response(known)).success


async def test_settle__money_gone_meanwhile__fails_alone(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    poor = Account.from_key(secrets.token_bytes(32))
    market.fund(poor.address, MOST)
    bad = market.signed(cashier.offer, secrets.token_bytes(32), poor)
    taken = [await cashier.exact.take(each, cashier.offer) for each in (bad, payment)]
    bring(market, cashier, market.signed(cashier.offer, secrets.token_bytes(32), poor))
    futures = [
        asyncio.ensure_future(cashier.exact.settle(one.authorization, MOST, RECEIPT))
        for one in taken
    ]
    async with cashier.working():
        failed, settled = await asyncio.gather(*futures)
    assert (failed.state, failed.reason) == (PaymentState.FAILED, "transaction_failed")
    assert settled.state is PaymentState.SETTLED


async def test_take__payer_has_let_one_fail__is_refused_for_an_hour(
    market: Market, cashier: Cashier, database: Database
) -> None:
    poor = Account.from_key(secrets.token_bytes(32))
    market.fund(poor.address, MOST)
    async with cashier.working():
        payment = market.signed(cashier.offer, secrets.token_bytes(32), poor)
        one = (await cashier.exact.take(payment, cashier.offer)).authorization
        bring(market, cashier, market.signed(cashier.offer, secrets.token_bytes(32), poor))
        failed = await cashier.exact.settle(one, MOST, RECEIPT)
    assert failed.state is PaymentState.FAILED
    market.fund(poor.address, MOST)
    again = market.signed(cashier.offer, secrets.token_bytes(32), poor)
    with pytest.raises(PaymentRefused, match="failed on chain") as refused:
        await cashier.exact.take(again, cashier.offer)
    assert refused.value.limit == failed.taken_at_ms // 1_000 + 3_601
    async with database.writing() as connection:
        await connection.execute(text("update exact_payments set taken_at_ms = 0"))
    assert (await cashier.exact.take(again, cashier.offer)).state is PaymentState.TAKEN


def cancel(market: Market, cashier: Cashier, nonce: bytes) -> None:
    """The payer cancels its authorisation."""
    message = TypedMessage(
        market.domain,
        "CancelAuthorization",
        (("authorizer", "address"), ("nonce", "bytes32")),
        (parse_address(PAYER.address, "payer"), bytes(nonce)),
    )
    signed = Account._sign_hash(message.digest, PAYER.key)
    data = keccak256(b"cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)")[:4] + b"".join(
        [
            bytes(12) + bytes.fromhex(PAYER.address[2:]),
            bytes(nonce),
            signed.v.to_bytes(32, "big"),
            signed.r.to_bytes(32, "big"),
            signed.s.to_bytes(32, "big"),
        ]
    )
    market.send(cashier.stablecoin.address, data, sender=3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scheme": "voucher"}, "unsupported_scheme"),
        ({"network": "eip155:1"}, "network_mismatch"),
        ({"amount": MOST + 1}, "invalid_payment_requirements"),
        ({"extra": {}}, "invalid_payment_requirements"),
    ],
)
async def test_verify__accepted_is_not_what_is_offered__is_refused(
    cashier: Cashier, payment: Payment, change: dict[str, Any], reason: str
) -> None:
    other = replace(payment, accepted=replace(payment.accepted, **change))
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.verify(other, cashier.offer)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"asset": GATEWAY.address}, "unsupported_asset"),
        ({"extra": {"name": "USDC"}}, "missing_eip712_domain"),
        (
            {"extra": {"name": "USD Coin", "version": "2"}},
            "invalid_exact_evm_token_name_mismatch",
        ),
        ({"pay_to": GATEWAY.address}, "invalid_exact_evm_payload_recipient_mismatch"),
        ({"amount": MOST + 1}, "invalid_exact_evm_payload_authorization_value_mismatch"),
    ],
)
async def test_verify__offer_that_was_not_signed_for__is_refused(
    cashier: Cashier, payment: Payment, change: dict[str, Any], reason: str
) -> None:
    offer: Offer = replace(cashier.offer, **change)
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.verify(replace(payment, accepted=offer), offer)
    assert refused.value.reason == reason


async def test_verify__over_soon__is_refused(market: Market, cashier: Cashier) -> None:
    late = market.signed(cashier.offer, secrets.token_bytes(32), lasts_seconds=4)
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.verify(late, cashier.offer)
    assert refused.value.reason == "invalid_exact_evm_payload_authorization_valid_before"


async def test_verify__forged_used_or_not_covered__is_refused_with_the_reason(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    forged = {**payment.payload, "signature": "0x" + "11" * 65}
    poor = Account.from_key(secrets.token_bytes(32))
    uncovered = market.signed(cashier.offer, secrets.token_bytes(32), poor)
    used = market.signed(cashier.offer, secrets.token_bytes(32))
    bring(market, cashier, used)
    for brought, reason in (
        (replace(payment, payload=forged), "invalid_exact_evm_payload_signature"),
        (replace(payment, payload={}), "invalid_payload"),
        (uncovered, "invalid_exact_evm_insufficient_balance"),
        (used, "invalid_exact_evm_nonce_already_used"),
    ):
        with pytest.raises(PaymentRefused) as refused:
            await cashier.exact.verify(brought, cashier.offer)
        assert refused.value.reason == reason


async def test_settle__not_deep_enough_yet__is_told_and_in_the_books_once_it_is(
    market: Market, database: Database
) -> None:
    careful = Cashier(market, database, confirmations=20)
    async with careful.working():
        for _ in range(2):
            payment = market.signed(careful.offer, secrets.token_bytes(32))
            one = (await careful.exact.take(payment, careful.offer)).authorization
            told = await careful.exact.settle_ahead(one)
            assert told.state is PaymentState.SETTLED
            assert (await careful.exact.response(told)).success
            known = await careful.store.find(one.payer, one.nonce)
            assert known is not None
            assert known.state is PaymentState.SETTLING
            careful.exact.let_go(one, is_given=False)
        market.node.rpc("anvil_mine", hex(20))
        async with asyncio.timeout(20):
            while known is not None and not known.state.is_final:
                await asyncio.sleep(0.1)
                known = await careful.store.find(one.payer, one.nonce)
        await emptied(careful)
    assert known is not None
    assert known.state is PaymentState.SETTLED
    assert known.tx_hash == told.tx_hash
    await careful.close()


async def test_settle__its_time_over_before_it_was_sent__fails_without_a_transaction(
    market: Market, cashier: Cashier, payment: Payment
) -> None:
    taken = await cashier.exact.take(payment, cashier.offer)
    nonce = await cashier.client.nonce_of(GATEWAY.address)
    snapshot = market.node.rpc("evm_snapshot")
    try:
        market.node.rpc("evm_setNextBlockTimestamp", taken.authorization.valid_before + 1)
        market.node.rpc("evm_mine")
        await cashier.exact.settle(taken.authorization, MOST, RECEIPT, 0)
        while not await cashier.settling.work():
            pass
        known = await cashier.exact.settle(taken.authorization, MOST, RECEIPT, 0)
        assert await cashier.client.nonce_of(GATEWAY.address) == nonce
    finally:
        market.node.rpc("evm_revert", snapshot)
    assert (known.state, known.reason) == (
        PaymentState.FAILED,
        "invalid_exact_evm_payload_authorization_valid_before",
    )


@pytest.mark.parametrize(
    ("wallet", "reason"),
    [("good", None), ("burning", "invalid_exact_evm_payload_signature")],
)
async def test_verify__payer_that_is_a_contract__is_asked_itself(
    market: Market, cashier: Cashier, wallet: str, reason: str | None
) -> None:
    address = market.wallets[wallet]
    market.fund(address, MOST)
    signed = market.signed(cashier.offer, secrets.token_bytes(32))
    authorization = {**signed.payload["authorization"], "from": address}
    payment = replace(signed, payload={"signature": "0x01", "authorization": authorization})
    if reason is None:
        async with cashier.working():
            taken = await cashier.exact.take(payment, cashier.offer)
            settled = await cashier.exact.settle(taken.authorization, MOST, RECEIPT)
        assert settled.state is PaymentState.SETTLED
        return
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.verify(payment, cashier.offer)
    assert refused.value.reason == reason


async def test_facilitate__of_a_payment_that_a_request_is_served_for__orders_nothing(
    cashier: Cashier, payment: Payment
) -> None:
    before = await cashier.credit()
    taken = await cashier.exact.take(payment, cashier.offer)
    async with cashier.working():
        waiting = await cashier.exact.facilitate(payment, cashier.offer, 0.5)
        assert waiting.state is PaymentState.TAKEN
        await cashier.exact.settle(taken.authorization, 1, RECEIPT)
    assert await cashier.credit() == before + MOST - 1


async def test_facilitate__of_a_payment_whose_request_fails_meanwhile__is_refused(
    cashier: Cashier, payment: Payment
) -> None:
    taken = await cashier.exact.take(payment, cashier.offer)
    facilitating = asyncio.ensure_future(cashier.exact.facilitate(payment, cashier.offer, 3))
    await asyncio.sleep(0.2)
    cashier.exact.let_go(taken.authorization, is_given=False)
    await cashier.holding.tidy()
    with pytest.raises(PaymentRefused, match="was not served"):
        await facilitating


async def test_facilitate__for_another_offer_than_it_was_settled_for__is_refused(
    cashier: Cashier, payment: Payment
) -> None:
    async with cashier.working():
        await cashier.exact.facilitate(payment, cashier.offer)
    other = replace(cashier.offer, amount=MOST + 1)
    with pytest.raises(PaymentRefused) as refused:
        await cashier.exact.facilitate(replace(payment, accepted=other), other)
    assert refused.value.reason == "invalid_payment_requirements"
