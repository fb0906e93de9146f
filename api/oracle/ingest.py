"""Taking in what agents signed: checked, kept durably, then acknowledged.

What a batch has to pass, in this order:

1. It is at most 2 MiB, 10,000 samples and 48 hours, and every field is in its range.
2. Its signature is that of the agent it names.
3. A batch that is kept already gets the same answer again; another one under the same sequence
   number is refused: two statements of one agent contradict each other.
4. Neither a sample nor the declared instant is later than the clock by more than 60 s.
5. At least its last sample lies in an epoch that is open: not on chain, not signed by this
   reporter, and not declared complete by the agent itself.
6. The agent is the one registered on chain for every GPU in it.

What a peer hands on has passed 3 to 5 there, at another time; here it must pass 1, 2 and 6. Two
contradicting batches under one sequence number are then both kept: every reporter has to compute
with the same samples, and which of two samples counts is decided by their content.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.epochs import EPOCH_MS, epoch_at_ms
from api.domain.gpu_set import GpuSet
from api.domain.samples import SampleBatch, SignedBatch, parse_batch
from api.errors import (
    Backdated,
    InTheFuture,
    OutOfRange,
    Oversized,
    SequenceReused,
    UnknownGpu,
    WrongAgent,
)
from api.oracle.chain_watch import ChainWatch
from api.oracle.manifests import Manifests
from api.store.batches import MAX_SPAN_MS, BatchRecord, BatchStore
from api.types import Address, ClusterId, Digest, Epoch

FUTURE_TOLERANCE_MS: Final = 60_000
"""How far an agent's clock may be ahead of the reporter's."""

# What PostgreSQL's bigint holds.
_MAX_SEQUENCE: Final = 2**63 - 1

# About 30 MB; an epoch of a hundred GPUs sampled every minute has 6,000 samples.
_MAX_CACHED_SAMPLES: Final = 100_000

# Below this a batch is decoded faster than a thread takes over.
_SMALL_BODY_BYTES: Final = 64 * 1024

# How many batches of an agent are looked at for the one before a sequence number: more than one
# only where an agent contradicted itself.
_NEIGHBOURS: Final = 8


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that is kept. `is_new` is false if it was kept before."""

    record: BatchRecord
    is_new: bool


class BatchCache:
    """Decoded batches, the least recently used dropped first."""

    def __init__(self, max_samples: int = _MAX_CACHED_SAMPLES) -> None:
        self._max_samples = max_samples
        self._samples = 0
        self._batches: OrderedDict[Digest, SampleBatch] = OrderedDict()

    def get(self, batch_id: Digest) -> SampleBatch | None:
        batch = self._batches.get(batch_id)
        if batch is not None:
            self._batches.move_to_end(batch_id)
        return batch

    def put(self, batch_id: Digest, batch: SampleBatch) -> None:
        if batch_id in self._batches:
            return
        self._batches[batch_id] = batch
        self._samples += len(batch.samples)
        while self._samples > self._max_samples and len(self._batches) > 1:
            _, dropped = self._batches.popitem(last=False)
            self._samples -= len(dropped.samples)


class Ingest:
    """The only writer of batches."""

    def __init__(
        self,
        *,
        watch: ChainWatch,
        clock: Clock,
        manifests: Manifests,
        store: BatchStore,
        domain: Eip712Domain,
    ) -> None:
        """`domain` is `agent_domain`'s."""
        self._watch = watch
        self._clock = clock
        self._manifests = manifests
        self._store = store
        self._domain = domain
        self._cache = BatchCache()
        self._signed_through: dict[ClusterId, Epoch] = {}
        # Only of agents that are being served: anybody can make keys.
        self._locks: WeakValueDictionary[Address, asyncio.Lock] = WeakValueDictionary()
        self._listeners: list[Callable[[], None]] = []

    def on_accepted(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every batch that was kept."""
        self._listeners.append(listener)

    def close(self, cluster_id: ClusterId, epoch: Epoch) -> None:
        """Take no more samples of `epoch` and before: this reporter signed it."""
        self._signed_through[cluster_id] = max(epoch, self._signed_through.get(cluster_id, epoch))

    async def submit(self, body: bytes) -> Accepted:
        """Take a batch from its agent. Raises what the module's list says, or Unavailable."""
        signed, batch_id = await self._verified(body)
        batch = signed.batch
        lock = self._locks.setdefault(batch.agent, asyncio.Lock())
        async with lock:
            earlier = await self._store.up_to_sequence(
                batch.cluster_id, batch.agent, batch.sequence, _NEIGHBOURS
            )
            same = [record for record in earlier if record.sequence == batch.sequence]
            for record in same:
                if record.id == batch_id:
                    return Accepted(record, is_new=False)
            if same:
                raise SequenceReused(batch.sequence, to_hex(same[0].id))
            await self._check_future(batch)
            before = next((r for r in earlier if r.sequence < batch.sequence), None)
            self._check_backdated(batch, 0 if before is None else before.through_ms)
            await self._check_registered(batch)
            return await self._keep(signed, batch_id, body)

    async def accept_from_peer(self, body: bytes) -> Digest:
        """Take a batch that a peer handed on; returns its id. Raises as `submit`."""
        signed, batch_id = await self._verified(body)
        await self._check_registered(signed.batch)
        await self._keep(signed, batch_id, body)
        return batch_id

    async def load(self, ids: Collection[Digest]) -> list[SampleBatch]:
        """The batches with these ids, decoded; those that are not kept are left out."""
        found: list[SampleBatch] = []
        absent: list[Digest] = []
        for batch_id in ids:
            batch = self._cache.get(batch_id)
            if batch is None:
                absent.append(batch_id)
            else:
                found.append(batch)
        if absent:
            bodies = await self._store.bodies(absent)
            for batch_id, body in bodies.items():
                signed = await asyncio.to_thread(parse_batch, body)
                self._cache.put(batch_id, signed.batch)
                found.append(signed.batch)
        return found

    async def missing(self, ids: Collection[Digest]) -> list[Digest]:
        """Those of the ids that are not kept."""
        absent = [batch_id for batch_id in ids if self._cache.get(batch_id) is None]
        known = await self._store.records(absent)
        return [batch_id for batch_id in absent if batch_id not in known]

    async def _verified(self, body: bytes) -> tuple[SignedBatch, Digest]:
        if len(body) <= _SMALL_BODY_BYTES:
            signed, batch_id = self._decode(body)
        else:
            signed, batch_id = await asyncio.to_thread(self._decode, body)
        if signed.batch.sequence > _MAX_SEQUENCE:
            raise OutOfRange("sequence", signed.batch.sequence, 1, _MAX_SEQUENCE)
        return signed, batch_id

    def _decode(self, body: bytes) -> tuple[SignedBatch, Digest]:
        signed = parse_batch(body)
        return signed, signed.verify(self._domain)

    async def _check_future(self, batch: SampleBatch) -> None:
        latest = max([batch.through_ms, *(sample.at_ms for sample in batch.samples)])
        # While the chain is away its clock stands still and its roots may be old: the agent is told
        # to come again, not that it is wrong.
        self._watch.current()
        if latest > self._clock.now_ms() + FUTURE_TOLERANCE_MS:
            # A block may have come since the clock was read last.
            await self._watch.refresh()
        limit = self._clock.now_ms() + FUTURE_TOLERANCE_MS
        if batch.through_ms > limit:
            raise InTheFuture("throughMs", batch.through_ms, limit)
        if latest > limit:
            raise InTheFuture("atMs", latest, limit)

    def _check_backdated(self, batch: SampleBatch, declared_ms: int) -> None:
        if not batch.samples:
            return
        open_from = self._watch.snapshot.next_epochs.get(batch.cluster_id, Epoch(0))
        signed = self._signed_through.get(batch.cluster_id)
        if signed is not None:
            open_from = Epoch(max(open_from, signed + 1))
        open_from = Epoch(max(open_from, epoch_at_ms(declared_ms)))
        last = max(sample.at_ms for sample in batch.samples)
        if last < open_from * EPOCH_MS:
            raise Backdated("atMs", last, open_from * EPOCH_MS)

    async def _check_registered(self, batch: SampleBatch) -> None:
        if not batch.samples:
            await self._check_agent(batch)
            return
        times = [sample.at_ms for sample in batch.samples]
        if max(times) - min(times) > MAX_SPAN_MS:
            raise Oversized("milliseconds of samples", max(times) - min(times), MAX_SPAN_MS)
        epochs = set(map(epoch_at_ms, times))
        sets = {epoch: await self._manifests.at(batch.cluster_id, epoch) for epoch in epochs}
        for gpu, epoch in {(sample.gpu, epoch_at_ms(sample.at_ms)) for sample in batch.samples}:
            record = sets[epoch].get(gpu)
            if record is None:
                raise UnknownGpu(to_hex(gpu), batch.cluster_id)
            if record.agent != batch.agent:
                raise WrongAgent(to_hex(gpu), batch.agent, record.agent)

    async def _check_agent(self, batch: SampleBatch) -> None:
        """A declaration without samples counts only from an agent that has GPUs."""
        gpus: GpuSet = await self._manifests.at(batch.cluster_id, epoch_at_ms(batch.through_ms))
        if not gpus.of_agent(batch.agent):
            raise WrongAgent("(any)", batch.agent, f"cluster {batch.cluster_id}'s agents")

    async def _keep(self, signed: SignedBatch, batch_id: Digest, body: bytes) -> Accepted:
        batch = signed.batch
        times: Sequence[int] = [sample.at_ms for sample in batch.samples]
        record = BatchRecord(
            batch_id,
            batch.cluster_id,
            batch.agent,
            batch.sequence,
            batch.through_ms,
            min(times, default=None),
            max(times, default=None),
            len(batch.samples),
            self._clock.now_ms(),
        )
        kept = await self._store.add(record, body)
        self._cache.put(batch_id, batch)
        is_new = kept is record
        if is_new:
            for listener in self._listeners:
                listener()
        return Accepted(kept, is_new)
