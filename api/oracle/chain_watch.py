"""What the chain says now, read once a block and shared by everything in the process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from api.chain.client import ChainClient
from api.chain.contracts import ClusterRegistry, MetricsOracle
from api.chain.views import Block, Cluster, ClusterSpec, ClusterStatus
from api.domain.epochs import epoch_at
from api.errors import ChainUnavailable, RackstreamError, Unavailable, UnknownCluster
from api.types import Address, ClusterId, Epoch

# A settled specification never changes; a thousand clusters over a day of epochs are kept.
_MAX_SPECS: Final = 24_000

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class ChainSnapshot:
    """The state after one block. `next_epochs` has the clusters that are measured."""

    block: Block
    reporter_set_id: int
    reporters: tuple[Address, ...]
    cluster_count: int
    next_epochs: Mapping[ClusterId, Epoch]


class ChainWatch:
    """Keeps the newest snapshot. One `run` loop refreshes it; `refresh` does so at once."""

    def __init__(
        self, client: ChainClient, oracle: MetricsOracle, registry: ClusterRegistry
    ) -> None:
        self.client = client
        self.oracle = oracle
        self.registry = registry
        self._snapshot: ChainSnapshot | None = None
        self._failure: RackstreamError | None = None
        self._lock = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._specs: OrderedDict[tuple[ClusterId, Epoch], ClusterSpec] = OrderedDict()
        self._memory: dict[object, object] = {}

    def on_block(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every new block."""
        self._listeners.append(listener)

    @property
    def snapshot(self) -> ChainSnapshot:
        """The newest state known, which may be old while the node is away.

        Raises:
            ChainUnavailable: The node has never answered.
        """
        if self._snapshot is None:
            raise ChainUnavailable(self.client.node.url, "the node has not answered yet")
        return self._snapshot

    @property
    def failure(self) -> RackstreamError | None:
        """Why the last reading failed; None if it did not."""
        return self._failure

    def current(self) -> ChainSnapshot:
        """The newest state, if the last reading succeeded. Raises what it failed with."""
        if self._failure is not None:
            raise self._failure
        return self.snapshot

    async def refresh(self) -> ChainSnapshot:
        """Read the chain now. Raises Unavailable or ChainError."""
        async with self._lock:
            try:
                snapshot = await self._read()
            except RackstreamError as error:
                self._failure = error
                raise
            self._failure = None
            previous, self._snapshot = self._snapshot, snapshot
            if previous is None or previous.block.hash != snapshot.block.hash:
                # A new one, so that what is being read for the old block does not end up in it.
                self._memory = {}
                for listener in self._listeners:
                    listener()
            return snapshot

    async def run(self, poll_seconds: float) -> None:
        """Refresh without end."""
        while True:
            # `failure` tells it to whom it concerns; the client has paused between its tries.
            with suppress(Unavailable):
                await self.refresh()
            await asyncio.sleep(poll_seconds)

    async def spec(self, cluster_id: ClusterId, epoch: Epoch) -> ClusterSpec:
        """The specification in force in `epoch`.

        Raises UnknownCluster, Unavailable or ChainError.
        """
        if not 1 <= cluster_id <= self.snapshot.cluster_count:
            raise UnknownCluster(cluster_id)
        known = self._specs.get((cluster_id, epoch))
        if known is not None:
            return known
        spec, _ = await self.registry.spec_at(cluster_id, epoch)
        # Changes act from a later epoch, so what is in force now or was before is settled.
        if epoch <= epoch_at(self.snapshot.block.time):
            self._specs[cluster_id, epoch] = spec
            if len(self._specs) > _MAX_SPECS:
                self._specs.popitem(last=False)
        return spec

    async def cluster(self, cluster_id: ClusterId) -> Cluster:
        """The cluster as of the newest block. Raises UnknownCluster, Unavailable or ChainError."""
        if not 1 <= cluster_id <= self.snapshot.cluster_count:
            raise UnknownCluster(cluster_id)
        return await self.once_a_block(
            ("cluster", cluster_id), lambda: self.registry.cluster(cluster_id)
        )

    async def once_a_block(self, key: object, read: Callable[[], Awaitable[_Value]]) -> _Value:
        """What `read` gives, remembered under `key` until the next block."""
        if key not in self._memory:
            memory = self._memory
            memory[key] = await read()
            return memory[key]  # type: ignore[return-value]
        return self._memory[key]  # type: ignore[return-value]

    async def _read(self) -> ChainSnapshot:
        block = await self.client.block()
        previous = self._snapshot
        if previous is not None and previous.block.hash == block.hash:
            return previous
        at = block.number
        # The reporters too, every time: on another fork a set of the same number has others.
        set_id, reporters, count = await asyncio.gather(
            self.oracle.reporter_set_id(block=at),
            self.oracle.reporters(block=at),
            self.registry.cluster_count(block=at),
        )
        ids = [ClusterId(number) for number in range(1, count + 1)]
        epochs = await asyncio.gather(
            *(self.oracle.next_epoch(cluster_id, block=at) for cluster_id in ids)
        )
        return ChainSnapshot(
            block,
            set_id,
            reporters,
            count,
            {
                cluster_id: Epoch(epoch)
                for cluster_id, epoch in zip(ids, epochs, strict=True)
                if epoch
            },
        )


class NewestBlockClock:
    """The chain as the clock: time is that of the newest block this process has seen."""

    def __init__(self, watch: ChainWatch) -> None:
        self._watch = watch

    def now(self) -> int:
        """Unix seconds. Raises ChainUnavailable before the first block was seen."""
        return self._watch.snapshot.block.time

    def now_ms(self) -> int:
        """Unix milliseconds; blocks are timed in whole seconds."""
        return self.now() * 1_000


IS_MEASURED: Final = frozenset({ClusterStatus.LIVE, ClusterStatus.SUSPENDED, ClusterStatus.RETIRED})
"""States in which a cluster has epochs."""
