"""Live GPUs as a source: a meter is read every few seconds, a sample is made every interval.

A meter's utilisation covers a second or less, so that one reading an interval would say little: the
sample's is the mean of the interval's readings. A GPU that gives no reading gets no sample, and its
silence counts as downtime; nothing is made up for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from api.agent.sources.source import Collected
from api.domain.codec import gpu_id_of
from api.domain.samples import Sample, checked_sample
from api.errors import SourceUnavailable
from api.types import BPS, DRAINING_XIDS, UINT64_MAX, EnergySource


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter shows of one GPU.

    Attributes:
        uuid: The GPU's, as registered.
        busy_bps: Busy share in basis points.
        energy_mj: Cumulative counter in millijoules; None where the GPU has none.
        power_mw: Present draw in milliwatts; None where the GPU does not say.
        xid: Of its last error; 0 for none or where it cannot be seen.
    """

    uuid: str
    busy_bps: int
    energy_mj: int | None
    power_mw: int | None
    xid: int


@dataclass(frozen=True, slots=True)
class Readings:
    """One look at all GPUs; `missing` says in words why others gave nothing."""

    gpus: tuple[Reading, ...]
    missing: tuple[str, ...] = ()


class Meter(Protocol):
    """Reads all GPUs of a node."""

    poll_ms: int
    """How often a reading says something new."""

    async def read(self) -> Readings:
        """Raises SourceUnavailable if no GPU can be read; it may pass."""

    async def close(self) -> None: ...


class _GpuState:
    """What has to be remembered of one GPU between readings."""

    __slots__ = (
        "_counter_mj",
        "_integrated_half_uj",
        "_is_integrated",
        "_power",
        "busy_sum",
        "readings",
        "xid",
    )

    def __init__(self, reading: Reading) -> None:
        self.busy_sum = 0
        self.readings = 0
        self.xid = 0
        # The first reading decides: a counter and an integral cannot continue one another.
        self._is_integrated = reading.energy_mj is None
        self._counter_mj = 0
        self._integrated_half_uj = 0
        self._power: tuple[int, int] | None = None

    def take(self, reading: Reading, now_ms: int, longest_gap_ms: int) -> None:
        self.busy_sum += reading.busy_bps
        self.readings += 1
        # One draining error in the interval outweighs any later one of another kind.
        if self.xid not in DRAINING_XIDS and reading.xid:
            self.xid = reading.xid
        if self._is_integrated:
            self._integrate(reading.power_mw, now_ms, longest_gap_ms)
        elif reading.energy_mj is not None:
            self._counter_mj = reading.energy_mj

    def _integrate(self, power_mw: int | None, now_ms: int, longest_gap_ms: int) -> None:
        if power_mw is None:
            self._power = None
            return
        if self._power is not None:
            before_ms, before_mw = self._power
            # Trapezoids; mW × ms = µJ. What was drawn while nobody looked is not claimed.
            if now_ms - before_ms <= longest_gap_ms:
                self._integrated_half_uj += (before_mw + power_mw) * (now_ms - before_ms)
        self._power = (now_ms, power_mw)

    @property
    def energy_mj(self) -> int:
        return self._integrated_half_uj // 2_000 if self._is_integrated else self._counter_mj

    def next_interval(self) -> None:
        self.busy_sum = self.readings = self.xid = 0


class LiveSource:
    """Samples of a meter's GPUs, one a GPU at each multiple of the interval."""

    def __init__(
        self,
        meter: Meter,
        interval_ms: int,
        *,
        after_ms: int | None = None,
        is_billable: bool = False,
        only: frozenset[str] = frozenset(),
    ) -> None:
        """
        Args:
            meter: What to read.
            interval_ms: The registered sampling interval.
            after_ms: Nothing is sampled up to this instant: it has been declared complete.
            is_billable: Whether busy time counts as billable.
            only: UUIDs of the GPUs to speak for, those registered to this agent; empty for all.
        """
        self._meter = meter
        self._interval_ms = interval_ms
        self._poll_ms = min(meter.poll_ms, interval_ms)
        self._is_billable = is_billable
        self._only = only
        self._through_ms = -1 if after_ms is None else after_ms
        self._interval: int | None = None
        self._read_at_ms: int | None = None
        self._gpus: dict[str, _GpuState] = {}

    @property
    def energy_source(self) -> EnergySource:
        return EnergySource.METERED

    async def collect(self, now_ms: int) -> Collected | None:
        if now_ms <= self._through_ms:
            return None  # the machine's clock was set back: wait until it has caught up
        interval = now_ms // self._interval_ms
        if self._interval is None:
            self._interval = interval
        is_due = interval > self._interval
        read_at_ms = self._read_at_ms
        if not is_due and read_at_ms is not None and 0 <= now_ms - read_at_ms < self._poll_ms:
            return None
        self._read_at_ms = now_ms
        seen, missing = await self._read(now_ms)
        if not is_due:
            return None
        self._interval = interval
        self._through_ms = now_ms
        samples = [self._sample(uuid, now_ms) for uuid in sorted(seen)]
        for state in self._gpus.values():
            state.next_interval()
        return Collected(samples, now_ms, missing)

    async def close(self) -> None:
        await self._meter.close()

    async def _read(self, now_ms: int) -> tuple[set[str], tuple[str, ...]]:
        """Take a reading of all GPUs; which gave one, and why others did not."""
        readings = await self._meter.read()
        seen: set[str] = set()
        for reading in readings.gpus:
            if self._only and reading.uuid not in self._only:
                continue
            seen.add(reading.uuid)
            state = self._gpus.get(reading.uuid)
            if state is None:
                state = self._gpus[reading.uuid] = _GpuState(reading)
            state.take(reading, now_ms, 3 * self._poll_ms)
        if not seen:
            raise SourceUnavailable(
                "; ".join(readings.missing) or "none of this agent's GPUs can be read"
            )
        gone = sorted((self._only or self._gpus.keys()) - seen)
        return seen, (*readings.missing, *(f"GPU {uuid} gave no reading" for uuid in gone))

    def _sample(self, uuid: str, now_ms: int) -> Sample:
        state = self._gpus[uuid]
        busy = min(state.busy_sum // state.readings, BPS)
        return checked_sample(
            Sample(
                gpu_id_of(uuid),
                now_ms,
                busy,
                busy if self._is_billable else 0,
                state.energy_mj & UINT64_MAX,
                state.xid,
            )
        )
