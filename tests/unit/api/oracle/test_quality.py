"""A cluster's hours are read for one at a time, by a node that may be slow or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from api.chain.client import ChainClient
from api.chain.deployments import ContractRecord, Deployment
from api.errors import Busy, ChainTimeout, ChainUnavailable, UndecodableAnswer
from api.oracle import quality as quality_module
from api.oracle.quality import Quality
from api.types import LOCAL_CHAIN_ID, Address, ClusterId
from tests.support.own_node import Node

NOWHERE = Address("0x00000000000000000000000000000000000000E0")
BLANK = "0x" + "00" * 32
CLUSTER = ClusterId(1)


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    node.start()
    yield node
    node.kill()


def quality_of(client: ChainClient) -> Quality:
    """Of a deployment whose contracts are not there."""
    names = (
        "ClusterRegistry",
        "MetricsOracle",
        "Waterfall",
        "InferencePayments",
        "RelatedParties",
        "X402Settler",
    )
    record = ContractRecord(NOWHERE, 0, BLANK, {}, BLANK, BLANK)
    return Quality(client, Deployment(LOCAL_CHAIN_ID, NOWHERE, dict.fromkeys(names, record)))


async def test_hours__while_they_are_read_for_another__busy_and_then_not(node: Node) -> None:
    client = ChainClient(node.url, chain_id=LOCAL_CHAIN_ID, timeout_seconds=20)
    await client.connect()
    quality = quality_of(client)
    node.pause()
    first = asyncio.create_task(quality.hours(CLUSTER, 1))
    await asyncio.sleep(0)

    with pytest.raises(Busy):
        await quality.hours(CLUSTER, 1)

    node.go_on()
    with pytest.raises(UndecodableAnswer):
        await first
    with pytest.raises(UndecodableAnswer):
        await quality.hours(CLUSTER, 1)
    await client.close()


async def test_hours__they_take_too_long__given_up_and_the_next_are_read(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_module, "MAX_SECONDS", 0.3)
    client = ChainClient(node.url, chain_id=LOCAL_CHAIN_ID, timeout_seconds=20)
    await client.connect()
    quality = quality_of(client)
    node.pause()

    with pytest.raises(ChainTimeout, match=r"not answered within 0\.3 seconds"):
        await quality.hours(CLUSTER, 1)

    node.go_on()
    monkeypatch.undo()
    with pytest.raises(UndecodableAnswer):
        await quality.hours(CLUSTER, 1)
    await client.close()


async def test_hours__node_gone__unavailable(node: Node) -> None:
    client = ChainClient(node.url, chain_id=LOCAL_CHAIN_ID, timeout_seconds=1)
    await client.connect()
    node.kill()

    with pytest.raises(ChainUnavailable):
        await quality_of(client).hours(CLUSTER, 1)

    await client.close()
