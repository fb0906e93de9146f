"""The gateway as a process, paid by the official clients as they are: one request, one payment."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from x402 import x402Client, x402ClientSync
from x402.http.clients import wrapHttpxWithPayment, wrapRequestsWithPayment
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import register_exact_evm_client

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin, Waterfall
from api.domain.codec import parse_address, to_hex
from api.domain.merkle import verify_proof
from api.domain.prices import gateway_domain
from api.domain.receipts import Receipt
from api.domain.x402 import PAYMENT_RESPONSE_HEADER, PaymentRequired, PaymentResponse
from api.store.embedded import EmbeddedPostgres
from api.types import Digest
from tests.support.market import CHAIN_ID, PAYER, USDC, Market
from tests.support.selling import GatewayProcess
from tests.support.x402_gateway import ASKED, PRICE, selling

PAY = Path(__file__).with_name("pay.mjs")


@pytest.fixture(scope="module")
def gateway(
    market: Market, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    url = postgres.url("x402gateway")
    with selling(market, tmp_path_factory.mktemp("gateway"), url) as process:
        yield process


@pytest.fixture
async def client(market: Market) -> AsyncIterator[ChainClient]:
    client = ChainClient(market.node.url, chain_id=CHAIN_ID)
    yield client
    await client.close()


async def credit(client: ChainClient, market: Market) -> int:
    payer = parse_address(PAYER.address, "payer")
    return (await InferencePayments(client, market.payments).account(payer)).balance_usd6


async def income(client: ChainClient, market: Market) -> int:
    state = await Waterfall(client, market.contracts["Waterfall"]).state(market.cluster)
    return state.received


async def receipt_of(gateway: GatewayProcess, receipt_id: str) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.get(f"{gateway.url}/v1/receipts/{receipt_id}")
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.json()
    return shape


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
        unpaid = await http.post(f"{gateway.url}/v1/completions", json=ASKED)
    required = PaymentRequired.from_header(unpaid.headers["PAYMENT-REQUIRED"])
    (offer,) = [one for one in required.accepts if one.scheme == "exact"]
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
    assert after == (before[0] + offer.amount - charge, before[1] + charge)
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
    assert await income(client, market) - before[1] == charge
    assert (
        await credit(client, market) - before[0] == int(shape["receipt"]["promisedUsd6"]) - charge
    )
    assert is_proved(market, shape)


async def test_payment__brought_again__buys_nothing(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        unpaid = await http.post(f"{gateway.url}/v1/completions", json=ASKED)
        required = PaymentRequired.from_header(unpaid.headers["PAYMENT-REQUIRED"])
        (offer,) = [one for one in required.accepts if one.scheme == "exact"]
        payment = market.signed(offer, b"\x77" * 32)
        headers = {"PAYMENT-SIGNATURE": payment.to_header()}
        first = await http.post(f"{gateway.url}/v1/completions", json=ASKED, headers=headers)
        again = await http.post(f"{gateway.url}/v1/completions", json=ASKED, headers=headers)
    assert (first.status_code, again.status_code) == (200, 402)
    assert again.json()["reason"] == "invalid_exact_evm_nonce_already_used"


async def test_payment__request_that_fails__can_be_brought_again(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        unpaid = await http.post(f"{gateway.url}/v1/completions", json=ASKED)
        required = PaymentRequired.from_header(unpaid.headers["PAYMENT-REQUIRED"])
        (offer,) = [one for one in required.accepts if one.scheme == "exact"]
        payment = market.signed(offer, b"\x78" * 32)
        headers = {"PAYMENT-SIGNATURE": payment.to_header()}
        # Less was paid than that may come to.
        dear = await http.post(
            f"{gateway.url}/v1/completions", json=ASKED | {"max_tokens": 5_000}, headers=headers
        )
        assert dear.status_code == 402
        assert dear.json()["reason"] == "invalid_payment_requirements"
        good = await http.post(f"{gateway.url}/v1/completions", json=ASKED, headers=headers)
    assert good.status_code == 200, good.text


async def test_payment__nonce_that_begins_as_anothers__has_a_receipt_of_its_own(
    gateway: GatewayProcess, market: Market
) -> None:
    """A payer chooses its nonce, and could so choose another's receipt."""
    other = Account.from_key(secrets.token_bytes(32))
    begins = secrets.token_bytes(16)
    async with httpx.AsyncClient(timeout=60) as http:
        unpaid = await http.post(f"{gateway.url}/v1/completions", json=ASKED)
        required = PaymentRequired.from_header(unpaid.headers["PAYMENT-REQUIRED"])
        (offer,) = [one for one in required.accepts if one.scheme == "exact"]
        fund(market, other.address, offer.amount)
        ids = {}
        for payer in (PAYER, other):
            payment = market.signed(offer, begins + secrets.token_bytes(16), payer)
            headers = {"PAYMENT-SIGNATURE": payment.to_header()}
            answer = await http.post(f"{gateway.url}/v1/completions", json=ASKED, headers=headers)
            assert answer.status_code == 200, answer.text
            ids[payer.address] = answer.headers["Receipt-Id"]
    for address, receipt_id in ids.items():
        shape = await receipt_of(gateway, receipt_id)
        assert shape["receipt"]["payer"] == address


async def test_payment__not_in_a_block_in_time__is_pending_and_credited_in_full_later(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        unpaid = await http.post(f"{gateway.url}/v1/completions", json=ASKED)
        required = PaymentRequired.from_header(unpaid.headers["PAYMENT-REQUIRED"])
        (offer,) = [one for one in required.accepts if one.scheme == "exact"]
        # What earlier requests left is credited before.
        before = await settled_credit(client, market)
        headers = {"PAYMENT-SIGNATURE": market.signed(offer, secrets.token_bytes(32)).to_header()}
        market.node.rpc("evm_setAutomine", False)
        try:
            answer = await http.post(f"{gateway.url}/v1/completions", json=ASKED, headers=headers)
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


async def settled_credit(client: ChainClient, market: Market) -> int:
    """The payer's, once the settler holds nothing more of earlier requests."""
    coin = Stablecoin(client, market.domain.verifying_contract)
    async with asyncio.timeout(30):
        while await coin.balance_of(market.settler):  # noqa: ASYNC110 - a chain has no event
            await asyncio.sleep(0.1)
    return await credit(client, market)


def fund(market: Market, account: str, amount: int) -> None:
    """With stablecoin."""
    sender = market.node.rpc("eth_accounts")[0]  # type: ignore[index]
    data = "0xa9059cbb" + account[2:].rjust(64, "0") + f"{amount:064x}"
    market.node.rpc("eth_sendTransaction", {"from": sender, "to": USDC, "data": data})


def test_supported__of_the_gateway__tells_the_scheme(gateway: GatewayProcess) -> None:
    supported = httpx.get(f"{gateway.url}/supported").json()
    assert supported["kinds"] == [
        {"x402Version": 2, "scheme": "exact", "network": f"eip155:{CHAIN_ID}"}
    ]
