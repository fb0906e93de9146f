"""A real gateway whose customer's payment somebody else has brought, killed before it refunds."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin, Waterfall, X402Settler
from api.domain.codec import parse_address, to_hex
from api.domain.eip712 import address_word
from api.domain.eip3009 import ExactPayment
from api.domain.x402 import PAYMENT_RESPONSE_HEADER, Payment, PaymentResponse
from api.store.embedded import EmbeddedPostgres
from tests.support.market import GATEWAY, PAYER, USDC, Market
from tests.support.market_gateway import (
    ASKED,
    PRICE,
    offered,
    receipt_of,
    selling,
    spend,
)
from tests.support.selling import GatewayProcess, until

KILLS = 3


@pytest.fixture(scope="module")
def gateway(
    market: Market, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder, url = tmp_path_factory.mktemp("refunding"), postgres.url("x402refunding")
    with selling(market, folder, url) as process:
        yield process


async def refunded(client: ChainClient, market: Market) -> list[int]:
    """What the gateway has given back to the payer, in the chain's own events."""
    payments = InferencePayments(client, market.payments)
    payer = address_word(parse_address(PAYER.address, "payer"))
    logs = await client.logs(
        addresses=[payments.address],
        topics=[payments.abi.events["Refunded"].topic, address_word(GATEWAY.address), payer],
        from_block=0,
    )
    return [event.fields["amountUsd6"] for event in payments.decode_logs(logs)]


def places(trace: dict[str, Any]) -> dict[str, str]:
    return {part["place"]: part["amountUsd6"] for part in trace["parts"]}


async def test_request__brought_by_somebody_else_gateway_killed__is_served_and_refunded_once(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    coin = Stablecoin(client, market.domain.verifying_contract)
    async with httpx.AsyncClient(timeout=30) as http:
        offer = await offered(http, gateway)
    payment = market.signed(offer, secrets.token_bytes(32))
    brought = ExactPayment.from_payload(payment.payload)
    market.send(USDC, coin.encode_transfer_with_authorization(brought))
    given = await refunded(client, market)
    # The gateway has nothing of its own at first.
    spend(market, GATEWAY.address, await coin.balance_of(GATEWAY.address))

    headers = {"PAYMENT-SIGNATURE": payment.to_header()}
    async with httpx.AsyncClient(timeout=60) as http:
        url = f"{gateway.url}/v1/completions"
        answer = await http.post(url, json=ASKED, headers=headers)
        again = await http.post(url, json=ASKED, headers=headers)

    assert answer.status_code == 200, answer.text
    assert (again.status_code, again.json()["reason"]) == (
        402,
        "invalid_exact_evm_nonce_already_used",
    )
    response = PaymentResponse.from_header(answer.headers[PAYMENT_RESPONSE_HEADER])
    assert response.success
    usage, receipt_id = answer.json()["usage"], answer.headers["Receipt-Id"]
    charge = PRICE.charge_up_usd6(usage["prompt_tokens"], usage["completion_tokens"])
    unused = offer.amount - charge
    gateway.kill()
    gateway.start()
    shape = await receipt_of(gateway, receipt_id)
    assert "collection" not in shape
    assert shape["refund"] == {
        "paidIn": response.transaction,
        "amountUsd6": str(unused),
        "transaction": None,
    }
    owed = f"rackstream_gateway_refunds_owed_usd6 {float(unused)}"
    await asyncio.to_thread(
        until, lambda: owed in httpx.get(f"{gateway.url}/metrics").text, "the debt is metered"
    )

    market.fund(GATEWAY.address, offer.amount)
    for number in range(KILLS):
        await asyncio.sleep(0.7 * number)
        gateway.kill()
        gateway.start()
    async with asyncio.timeout(30):
        while await refunded(client, market) == given:  # noqa: ASYNC110 - a chain has no event
            await asyncio.sleep(0.2)
    # Time enough for a second one.
    await asyncio.sleep(3)
    shape = await receipt_of(gateway, receipt_id)

    assert await refunded(client, market) == [*given, unused]
    waiting = await receipt_of(gateway, f"{receipt_id}/trace")
    assert [step["event"] for step in waiting["steps"]] == ["fronted", "refunded"]
    assert waiting["steps"][1]["transaction"] == shape["refund"]["transaction"]
    assert places(waiting) == {"unswept": str(offer.amount)}

    # Whoever wants to passes it on.
    settler = X402Settler(client, market.settler)
    waterfall = Waterfall(client, market.contracts["Waterfall"])
    before = (await waterfall.state(market.cluster)).received
    market.send(market.settler, settler.encode("sweep", market.cluster, GATEWAY.address))
    assert (await waterfall.state(market.cluster)).received >= before + offer.amount
    swept = await receipt_of(gateway, f"{receipt_id}/trace")
    assert places(swept) == {"undistributed": str(offer.amount)}
    assert "swept" in [step["event"] for step in swept["steps"]]


async def test_request__brought_by_somebody_else_in_a_batch_with_others__its_receipt_says_so(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    """The others' root has no leaf of it."""
    coin, node = Stablecoin(client, market.domain.verifying_contract), market.node
    async with httpx.AsyncClient(timeout=30) as http:
        offer = await offered(http, gateway)
    first, other, fronted = (market.signed(offer, secrets.token_bytes(32)) for _ in range(3))

    async def buy(http: httpx.AsyncClient, payment: Payment) -> httpx.Response:
        headers = {"PAYMENT-SIGNATURE": payment.to_header()}
        return await http.post(f"{gateway.url}/v1/completions", json=ASKED, headers=headers)

    async def waiting_in_pool() -> None:
        def is_there() -> bool:
            pool: Any = node.rpc("txpool_status")
            return bool(pool["pending"] != "0x0")

        await asyncio.to_thread(until, is_there, "a transaction in the pool")

    node.rpc("evm_setAutomine", False)
    try:
        async with httpx.AsyncClient(timeout=60) as http:
            # While the first batch is on its way the others wait together.
            answers = [asyncio.ensure_future(buy(http, first))]
            await waiting_in_pool()
            answers += [asyncio.ensure_future(buy(http, one)) for one in (other, fronted)]
            await asyncio.sleep(1)
            node.rpc("evm_mine")
            await waiting_in_pool()
            brought = ExactPayment.from_payload(fronted.payload)
            sender = node.rpc("eth_accounts")[3]  # type: ignore[index]
            data = to_hex(coin.encode_transfer_with_authorization(brought))
            fees = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": hex(10**12)}
            node.rpc("eth_sendTransaction", {"from": sender, "to": USDC, "data": data} | fees)
            node.rpc("evm_mine")
            node.rpc("evm_setAutomine", True)
            served = await asyncio.gather(*answers)
    finally:
        node.rpc("evm_setAutomine", True)

    assert [answer.status_code for answer in served] == [200, 200, 200]
    ids = [answer.headers["Receipt-Id"] for answer in served]
    node.rpc("evm_mine")

    async with asyncio.timeout(30):
        shapes = [await receipt_of(gateway, one) for one in ids]
        while "collection" not in shapes[1] or "refund" not in shapes[2]:
            await asyncio.sleep(0.2)
            shapes = [await receipt_of(gateway, one) for one in ids]
    assert ["collection" in shape for shape in shapes] == [True, True, False]
    assert ["refund" in shape for shape in shapes] == [False, False, True]
    traced = await receipt_of(gateway, f"{ids[2]}/trace")
    assert traced["steps"][0]["event"] == "fronted"
