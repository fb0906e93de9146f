"""What is remembered of the chain from one block to the next, and what must not be."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from api.chain.views import Block
from api.oracle.chain_watch import ChainWatch
from api.types import Address, Epoch

BEFORE, INSTEAD = Address("0x" + "a1" * 20), Address("0x" + "a2" * 20)


@dataclass
class Node:
    """A chain whose newest block is as the test says."""

    newest: Block
    reporters: tuple[Address, ...] = (BEFORE,)
    reporter_set_id: int = 2

    def watch(self) -> ChainWatch:
        async def block() -> Block:
            return self.newest

        async def set_id(*, block: int) -> int:
            return self.reporter_set_id

        async def reporters(*, block: int) -> tuple[Address, ...]:
            return self.reporters

        async def next_epoch(_: int, *, block: int) -> Epoch:
            return Epoch(472_223)

        async def count(*, block: int) -> int:
            return 1

        oracle = SimpleNamespace(reporter_set_id=set_id, reporters=reporters, next_epoch=next_epoch)
        return ChainWatch(
            cast(Any, SimpleNamespace(block=block)),
            cast(Any, oracle),
            cast(Any, SimpleNamespace(cluster_count=count)),
        )


async def test_refresh__set_of_the_same_number_on_another_fork__its_reporters() -> None:
    """A change can be taken back, and another one gets its number."""
    node = Node(Block(10, 1, b"\x01", b"", 1))
    watch = node.watch()
    assert (await watch.refresh()).reporters == (BEFORE,)
    node.newest, node.reporters = Block(10, 1, b"\x02", b"", 1), (INSTEAD,)
    assert (await watch.refresh()).reporters == (INSTEAD,)
