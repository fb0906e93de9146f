"""Availability, utilisation and energy over time, computed from the samples that are kept."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final

from api.clock import Clock
from api.domain.epochs import epoch_at_ms, epoch_window_ms
from api.domain.figures import (
    LOOKBACK_MS,
    ClusterFigures,
    Measured,
    floor_figures,
    measure_gpu,
)
from api.domain.gpu_set import GpuSet
from api.domain.samples import Sample, SampleBatch, canonical_samples
from api.errors import GpuSetUnknown, Incoherent, OutOfRange, Oversized
from api.oracle.chain_watch import ChainWatch
from api.oracle.ingest import Ingest
from api.oracle.manifests import Manifests
from api.store.batches import BatchStore
from api.types import UINT32_MAX, ClusterId, Epoch

MAX_POINTS: Final = 1_000
MIN_STEP_SECONDS: Final = 60

MAX_SECONDS: Final = 31 * 86_400

MAX_SAMPLES: Final = 500_000
"""Samples that one request may take into account: some seconds of work."""

MAX_GPU_POINTS: Final = 1_000_000
"""GPUs × points of one request, for the same reason."""


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of [start, end), Unix seconds."""

    start: int
    end: int
    figures: ClusterFigures


class Series:
    """Reads series. Nothing is stored; an epoch's windows are computed together."""

    def __init__(
        self,
        *,
        watch: ChainWatch,
        clock: Clock,
        manifests: Manifests,
        store: BatchStore,
        ingest: Ingest,
    ) -> None:
        self._watch = watch
        self._clock = clock
        self._manifests = manifests
        self._store = store
        self._ingest = ingest

    async def points(self, cluster_id: ClusterId, start: int, end: int, step: int) -> list[Point]:
        """Points of `step` seconds from `start`, up to `end` or now, whichever is first.

        The last one may be shorter. Raises OutOfRange, Incoherent or Oversized for what is too
        much, UnknownCluster, GpuSetUnknown, or Unavailable.
        """
        self._check(start, end, step)
        await self._watch.cluster(cluster_id)
        end = min(end, self._clock.now())
        if end <= start:
            return []
        records = await self._store.with_samples(
            [cluster_id], start * 1_000 - LOOKBACK_MS, end * 1_000
        )
        count = sum(record.sample_count for record in records)
        if count > MAX_SAMPLES:
            raise Oversized("samples in this time", count, MAX_SAMPLES)
        batches = await self._ingest.load([record.id for record in records])
        edges = [*range(start, end, step), end]
        windows = list(pairwise(edges))
        parts = await self._parts(cluster_id, start, end)
        work = len(windows) * max(len(part.gpus) for part in parts)
        if work > MAX_GPU_POINTS:
            raise Oversized("GPUs times points", work, MAX_GPU_POINTS)
        return await asyncio.to_thread(_points, cluster_id, batches, windows, parts)

    async def _parts(self, cluster_id: ClusterId, start: int, end: int) -> list[_Part]:
        """The time in parts of one epoch, in each of which one GPU set and specification hold."""
        parts: list[_Part] = []
        for number in range(epoch_at_ms(start * 1_000), epoch_at_ms(end * 1_000 - 1) + 1):
            epoch = Epoch(number)
            from_ms, until_ms = epoch_window_ms(epoch)
            spec = await self._watch.spec(cluster_id, epoch)
            try:
                gpus = await self._manifests.at(cluster_id, epoch)
            except GpuSetUnknown:
                if number == epoch_at_ms(end * 1_000 - 1):
                    raise
                # An older set that nobody handed in here: nothing is known of that time.
                gpus = GpuSet(cluster_id, ())
            parts.append(
                _Part(
                    max(from_ms, start * 1_000),
                    min(until_ms, end * 1_000),
                    gpus,
                    spec.gpu_max_power_watts,
                )
            )
        return parts

    def _check(self, start: int, end: int, step: int) -> None:
        for name, value in (("from", start), ("to", end)):
            if not 0 <= value <= UINT32_MAX:
                raise OutOfRange(name, value, 0, UINT32_MAX)
        if end <= start:
            raise Incoherent(f"from {start} is not before to {end}", value=start, limit=end)
        if step < MIN_STEP_SECONDS:
            raise OutOfRange("step", step, MIN_STEP_SECONDS, UINT32_MAX)
        if end - start > MAX_SECONDS:
            raise Oversized("seconds between from and to", end - start, MAX_SECONDS)
        points = -(-(end - start) // step)
        if points > MAX_POINTS:
            raise Oversized("points", points, MAX_POINTS)


@dataclass(frozen=True, slots=True)
class _Part:
    from_ms: int
    until_ms: int
    gpus: GpuSet
    max_watts: int


def _points(
    cluster_id: ClusterId,
    batches: Sequence[SampleBatch],
    windows: Sequence[tuple[int, int]],
    parts: Sequence[_Part],
) -> list[Point]:
    samples = canonical_samples(
        chain.from_iterable(batch.samples for batch in batches),
        windows[0][0] * 1_000,
        windows[-1][1] * 1_000,
    )
    by_gpu: dict[bytes, list[Sample]] = {}
    for sample in samples:
        by_gpu.setdefault(sample.gpu, []).append(sample)
    times = {gpu: [sample.at_ms for sample in own] for gpu, own in by_gpu.items()}
    points: list[Point] = []
    for start, end in windows:
        total = Measured(0, 0, 0, 0, 0)
        max_watts = 0
        for part in parts:
            from_ms, until_ms = max(start * 1_000, part.from_ms), min(end * 1_000, part.until_ms)
            if from_ms >= until_ms:
                continue
            max_watts = max(max_watts, part.max_watts)
            for gpu in part.gpus:
                at = times.get(gpu.gpu_id, [])
                near = by_gpu.get(gpu.gpu_id, [])[
                    bisect_left(at, from_ms - LOOKBACK_MS) : bisect_left(at, until_ms)
                ]
                one = measure_gpu(gpu, near, from_ms, until_ms)
                total = Measured(*(a + b for a, b in zip(total, one, strict=True)))
        points.append(Point(start, end, floor_figures(cluster_id, total, max_watts)))
    return points
