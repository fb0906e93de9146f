"""The chain's clock: the newest block's time, still while the node is away."""

from __future__ import annotations

import pytest

from api.chain.clock import ChainClock
from api.errors import ChainUnavailable
from api.types import LOCAL_CHAIN_ID
from tests.support.own_node import Node


def _mine_at(node: Node, timestamp: int) -> None:
    node.rpc("evm_setNextBlockTimestamp", timestamp)
    node.rpc("evm_mine")


def test_now__newest_block__is_its_time(node: Node) -> None:
    clock = ChainClock(node.url, LOCAL_CHAIN_ID, cache_seconds=0)
    _mine_at(node, 4_000_000_000)
    assert clock.now() == 4_000_000_000

    _mine_at(node, 4_000_000_050)

    assert clock.now() == 4_000_000_050
    assert clock.now_ms() == 4_000_000_050_000


def test_now__within_the_cache__asks_the_node_once(node: Node) -> None:
    clock = ChainClock(node.url, LOCAL_CHAIN_ID, cache_seconds=60)
    first = clock.now()

    _mine_at(node, first + 1_000)

    assert clock.now() == first


def test_now__node_was_never_there__is_unavailable(node: Node) -> None:
    node.kill()
    clock = ChainClock(node.url, LOCAL_CHAIN_ID)

    for _ in range(2):
        with pytest.raises(ChainUnavailable):
            clock.now()


def test_now__node_gone_later__stands_still(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.chain.clock.PAUSE_AFTER_FAILURE_SECONDS", 0)
    clock = ChainClock(node.url, LOCAL_CHAIN_ID, cache_seconds=0)
    _mine_at(node, 4_000_000_000)
    assert clock.now() == 4_000_000_000

    node.kill()
    assert clock.now() == 4_000_000_000

    node.start()
    _mine_at(node, 4_000_000_100)
    assert clock.now() == 4_000_000_100


def test_now__node_restarted_between_readings__opens_a_new_connection(node: Node) -> None:
    clock = ChainClock(node.url, LOCAL_CHAIN_ID, cache_seconds=0)
    clock.now()
    node.kill()
    node.start()
    _mine_at(node, 4_000_000_000)

    assert clock.now() == 4_000_000_000


def test_now__node_hangs__keeps_the_last_time(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.chain.clock.TIMEOUT_SECONDS", 0.2)
    clock = ChainClock(node.url, LOCAL_CHAIN_ID, cache_seconds=0)
    _mine_at(node, 4_000_000_000)
    assert clock.now() == 4_000_000_000

    node.pause()
    assert clock.now() == 4_000_000_000
    node.go_on()


def test_now__another_chain_came_in_its_place__stands_still(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.chain.clock.PAUSE_AFTER_FAILURE_SECONDS", 0)
    clock = ChainClock(node.url, LOCAL_CHAIN_ID, cache_seconds=0)
    _mine_at(node, 4_000_000_000)
    assert clock.now() == 4_000_000_000

    node.kill()
    node.start(chain_id=1)
    _mine_at(node, 4_000_500_000)
    assert clock.now() == 4_000_000_000

    node.kill()
    node.start()
    _mine_at(node, 4_000_000_100)
    assert clock.now() == 4_000_000_100


def test_now__another_chain_from_the_start__is_unavailable(node: Node) -> None:
    with pytest.raises(ChainUnavailable, match="chain 31337, expected is 1"):
        ChainClock(node.url, 1).now()
