"""Whoever brings, copies or imitates another's payment gets nothing by it and changes nothing."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from api.chain.client import ChainClient
from api.domain.eip3009 import ExactPayment
from api.domain.x402 import Payment
from tests.support.market import Market
from tests.support.market_gateway import (
    ASKED,
    ODD_MODEL,
    ask,
    income,
    offered,
    receipt_of,
    settled_credit,
)
from tests.support.odd_upstream import OddUpstream
from tests.support.selling import GatewayProcess

STREAM: dict[str, Any] = {
    "model": ODD_MODEL,
    "prompt": "a server that drips",
    "max_tokens": 200,
    "stream": True,
}


def funded(market: Market, amount_usd6: int) -> LocalAccount:
    """Somebody who has so much."""
    account: LocalAccount = Account.from_key(secrets.token_bytes(32))
    market.fund(account.address, amount_usd6)
    return account


class OpenStream:
    """Somebody's stream that goes on until `finish`, and the payment for it."""

    def __init__(self, payment: Payment, receipt_id: str, pieces: AsyncIterator[str]) -> None:
        self.payment = payment
        self.nonce = bytes(ExactPayment.from_payload(payment.payload).authorization.nonce)
        self.receipt_id = receipt_id
        self._pieces = pieces

    async def finish(self, odd: OddUpstream) -> None:
        odd.enough.set()
        assert "".join([piece async for piece in self._pieces]).endswith("[DONE]\n\n")


@asynccontextmanager
async def streaming(
    http: httpx.AsyncClient,
    gateway: GatewayProcess,
    market: Market,
    odd: OddUpstream,
    payer: LocalAccount,
) -> AsyncIterator[OpenStream]:
    """While a stream that the payer has paid for is open."""
    odd.enough.clear()
    offer = await offered(http, gateway, **STREAM)
    payment = market.signed(offer, secrets.token_bytes(32), payer)
    headers = {"PAYMENT-SIGNATURE": payment.to_header()}
    try:
        async with http.stream(
            "POST", f"{gateway.url}/v1/completions", json=ASKED | STREAM, headers=headers
        ) as answer:
            assert answer.status_code == 200
            pieces = answer.aiter_text()
            assert "one" in await anext(pieces)
            yield OpenStream(payment, answer.headers["Receipt-Id"], pieces)
    finally:
        odd.enough.set()


async def test_payment__of_an_open_stream_copied__buys_nothing_and_leaves_it_as_it_is(
    gateway: GatewayProcess, market: Market, odd: OddUpstream, client: ChainClient
) -> None:
    before = await income(client, market)
    async with httpx.AsyncClient(timeout=60) as http:
        victim = funded(market, (await offered(http, gateway, **STREAM)).amount)
        async with streaming(http, gateway, market, odd, victim) as stream:
            again = await ask(http, gateway, stream.payment, **STREAM)
            assert (again.status_code, again.json()["reason"]) == (
                402, "invalid_exact_evm_nonce_already_used",
            )  # fmt: skip
            # As a facilitator it tells what is known, and neither settles nor uses any of it.
            body = {
                "x402Version": 2,
                "paymentPayload": {
                    "x402Version": 2,
                    "accepted": stream.payment.accepted.to_json(),
                    "payload": stream.payment.payload,
                },
                "paymentRequirements": stream.payment.accepted.to_json(),
            }
            told = await http.post(f"{gateway.url}/settle", json=body)
            assert told.json()["payer"] == victim.address
            assert (await receipt_of(gateway, stream.receipt_id))["isOpen"]
            await stream.finish(odd)
    shape = await receipt_of(gateway, stream.receipt_id)
    charge = int(shape["receipt"]["chargeUsd6"])
    assert shape["receipt"]["payer"] == victim.address
    assert charge > 0
    # The victim has what its stream did not come to, and the cluster the rest: each once.
    paid = stream.payment.accepted.amount
    assert await settled_credit(client, market, victim.address) == paid - charge
    assert sum(await income(client, market)) == sum(before) + charge


@pytest.mark.parametrize("chosen", ["nonce", "receipt id"])
async def test_payment__nonce_chosen_after_an_open_stream__has_its_own_receipt_and_price(
    gateway: GatewayProcess, market: Market, odd: OddUpstream, client: ChainClient, chosen: str
) -> None:
    before = await income(client, market)
    async with httpx.AsyncClient(timeout=60) as http:
        offer = await offered(http, gateway)
        victim = funded(market, (await offered(http, gateway, **STREAM)).amount)
        attacker = funded(market, offer.amount)
        async with streaming(http, gateway, market, odd, victim) as stream:
            nonce = stream.nonce
            if chosen == "receipt id":
                nonce = bytes.fromhex(stream.receipt_id).ljust(32, b"\0")
            answer = await ask(http, gateway, market.signed(offer, nonce, attacker))
            assert answer.status_code == 200, answer.text
            # It was not closed with the attacker's.
            assert (await receipt_of(gateway, stream.receipt_id))["isOpen"]
            await stream.finish(odd)
    charges = {}
    for account, receipt_id in (
        (victim, stream.receipt_id),
        (attacker, answer.headers["Receipt-Id"]),
    ):
        shape = await receipt_of(gateway, receipt_id)
        assert shape["receipt"]["payer"] == account.address
        charges[account] = int(shape["receipt"]["chargeUsd6"])
    paid = {victim: stream.payment.accepted.amount, attacker: offer.amount}
    for account, charge in charges.items():
        left = await settled_credit(client, market, account.address)
        assert left == paid[account] - charge
    assert sum(await income(client, market)) == sum(before) + sum(charges.values())
