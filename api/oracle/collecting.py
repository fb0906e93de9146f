"""Which batches an epoch rests on, and getting those that others have."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import structlog

from api.clock import Clock
from api.domain.codec import parse_digest, to_hex
from api.domain.epochs import epoch_end, epoch_window_ms
from api.domain.figures import LOOKBACK_MS
from api.errors import GpuSetUnknown, RackstreamError
from api.oracle.ingest import Ingest
from api.oracle.manifests import Manifests
from api.oracle.peers import Peer
from api.store.batches import BatchRecord, BatchStore
from api.types import CLOSE_SECONDS, ClusterId, Digest, Epoch

_log = structlog.get_logger(__name__)

# Batches asked of one peer at a time.
_PARALLEL = 8


class Collecting:
    """What this reporter holds for an epoch, whether it is complete, and what is to be fetched."""

    def __init__(
        self, *, clock: Clock, manifests: Manifests, store: BatchStore, ingest: Ingest
    ) -> None:
        self._clock = clock
        self._manifests = manifests
        self._store = store
        self._ingest = ingest

    async def inventory(
        self, clusters: Collection[ClusterId], epoch: Epoch
    ) -> dict[ClusterId, list[BatchRecord]]:
        """The batches that this reporter would compute the epoch from, of each of the clusters."""
        start_ms, end_ms = epoch_window_ms(epoch)
        held: dict[ClusterId, list[BatchRecord]] = {cluster_id: [] for cluster_id in clusters}
        for record in await self._store.of_window(clusters, start_ms - LOOKBACK_MS, end_ms):
            held[record.cluster_id].append(record)
        return held

    async def are_closed(self, clusters: Collection[ClusterId], epoch: Epoch) -> bool:
        """Whether a proposer need not wait any longer: of all the clusters every agent with a GPU
        in service has declared the epoch complete and left no gap, or the time for it is over."""
        if self.is_time_over(epoch):
            return True
        # One query tells of nearly every look that it is too early; gaps cost one a cluster.
        if await self.undeclared(clusters, epoch):
            return False
        for cluster_id in sorted(clusters):
            if not await self._has_no_gap(cluster_id, epoch):
                return False
        return True

    async def undeclared(self, clusters: Collection[ClusterId], epoch: Epoch) -> list[ClusterId]:
        """Those of the clusters, ascending, of which not every agent with a GPU in service has
        declared the epoch complete in some batch that is kept here. Enough for those who check a
        proposal: gaps are the proposer's to fill, and what it leaves out `omitted` finds."""
        start_ms, end_ms = epoch_window_ms(epoch)
        declared = await self._store.declared(clusters, end_ms)
        undeclared: list[ClusterId] = []
        for cluster_id in sorted(clusters):
            agents = (await self._manifests.at(cluster_id, epoch)).agents(start_ms, end_ms)
            if any((cluster_id, agent) not in declared for agent in agents):
                undeclared.append(cluster_id)
        return undeclared

    def is_time_over(self, epoch: Epoch) -> bool:
        """Whether agents that have not declared the epoch complete are waited for no longer."""
        return self._clock.now() >= epoch_end(epoch) + CLOSE_SECONDS

    async def omitted(
        self, epoch: Epoch, listed: Mapping[ClusterId, Collection[Digest]]
    ) -> dict[ClusterId, list[Digest]]:
        """Of each of the clusters the batches with samples of the epoch that were kept in time and
        are not `listed`."""
        start_ms, end_ms = epoch_window_ms(epoch)
        in_time_ms = end_ms + CLOSE_SECONDS * 1_000
        known = {cluster_id: frozenset(ids) for cluster_id, ids in listed.items()}
        left_out: dict[ClusterId, list[Digest]] = {cluster_id: [] for cluster_id in listed}
        for record in await self._store.with_samples(listed, start_ms - LOOKBACK_MS, end_ms):
            if record.received_at_ms < in_time_ms and record.id not in known[record.cluster_id]:
                left_out[record.cluster_id].append(record.id)
        return left_out

    async def fetch(self, ids: Collection[Digest], peers: Sequence[Peer]) -> list[Digest]:
        """Get the batches that are not kept here from the peers, each of which is tried in turn.

        Returns those that no peer had or that do not pass: a lying peer can name what is not there.
        """
        missing = await self._ingest.missing(ids)
        for peer in peers:
            if not missing:
                break
            limit = asyncio.Semaphore(_PARALLEL)
            got = await asyncio.gather(*(self._fetch_one(i, peer, limit) for i in missing))
            missing = [batch_id for batch_id, done in zip(missing, got, strict=True) if not done]
        return missing

    async def fetch_manifest(self, unknown: GpuSetUnknown, peers: Sequence[Peer]) -> bool:
        """Get the manifest that nobody handed in here from the peers; whether it worked."""
        cluster_id = ClusterId(unknown.cluster_id)
        root = parse_digest(unknown.root, "root")
        for peer in peers:
            try:
                await self._manifests.put(cluster_id, await peer.manifest(cluster_id, root))
            except RackstreamError as error:
                _log.debug("manifest not fetched", peer=peer.address, error=error.message)
            else:
                return True
        return False

    async def _has_no_gap(self, cluster_id: ClusterId, epoch: Epoch) -> bool:
        start_ms, end_ms = epoch_window_ms(epoch)
        agents = (await self._manifests.at(cluster_id, epoch)).agents(start_ms, end_ms)
        progress = await self._store.progress(cluster_id, start_ms)
        return all(agent in progress and progress[agent].through_ms >= end_ms for agent in agents)

    async def _fetch_one(self, batch_id: Digest, peer: Peer, limit: asyncio.Semaphore) -> bool:
        async with limit:
            try:
                return await self._ingest.accept_from_peer(await peer.batch(batch_id)) == batch_id
            except RackstreamError as error:
                _log.warning(
                    "batch not fetched",
                    batch=to_hex(batch_id),
                    peer=peer.address,
                    error=error.message,
                )
                return False
