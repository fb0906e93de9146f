"""A node of one's own for the tests of what talks to one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from api.chain.client import ChainClient
from api.types import LOCAL_CHAIN_ID
from tests.support.own_node import Node


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    node.start()
    yield node
    node.kill()


@pytest.fixture
async def client(node: Node) -> AsyncIterator[ChainClient]:
    client = ChainClient(node.url, chain_id=LOCAL_CHAIN_ID, timeout_seconds=5)
    yield client
    await client.close()
