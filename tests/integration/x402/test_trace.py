"""A payment of x402 to a real gateway is followed from its authorisation to the last holder."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from typing import Any

import httpx
import pytest

from api.chain.client import ChainClient
from api.chain.contracts import Waterfall
from api.chain.following import Follower
from api.domain.codec import to_hex
from api.domain.way import ProvenReceipt
from api.store.embedded import EmbeddedPostgres
from scripts._lib import following
from tests.support.market import CHAIN_ID, PAYER, USDC, Market
from tests.support.selling import GatewayProcess
from tests.support.x402_gateway import (
    ASKED,
    PRICE,
    deployment_of,
    from_deployer,
    mine_until,
    offer_of,
    selling,
)

CONFIRMATIONS = 3
"""So that what was settled ahead waits until a test mines blocks."""

USD = 10**6


@pytest.fixture(scope="module")
def gateway(
    market: Market, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder, url = tmp_path_factory.mktemp("tracing"), postgres.url("x402tracing")
    with selling(market, folder, url, confirmations=CONFIRMATIONS) as process:
        yield process


@pytest.fixture
async def client(market: Market) -> AsyncIterator[ChainClient]:
    client = ChainClient(market.node.url, chain_id=CHAIN_ID)
    yield client
    await client.close()


def buy(gateway: GatewayProcess, market: Market, **changes: object) -> tuple[int, str]:
    """What was paid for a request, and its receipt's id."""
    asked = ASKED | changes
    offer = offer_of(gateway, asked)
    payment = market.signed(offer, secrets.token_bytes(32))
    answer = httpx.post(
        f"{gateway.url}/v1/completions",
        json=asked,
        headers={"PAYMENT-SIGNATURE": payment.to_header()},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return offer.amount, answer.headers["Receipt-Id"]


def trace(gateway: GatewayProcess, receipt_id: str) -> dict[str, Any]:
    answer = httpx.get(f"{gateway.url}/v1/receipts/{receipt_id}/trace", timeout=30)
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.json()
    return shape


def amounts(shape: dict[str, Any]) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for part in shape["parts"]:
        amount = Fraction(part["amountUsd6"])
        found[part["place"]] = found.get(part["place"], Fraction(0)) + amount
    return found


async def test_trace__paid_by_x402__waits_and_then_runs_to_the_last_holder_exactly(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    waterfall = Waterfall(client, market.contracts["Waterfall"])
    # What the machines cost at most, so that something is left for the holders.
    approve = "0x095ea7b3" + waterfall.address[2:].rjust(64, "0") + "f" * 64
    from_deployer(market, USDC, approve)
    income = waterfall.encode("receiveIncome", market.cluster, 500 * USD, 1, bytes(32))
    from_deployer(market, waterfall.address, to_hex(income))

    paid, receipt_id = await asyncio.to_thread(buy, gateway, market)
    waiting = await asyncio.to_thread(trace, gateway, receipt_id)

    assert amounts(waiting) == {"pending": paid}
    assert [step["event"] for step in waiting["steps"]] == ["settledAhead"]
    assert waiting["transfer"]["payTo"] == market.pay_to

    def is_allocated() -> bool:
        return "pending" not in amounts(trace(gateway, receipt_id))

    await asyncio.to_thread(mine_until, market, is_allocated)
    from_deployer(market, waterfall.address, to_hex(waterfall.encode("distribute", market.cluster)))
    await asyncio.sleep(1.1)
    market.node.rpc("evm_mine")
    told = await asyncio.to_thread(trace, gateway, receipt_id)

    charge = int(told["receipt"]["chargeUsd6"])
    found = amounts(told)
    assert 0 < charge < paid
    assert charge == PRICE.charge_up_usd6(
        told["receipt"]["inputTokens"], told["receipt"]["outputTokens"]
    )
    assert found["credit"] == paid - charge
    assert sum(found.values()) == paid == int(told["paidUsd6"])
    assert [step["event"] for step in told["steps"]] == [
        "settledAhead", "allocated", "credited", "received", "distributed", "streamed",
    ]  # fmt: skip
    (credit,) = [part for part in told["parts"] if part["place"] == "credit"]
    assert credit["who"] == PAYER.address
    assert found["holder"] > 0
    assert found["streaming"] > 0
    # Whoever asks the chain alone, with the receipt in hand, is told the same.
    proven: ProvenReceipt = await asyncio.to_thread(following.fetch, gateway.url, receipt_id)
    assert proven.root is not None
    way = await Follower(client, deployment_of(market)).follow(proven)
    assert (way.paid_usd6, way.transfer) != (0, None)
    assert {part.place.value for part in way.parts} == set(found)
    assert [step.to_json() for step in way.steps] == told["steps"]


async def test_trace__stream_settled_together_with_others__each_is_followed_by_itself(
    gateway: GatewayProcess, market: Market, client: ChainClient
) -> None:
    bought = await asyncio.gather(
        *(
            asyncio.to_thread(buy, gateway, market, max_tokens=tokens, stream=is_stream)
            for tokens, is_stream in ((5, True), (20, False), (40, True))
        )
    )

    def are_allocated() -> bool:
        return all("pending" not in amounts(trace(gateway, one)) for _, one in bought)

    await asyncio.to_thread(mine_until, market, are_allocated)
    for paid, receipt_id in bought:
        told = await asyncio.to_thread(trace, gateway, receipt_id)
        charge = int(told["receipt"]["chargeUsd6"])
        assert amounts(told).get("credit", 0) == paid - charge
        assert amounts(told)["undistributed"] == charge
