"""Several nodes: the first that works is asked, and no other chain, nor one that is far behind."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from api.chain.client import MAX_BLOCKS_BEHIND, ChainClient
from api.chain.node import Node as AskedNode
from api.domain.hashing import keccak256
from api.errors import ChainBehind, ChainUnavailable, ContractReverted, NodeRefused, WrongChain
from api.types import LOCAL_CHAIN_ID, Address
from tests.support.own_node import REFUSE_CODE, Node
from tests.support.relay import Behaviour, Forward, Message, Relay

REFUSE = Address("0x00000000000000000000000000000000000000F0")


@pytest.fixture
def second() -> Iterator[Node]:
    """Beside `node`; three blocks on, so that its answers can be told apart."""
    node = Node()
    node.start()
    node.rpc("anvil_mine", hex(3))
    yield node
    node.kill()


class Pair:
    """A client of two nodes, and the switches that it told of."""

    def __init__(self, *urls: str) -> None:
        self.switches: list[tuple[str, str]] = []
        self.client = ChainClient(
            *urls, chain_id=LOCAL_CHAIN_ID, timeout_seconds=1, on_switch=self._note
        )

    def _note(self, before: AskedNode, now: AskedNode) -> None:
        self.switches.append((before.url, now.url))

    async def asked(self) -> int:
        """0 if the first node answers, 3 if the second does."""
        return (await self.client.block()).number


@pytest.fixture
async def pair(node: Node, second: Node) -> AsyncIterator[Pair]:
    pair = Pair(node.url, second.url)
    await pair.client.connect()
    yield pair
    await pair.client.close()


async def test_request__both_up__first_is_asked(pair: Pair) -> None:
    assert await pair.asked() == 0
    assert pair.switches == []


async def test_request__first_dead__second_is_asked_at_once_and_stays(
    pair: Pair, node: Node, second: Node
) -> None:
    node.kill()
    assert [await pair.asked(), await pair.asked()] == [3, 3]
    assert pair.switches == [(node.url, second.url)]
    assert isinstance(pair.client.nodes[0].failure, ChainUnavailable)


async def test_request__first_hangs__second_is_asked(pair: Pair, node: Node) -> None:
    node.pause()
    assert await pair.asked() == 3
    node.go_on()


async def test_check__first_is_back__is_asked_again(pair: Pair, node: Node, second: Node) -> None:
    node.kill()
    assert await pair.asked() == 3
    node.start()
    assert await pair.asked() == 3
    await pair.client.check()
    assert await pair.asked() == 0
    assert pair.switches == [(node.url, second.url), (second.url, node.url)]


async def test_request__both_dead__unavailable_and_either_may_come_back(
    pair: Pair, node: Node, second: Node
) -> None:
    node.kill()
    second.kill()
    with pytest.raises(ChainUnavailable):
        await pair.asked()
    second.start()
    assert await pair.asked() == 0


async def test_request__contract_or_node_refuses__second_is_not_asked(
    pair: Pair, node: Node, second: Node
) -> None:
    node.rpc("anvil_setCode", REFUSE, REFUSE_CODE)
    with pytest.raises(ContractReverted):
        await pair.client.call(REFUSE, keccak256(b"MetricsOracle_ZeroRoot()")[:4])
    # The second has this block.
    with pytest.raises(NodeRefused):
        await pair.client.block(2)
    assert pair.switches == []


async def test_request__first_port_dead_from_the_start__second_is_asked(second: Node) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{probe.getsockname()[1]}"
    pair = Pair(dead, second.url)
    assert await pair.asked() == 3
    await pair.client.close()


async def test_check__first_of_another_chain__is_not_used(node: Node, second: Node) -> None:
    node.kill()
    node.start(chain_id=5)
    pair = Pair(node.url, second.url)
    await pair.client.connect()
    assert await pair.asked() == 3
    assert isinstance(pair.client.nodes[0].failure, WrongChain)
    second.kill()
    # The other one may come back: that is what is told.
    with pytest.raises(ChainUnavailable):
        await pair.asked()
    with pytest.raises(ChainUnavailable):
        await pair.client.connect()
    await pair.client.close()


@pytest.mark.parametrize(("blocks", "is_left_out"), [(0, False), (1, True)])
async def test_check__first_behind__left_out_above_the_limit(
    pair: Pair, second: Node, blocks: int, is_left_out: bool
) -> None:
    second.rpc("anvil_mine", hex(MAX_BLOCKS_BEHIND - 3 + blocks))
    await pair.client.check()
    assert isinstance(pair.client.nodes[0].failure, ChainBehind) == is_left_out
    assert (await pair.asked() != 0) == is_left_out


async def test_check__first_has_caught_up__is_asked_again(
    pair: Pair, node: Node, second: Node
) -> None:
    second.rpc("anvil_mine", hex(100))
    await pair.client.check()
    assert await pair.asked() == 103
    node.rpc("anvil_mine", hex(99))
    await pair.client.check()
    assert await pair.asked() == 99


NONSENSE = (
    b"",
    b"<html>502 Bad Gateway</html>",
    b"null",
    b"[]",
    b"{}",
    b'{"jsonrpc":"2.0","id":1}',
    b'{"jsonrpc":"2.0","id":1,"result":{}}',
    b'{"jsonrpc":"2.0","id":1,"result":"no block"}',
    b'{"jsonrpc":"2.0","id":1,"result":{"number":null}}',
    b'{"jsonrpc":"2.0","id":1,"error":"out of order"}',
)


@pytest.fixture
async def relay(node: Node) -> AsyncIterator[Relay]:
    relay = Relay(node.port)
    await relay.start()
    yield relay
    await relay.close()


def _saying(body: bytes) -> Behaviour:
    async def say(request: Message, forward: Forward) -> Message:
        return (await forward(request)).with_body(body)

    return say


@pytest.mark.parametrize("body", NONSENSE)
async def test_request__first_answers_nonsense__second_is_asked(
    relay: Relay, second: Node, body: bytes
) -> None:
    pair = Pair(relay.url, second.url)
    await pair.client.connect()
    relay.behaviour = _saying(body)
    assert await pair.asked() == 3
    assert isinstance(pair.client.nodes[0].failure, ChainUnavailable)
    await pair.client.close()


@pytest.mark.parametrize("body", NONSENSE)
async def test_connect__only_nonsense__unavailable(relay: Relay, body: bytes) -> None:
    relay.behaviour = _saying(body)
    client = ChainClient(relay.url, chain_id=LOCAL_CHAIN_ID, timeout_seconds=1)
    with pytest.raises(ChainUnavailable):
        await client.connect()
    await client.close()
