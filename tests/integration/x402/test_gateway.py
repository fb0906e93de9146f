"""The gateway as a process, paid by the official clients as they are: one request, one payment."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from x402 import x402Client, x402ClientSync
from x402.http.clients import wrapHttpxWithPayment, wrapRequestsWithPayment
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import register_exact_evm_client

from api.chain.client import ChainClient
from api.domain.codec import to_hex
from api.domain.merkle import verify_proof
from api.domain.prices import gateway_domain
from api.domain.receipts import Receipt
from api.domain.x402 import PAYMENT_RESPONSE_HEADER, PaymentResponse
from api.types import Digest
from tests.support.market import CHAIN_ID, PAYER, ROYALTY_BPS, Market
from tests.support.market_gateway import (
    ASKED,
    PRICE,
    ask,
    credit,
    income,
    offered,
    receipt_of,
    settled_credit,
)
from tests.support.selling import GatewayProcess

PAY = Path(__file__).with_name("pay.mjs")


def shared(before: tuple[int, int], charge: int) -> tuple[int, int]:
    """The books once so much was used: a batch of one request's, of which nobody keeps a fee."""
    royalty = charge * ROYALTY_BPS // 10_000
    return before[0] + charge - royalty, before[1] + royalty


def is_proved(market: Market, shape: dict[str, Any]) -> bool:
    receipt = Receipt.from_json(shape["receipt"])
    leaf = receipt.message(gateway_domain(CHAIN_ID, market.payments)).struct_hash
    behind = shape["collection"]
    proof = [Digest(bytes.fromhex(node[2:])) for node in behind["proof"]]
    return verify_proof(Digest(bytes.fromhex(behind["root"][2:])), Digest(leaf), proof)


def official() -> x402Client:
    return register_exact_evm_client(x402Client(), EthAccountSigner(PAYER))


async def test_httpx_client__asks__pays_what_was_used_and_is_credited_the_rest(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        offer = await offered(http, gateway)
    assert offer.pay_to == market.pay_to
    before = await settled_credit(client, market), await income(client, market)

    async with wrapHttpxWithPayment(official(), timeout=60) as http:
        answer = await http.post(f"{gateway.url}/v1/completions", json=ASKED)

    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    charge = PRICE.charge_up_usd6(usage["prompt_tokens"], usage["completion_tokens"])
    assert 0 < charge < offer.amount
    async with asyncio.timeout(30):
        while await income(client, market) == before[1]:  # noqa: ASYNC110 - a chain has no event
            await asyncio.sleep(0.1)
    after = await credit(client, market), await income(client, market)
    assert after == (before[0] + offer.amount - charge, shared(before[1], charge))
    response = PaymentResponse.from_header(answer.headers[PAYMENT_RESPONSE_HEADER])
    assert response.success
    assert str(response.payer) == PAYER.address
    assert await client.receipt(bytes.fromhex(response.transaction[2:])) is not None
    shape = await receipt_of(gateway, answer.headers["Receipt-Id"])
    assert shape["receipt"]["chargeUsd6"] == str(charge)
    assert is_proved(market, shape)


async def test_requests_client__asks__pays(gateway: GatewayProcess) -> None:
    import requests

    payer = register_exact_evm_client(x402ClientSync(), EthAccountSigner(PAYER))
    session = wrapRequestsWithPayment(requests.Session(), payer)
    answer = await asyncio.to_thread(
        session.post, f"{gateway.url}/v1/completions", json=ASKED, timeout=60
    )
    assert answer.status_code == 200, answer.text
    assert PaymentResponse.from_header(answer.headers[PAYMENT_RESPONSE_HEADER]).success


async def test_fetch_client__asks__pays(gateway: GatewayProcess) -> None:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(PAY),
        f"{gateway.url}/v1/completions",
        to_hex(bytes(PAYER.key)),
        json.dumps(ASKED),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    answer = json.loads(said)
    assert answer["status"] == 200, answer
    assert answer["payment"]["success"]
    assert answer["body"]["choices"][0]["text"]


async def test_httpx_client__stream__is_settled_before_its_first_byte_and_charged_after_its_last(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    before = await settled_credit(client, market), await income(client, market)

    async with wrapHttpxWithPayment(official(), timeout=60) as http:
        answer = await http.post(f"{gateway.url}/v1/completions", json=ASKED | {"stream": True})

    assert answer.status_code == 200, answer.text
    assert answer.text.endswith("data: [DONE]\n\n")
    response = PaymentResponse.from_header(answer.headers[PAYMENT_RESPONSE_HEADER])
    assert response.success
    async with asyncio.timeout(30):
        while await income(client, market) == before[1]:  # noqa: ASYNC110 - a chain has no event
            await asyncio.sleep(0.1)
    shape = await receipt_of(gateway, answer.headers["Receipt-Id"])
    charge = int(shape["receipt"]["chargeUsd6"])
    assert await income(client, market) == shared(before[1], charge)
    assert (
        await credit(client, market) - before[0] == int(shape["receipt"]["promisedUsd6"]) - charge
    )
    assert is_proved(market, shape)


async def test_payment__brought_again__buys_nothing(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        offer = await offered(http, gateway)
        payment = market.signed(offer, b"\x77" * 32)
        first = await ask(http, gateway, payment)
        again = await ask(http, gateway, payment)
    assert (first.status_code, again.status_code) == (200, 402)
    assert again.json()["reason"] == "invalid_exact_evm_nonce_already_used"


async def test_payment__request_that_fails__can_be_brought_again(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        offer = await offered(http, gateway)
        payment = market.signed(offer, b"\x78" * 32)
        # Less was paid than that may come to.
        dear = await ask(http, gateway, payment, max_tokens=5_000)
        assert dear.status_code == 402
        assert dear.json()["reason"] == "invalid_payment_requirements"
        good = await ask(http, gateway, payment)
    assert good.status_code == 200, good.text


async def test_payment__nonce_that_begins_as_anothers__has_a_receipt_of_its_own(
    gateway: GatewayProcess, market: Market
) -> None:
    """A payer chooses its nonce, and could so choose another's receipt."""
    other = Account.from_key(secrets.token_bytes(32))
    begins = secrets.token_bytes(16)
    async with httpx.AsyncClient(timeout=60) as http:
        offer = await offered(http, gateway)
        market.fund(other.address, offer.amount)
        ids = {}
        for payer in (PAYER, other):
            payment = market.signed(offer, begins + secrets.token_bytes(16), payer)
            answer = await ask(http, gateway, payment)
            assert answer.status_code == 200, answer.text
            ids[payer.address] = answer.headers["Receipt-Id"]
    for address, receipt_id in ids.items():
        shape = await receipt_of(gateway, receipt_id)
        assert shape["receipt"]["payer"] == address


async def test_payment__not_in_a_block_in_time__is_pending_and_credited_in_full_later(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        offer = await offered(http, gateway)
        # What earlier requests left is credited before.
        before = await settled_credit(client, market)
        payment = market.signed(offer, secrets.token_bytes(32))
        market.node.rpc("evm_setAutomine", False)
        try:
            answer = await ask(http, gateway, payment)
        finally:
            market.node.rpc("evm_setAutomine", True)
            market.node.rpc("evm_mine")
    assert answer.status_code == 402
    response = PaymentResponse.from_header(answer.headers[PAYMENT_RESPONSE_HEADER])
    assert (response.success, response.error_reason) == (False, "settlement_pending")
    async with asyncio.timeout(30):
        while await credit(client, market) == before:  # noqa: ASYNC110 - a chain has no event
            await asyncio.sleep(0.1)
    assert await credit(client, market) == before + offer.amount


def test_supported__of_the_gateway__tells_the_scheme(gateway: GatewayProcess) -> None:
    supported = httpx.get(f"{gateway.url}/supported").json()
    assert supported["kinds"] == [
        {"x402Version": 2, "scheme": "exact", "network": f"eip155:{CHAIN_ID}"}
    ]
