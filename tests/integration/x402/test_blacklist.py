"""A stablecoin that blacklists a payer, or where payments arrive: only they are stopped."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from eth_account import Account

from api.chain.client import ChainClient
from api.domain.codec import parse_address
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.domain.vouchers import Voucher, payments_domain
from api.domain.x402 import Offer, Payment, network_of
from api.errors import PaymentRefused
from api.store.exact_payments import PaymentState
from tests.support.market import CHAIN_ID, GATEWAY, MERCHANT, MOST, PAYER, USDC, Cashier, Market
from tests.support.market_gateway import ask, income, offered, settled_credit
from tests.support.selling import GatewayProcess

RECEIPT = keccak256(b"receipt")


@contextmanager
def blacklisted(market: Market, account: str) -> Iterator[None]:
    market.blacklist(account)
    try:
        yield
    finally:
        market.blacklist(account, is_listed=False)


async def test_take__payer_blacklisted__is_refused_in_the_stablecoins_words(
    market: Market, cashier: Cashier
) -> None:
    payment = market.signed(cashier.offer, secrets.token_bytes(32))
    with blacklisted(market, PAYER.address), pytest.raises(PaymentRefused, match="blacklisted"):
        await cashier.exact.take(payment, cashier.offer)
    await cashier.exact.take(payment, cashier.offer)


async def test_settle__payer_blacklisted_meanwhile__fails_alone(
    market: Market, cashier: Cashier
) -> None:
    listed = Account.from_key(secrets.token_bytes(32))
    market.fund(listed.address, MOST)
    payments = [
        market.signed(cashier.offer, secrets.token_bytes(32), payer)
        for payer in (PAYER, listed, PAYER)
    ]
    taken = [(await cashier.exact.take(each, cashier.offer)).authorization for each in payments]
    for one in taken:
        # Ordered, and not waited for: they go together.
        await cashier.exact.settle(one, MOST, RECEIPT, 0)
    with blacklisted(market, listed.address):
        async with cashier.working():
            settled = [await cashier.settling.outcome(one, 20) for one in taken]
    states = [one.state for one in settled]
    assert states == [PaymentState.SETTLED, PaymentState.FAILED, PaymentState.SETTLED]
    assert len({one.batch_id for one in settled}) == 1
    assert await cashier.balance(parse_address(listed.address, "payer")) == MOST


@pytest.mark.parametrize("is_ahead", [False, True])
async def test_settle__pay_to_blacklisted_meanwhile__fails_and_what_pays_others_goes_on(
    market: Market, cashier: Cashier, is_ahead: bool
) -> None:
    balance = await cashier.balance(parse_address(PAYER.address, "payer"))
    other = replace(cashier.offer, pay_to=MERCHANT)
    taken = await cashier.exact.take(
        market.signed(cashier.offer, secrets.token_bytes(32)), cashier.offer
    )
    one = taken.authorization
    with blacklisted(market, market.pay_to):
        async with cashier.working():
            work = (
                cashier.exact.settle_ahead(one)
                if is_ahead
                else cashier.exact.settle(one, MOST, RECEIPT)
            )
            failed = asyncio.ensure_future(work)
            paid = await cashier.exact.facilitate(
                market.signed(other, secrets.token_bytes(32)), other
            )
            assert (await failed).state is PaymentState.FAILED
    assert paid.state is PaymentState.SETTLED
    assert await cashier.balance(parse_address(PAYER.address, "payer")) == balance - MOST
    assert await cashier.balance(cashier.settler.address) == 0


async def test_gateway__pay_to_blacklisted__says_so_and_serves_those_who_pay_by_voucher(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    before, refused = await income(client, market), refusals(gateway)
    market.transact(USDC, "approve(address,uint256)", market.payments, 10**6)
    market.transact(market.payments, "depositFor(address,uint256)", PAYER.address, 10**6)
    async with httpx.AsyncClient(timeout=60) as http:
        offer = await offered(http, gateway)
        payment = market.signed(offer, secrets.token_bytes(32))
        with blacklisted(market, market.pay_to):
            by_x402 = await ask(http, gateway, payment)
            by_voucher = await ask(http, gateway, await voucher(http, gateway, market))
            assert (by_x402.status_code, by_voucher.status_code) == (402, 200), by_voucher.text
            assert "blacklisted" in by_x402.json()["detail"]
            assert refusals(gateway) == refused + 1
            async with asyncio.timeout(30):
                while await income(client, market) == before:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.1)
        # The same payment is good as soon as the address is.
        assert (await ask(http, gateway, payment)).status_code == 200
    # What is left over is given back before somebody else sends for this gateway.
    assert await settled_credit(client, market) > 0


def refusals(gateway: GatewayProcess) -> float:
    """How often a payment could not be simulated."""
    reason = "invalid_exact_evm_transaction_simulation_failed"
    name = f'rackstream_gateway_refused_total{{reason="{reason}"}} '
    text = httpx.get(f"{gateway.url}/metrics").text
    return sum(float(line[len(name) :]) for line in text.splitlines() if line.startswith(name))


async def voucher(http: httpx.AsyncClient, gateway: GatewayProcess, market: Market) -> Payment:
    """A voucher by the payer's own key, for a request that comes to 10⁻³ dollars at most."""
    signer = Signer(bytes(PAYER.key))
    found = await http.get(f"{gateway.url}/v1/channels/{signer.address}/{signer.address}")
    promised = int(found.json()["promisedUsd6"]) + 1_000
    domain = payments_domain(CHAIN_ID, market.payments)
    signed = Voucher.signed(domain, signer, signer.address, GATEWAY.address, promised)
    coin = market.domain.verifying_contract
    offer = Offer("voucher", network_of(CHAIN_ID), 0, coin, market.payments, 60, {})
    return Payment(offer, signed.payload())
