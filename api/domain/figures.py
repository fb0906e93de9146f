"""Availability, utilisation and energy of a cluster in a window of time.

All sums are integers: GPU-milliseconds, GPU-milliseconds × basis points, millijoules. Floors happen
once, at the end.

Formulas and where they are from:

- Uptime = 1 − down / (total − excluded), and GPU-weighted availability = Σ healthy GPU-time / Σ
  contracted GPU-time: the form of cloud providers' service level agreements and of fleet
  availability in operators' reports. Excluded is the time outside a GPU's service window. A GPU
  that says nothing is down.
- Technical utilisation = Σ busy share × covered time, where the busy share is NVIDIA's GPU
  utilisation: the percentage of the sample period in which a kernel ran (NVML
  `nvmlUtilization_t.gpu`; DCGM_FI_DEV_GPU_UTIL). It means busy, not useful.
- Billable utilisation is the part of it that worked for paying customers; technical − billable is
  leakage.
- Energy = Σ differences of a cumulative counter in millijoules (NVML
  `nvmlDeviceGetTotalEnergyConsumption`; DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION); kWh = Σ mJ / 3.6e9,
  before PUE. A counter that went down was reset, and what it shows counts from zero (as Prometheus'
  `increase` has it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from api.domain.epochs import epoch_window_ms
from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.samples import Sample
from api.errors import Incoherent, OutOfRange
from api.types import (
    BPS,
    DRAINING_XIDS,
    LOOKBACK_SECONDS,
    UINT32_MAX,
    UINT256_MAX,
    ClusterId,
    Epoch,
)

LOOKBACK_MS = LOOKBACK_SECONDS * 1_000
MJ_PER_WH = 3_600_000


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """What reporters measured for one cluster in one epoch: `contracts/types/ClusterFigures.sol`,
    each field uint32.

    billable ≤ busy ≤ available ≤ contracted, all in GPU-seconds; energy in watt-hours drawn by the
    GPUs, before PUE.
    """

    cluster_id: ClusterId
    energy_wh: int
    contracted_gpu_seconds: int
    available_gpu_seconds: int
    busy_gpu_seconds: int
    billable_gpu_seconds: int

    def __post_init__(self) -> None:
        """Raises OutOfRange for a field that is no uint32 (cluster 0 included), Incoherent for a
        wrong order.
        """
        if not 1 <= self.cluster_id <= UINT32_MAX:
            raise OutOfRange("clusterId", self.cluster_id, 1, UINT32_MAX)
        for field, value in (
            ("energyWh", self.energy_wh),
            ("contractedGpuSeconds", self.contracted_gpu_seconds),
            ("availableGpuSeconds", self.available_gpu_seconds),
            ("busyGpuSeconds", self.busy_gpu_seconds),
            ("billableGpuSeconds", self.billable_gpu_seconds),
        ):
            if not 0 <= value <= UINT32_MAX:
                raise OutOfRange(field, value, 0, UINT32_MAX)
        ordered = (
            self.billable_gpu_seconds,
            self.busy_gpu_seconds,
            self.available_gpu_seconds,
            self.contracted_gpu_seconds,
        )
        if list(ordered) != sorted(ordered):
            raise Incoherent(
                f"billable ≤ busy ≤ available ≤ contracted does not hold for {ordered}",
                value=list(ordered),
            )

    def pack(self) -> int:
        """The word on chain."""
        return (
            self.cluster_id << 160
            | self.energy_wh << 128
            | self.contracted_gpu_seconds << 96
            | self.available_gpu_seconds << 64
            | self.busy_gpu_seconds << 32
            | self.billable_gpu_seconds
        )

    @classmethod
    def unpack(cls, word: int) -> ClusterFigures:
        """The figures in a word.

        Raises OutOfRange or Incoherent where `isCoherent` on chain says no.
        """
        if not 0 <= word <= UINT256_MAX:
            raise OutOfRange("figures", word, 0, UINT256_MAX)
        if word >> 192:
            raise Incoherent(f"the upper 64 bits of figures {word:#x} are not zero", value=word)
        return cls(
            cluster_id=ClusterId(word >> 160 & UINT32_MAX),
            energy_wh=word >> 128 & UINT32_MAX,
            contracted_gpu_seconds=word >> 96 & UINT32_MAX,
            available_gpu_seconds=word >> 64 & UINT32_MAX,
            busy_gpu_seconds=word >> 32 & UINT32_MAX,
            billable_gpu_seconds=word & UINT32_MAX,
        )


class Measured(NamedTuple):
    """Exact sums over a window.

    Adding up those of adjoining windows is meaningful; flooring comes last.
    """

    contracted_ms: int
    """GPU-milliseconds in service."""
    available_ms: int
    """GPU-milliseconds covered by a healthy sample."""
    busy_bps_ms: int
    """GPU-milliseconds × basis points busy."""
    billable_bps_ms: int
    """GPU-milliseconds × basis points that worked for customers."""
    energy_mj: int
    """Millijoules, not capped."""


def measure_gpu(gpu: GpuRecord, samples: Iterable[Sample], start_ms: int, end_ms: int) -> Measured:
    """The sums of one GPU in [start_ms, end_ms), from its samples in ascending order of time.

    1. The service window w is [fromMs, untilMs) ∩ [start, end); its length is contracted time.
    2. A sample holds until the next one if that comes within 1.5 of the agreed interval (a late
       sample is jitter), else for one interval (a missing sample is downtime). The last one holds
       for one interval. Samples at or after `end_ms` are not looked at: the figures of a closed
       epoch do not change with what comes later.
    3. What a sample covers of w is available, unless its XID takes the GPU out of work; only
       available time is busy.
    4. Energy is counted with the later sample of a pair, where that lies in [start, end), and only
       for pairs within service [fromMs, untilMs]. A GPU's first sample adds none; nor does one
       whose predecessor is so old that the caller no longer gave it.
    """
    from_ms, until_ms, interval = gpu.from_ms, gpu.until_ms, gpu.sample_interval_ms
    first = max(from_ms, start_ms)
    last = min(until_ms, end_ms)
    available = busy = billable = energy = 0
    held: Sample | None = None
    for sample in samples:
        at = sample.at_ms
        if at >= end_ms:
            break
        if held is not None:
            held_at = held.at_ms
            gap = at - held_at
            covered = min(held_at + (gap if 2 * gap <= 3 * interval else interval), last) - max(
                held_at, first
            )
            if covered > 0 and held.xid not in DRAINING_XIDS:
                available += covered
                busy += covered * held.busy_bps
                billable += covered * held.billable_bps
            if at >= start_ms and held_at >= from_ms and at <= until_ms:
                counter = sample.energy_mj
                energy += counter - held.energy_mj if counter >= held.energy_mj else counter
        held = sample
    if held is not None and held.xid not in DRAINING_XIDS:
        covered = min(held.at_ms + interval, last) - max(held.at_ms, first)
        if covered > 0:
            available += covered
            busy += covered * held.busy_bps
            billable += covered * held.billable_bps
    return Measured(max(last - first, 0), available, busy, billable, energy)


def measure(gpus: GpuSet, samples: Iterable[Sample], start_ms: int, end_ms: int) -> Measured:
    """The sums of all GPUs of a cluster in [start_ms, end_ms).

    `samples` are those with at in [start − LOOKBACK, end), ascending by (gpu, at) and without
    duplicates, as `canonical_samples` gives them. Samples of GPUs that are not in the set count for
    nothing.
    """
    contracted = available = busy = billable = energy = 0
    by_gpu = _grouped(samples)
    given, of_given = next(by_gpu, (None, iter(())))
    for gpu in gpus:
        while given is not None and given < gpu.gpu_id:
            given, of_given = next(by_gpu, (None, iter(())))
        one = measure_gpu(gpu, of_given if given == gpu.gpu_id else (), start_ms, end_ms)
        contracted += one.contracted_ms
        available += one.available_ms
        busy += one.busy_bps_ms
        billable += one.billable_bps_ms
        energy += one.energy_mj
    return Measured(contracted, available, busy, billable, energy)


def _grouped(samples: Iterable[Sample]) -> Iterator[tuple[bytes, Iterator[Sample]]]:
    return iter(groupby(samples, key=itemgetter(0)))


def epoch_figures(
    gpus: GpuSet, epoch: Epoch, samples: Iterable[Sample], max_watts: int
) -> ClusterFigures:
    """The figures that reporters sign for `epoch`.

    Args:
        gpus: The registered GPUs.
        epoch: The hour measured.
        samples: As `measure` takes them.
        max_watts: Most that one GPU can draw, from the cluster's specification. Energy is capped at
            contracted time × max_watts (1 W × 1 ms = 1 mJ): no counter, broken or invented, costs
            more than the hardware can draw.

    Raises:
        OutOfRange: A figure does not fit into 32 bits (more than 1,193,046 GPUs).
    """
    start_ms, end_ms = epoch_window_ms(epoch)
    return floor_figures(gpus.cluster_id, measure(gpus, samples, start_ms, end_ms), max_watts)


def floor_figures(cluster_id: ClusterId, measured: Measured, max_watts: int) -> ClusterFigures:
    """The sums as whole GPU-seconds and watt-hours, rounded down.

    Rounding down keeps their order.
    """
    energy_mj = min(measured.energy_mj, measured.contracted_ms * max_watts)
    return ClusterFigures(
        cluster_id=cluster_id,
        energy_wh=energy_mj // MJ_PER_WH,
        contracted_gpu_seconds=measured.contracted_ms // 1_000,
        available_gpu_seconds=measured.available_ms // 1_000,
        busy_gpu_seconds=measured.busy_bps_ms // (1_000 * BPS),
        billable_gpu_seconds=measured.billable_bps_ms // (1_000 * BPS),
    )
