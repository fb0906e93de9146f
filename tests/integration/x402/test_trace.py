"""A payment of x402 to a real gateway is followed from its authorisation to the last holder."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import httpx
import pytest

from api.chain.client import ChainClient
from api.chain.contracts import Waterfall
from api.chain.following import Follower
from api.domain.way import ProvenReceipt
from api.store.embedded import EmbeddedPostgres
from scripts._lib import following
from tests.support.market import PAYER, USDC, Market
from tests.support.market_gateway import (
    PRICE,
    ask,
    deployment_of,
    mine_until,
    offered,
    selling,
)
from tests.support.selling import GatewayProcess

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


async def buy(gateway: GatewayProcess, market: Market, **changes: object) -> tuple[int, str]:
    """What was paid for a request, and its receipt's id."""
    async with httpx.AsyncClient(timeout=60) as http:
        offer = await offered(http, gateway, **changes)
        payment = market.signed(offer, secrets.token_bytes(32))
        answer = await ask(http, gateway, payment, **changes)
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
    market.transact(USDC, "approve(address,uint256)", waterfall.address, 2**256 - 1)
    income = waterfall.encode("receiveIncome", market.cluster, 500 * USD, 1, bytes(32))
    market.send(waterfall.address, income)

    paid, receipt_id = await buy(gateway, market)
    waiting = await asyncio.to_thread(trace, gateway, receipt_id)

    assert amounts(waiting) == {"pending": paid}
    assert [step["event"] for step in waiting["steps"]] == ["settledAhead"]
    assert waiting["transfer"]["payTo"] == market.pay_to

    def is_allocated() -> bool:
        return "pending" not in amounts(trace(gateway, receipt_id))

    await asyncio.to_thread(mine_until, market, is_allocated)
    market.send(waterfall.address, waterfall.encode("distribute", market.cluster))
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
            buy(gateway, market, max_tokens=tokens, stream=is_stream)
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
        assert amounts(told)["undistributed"] + amounts(told).get("royalty", 0) == charge
