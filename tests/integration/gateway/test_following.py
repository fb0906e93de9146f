"""A request that was really served and paid for is followed to the last holder."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import httpx

from api.chain.client import ChainClient
from api.chain.following import Follower
from api.domain.way import Event, Place, ProvenReceipt, Way
from api.types import LOCAL_CHAIN_ID, Address
from scripts._lib import cast, following
from scripts._lib.anvil import rpc
from tests.support.reporting import CLUSTER
from tests.support.selling import MODEL, USD, Customer, Shop, until
from tests.support.ways import amount_in

HOUR = 3_600


def ask(shop: Shop, customer: Customer, question: str) -> str:
    """A paid request; its receipt's id."""
    answer = httpx.post(
        f"{shop.gateway.url}/v1/chat/completions",
        json={
            "model": MODEL,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": 40,
        },
        headers=customer.pay(),
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["Receipt-Id"]


async def follow(shop: Shop, proven: ProvenReceipt) -> Way:
    client = ChainClient(shop.anvil.url, chain_id=LOCAL_CHAIN_ID)
    try:
        return await Follower(client, shop.deployment).follow(proven)
    finally:
        await client.close()


async def test_follow__paid_collected_distributed_and_streaming__as_the_contracts_have_it(
    shop: Shop,
) -> None:
    known = shop.deployment
    waterfall = known.address_of("Waterfall")
    share = Address(shop.read("ClusterRegistry", known.address_of("ClusterRegistry"), "cluster",
                              CLUSTER)[4])  # fmt: skip
    customer = shop.customer(8, 5 * USD)
    # What an hour costs at most, so that something of the requests is left for the holders.
    backer = customer.account.address
    shop.mint(backer, 1_000 * USD)
    shop.transact(backer, "Stablecoin", shop.stablecoin, "approve", waterfall, 2**255)
    shop.transact(
        backer, "Waterfall", waterfall, "receiveIncome", CLUSTER, 1_000 * USD, 1, bytes(32)
    )
    ids = [ask(shop, customer, question) for question in ("What is a rack?", "And a stream?")]
    charged = sum(following.fetch(shop.gateway.url, one).receipt.charge_usd6 for one in ids)
    until(lambda: shop.collected(customer) == charged, "the charges collected")
    shop.transact(backer, "Waterfall", waterfall, "distribute", CLUSTER)
    rpc(shop.anvil.port, "evm_increaseTime", 7 * HOUR)
    rpc(shop.anvil.port, "evm_mine")

    ways = [await follow(shop, following.fetch(shop.gateway.url, one)) for one in ids]

    url = f"{shop.gateway.url}/v1/receipts/{ids[0]}/trace"
    told = await asyncio.to_thread(httpx.get, url, timeout=30)
    assert told.json() == ways[0].to_json(), told.text
    assert [step.event for step in ways[0].steps] == [
        Event.COLLECTED, Event.RECEIVED, Event.DISTRIBUTED, Event.STREAMED,
    ]  # fmt: skip
    holder = cast.Account(10, "holder").address
    for way in ways:
        # The stage has one holder, who owns all; the cluster no lender.
        earned, streaming = amount_in(way, Place.HOLDER), amount_in(way, Place.STREAMING)
        assert [part.who for part in way.parts if part.place is Place.HOLDER] == [holder]
        assert earned > 0
        assert streaming > 0
        (streamed,) = [step.amount for step in way.steps if step.event is Event.STREAMED]
        assert earned + streaming == streamed
    # All that streams came with one distribution: what the holder can claim of it is the same part
    # of all of it as of each request.
    (step,) = [step for step in ways[0].steps if step.event is Event.STREAMED]
    part = amount_in(ways[0], Place.HOLDER) / step.amount
    claimable = shop.read("ClusterShare", share, "claimableUsd6", holder)
    assert 0 <= part * step.of_usd6 - claimable < 1
    assert Fraction(0) < part < 1
