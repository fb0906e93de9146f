"""A recorded trace as a live cluster's telemetry: shifted in time, split among agents, repeated."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.samples import Sample
from api.domain.trace import Trace, TraceSeries
from api.errors import InvalidInput
from api.types import BPS, STILL_IN_SERVICE_MS, Address, ClusterId


@dataclass(frozen=True, slots=True)
class PowerModel:
    """What a GPU draws: `idle_watts` at 0 % busy, `peak_watts` at 100 %, linear between.

    A model, not a measurement: measured power depends on the kernels, and is nowhere in a trace of
    duty cycles. What is computed from it is labelled as modelled wherever it goes.
    """

    idle_watts: int
    peak_watts: int

    def scaled_mj(self, busy_bps: int, for_ms: int) -> int:
        """Energy in millijoules × 10,000, exact: 1 W for 1 ms is 1 mJ."""
        return for_ms * (self.idle_watts * BPS + (self.peak_watts - self.idle_watts) * busy_bps)


class _Playback:
    """One series on the clock of the replay."""

    __slots__ = ("_at_ms", "_busy_bps", "_energy_mj", "_gpu", "_period_mj", "_period_ms")

    def __init__(
        self, series: TraceSeries, shift_ms: int, power: PowerModel, is_repeated: bool
    ) -> None:
        self._gpu = series.gpu_id
        self._at_ms = array("q", (at + shift_ms for at in series.at_ms))
        self._busy_bps = series.busy_bps
        self._energy_mj = array("Q")
        scaled = 0
        for index, busy in enumerate(series.busy_bps):
            self._energy_mj.append(scaled // BPS)
            scaled += power.scaled_mj(busy, series.cover_ms(index))
        # Repeated, the last sample is followed by the first after one more interval.
        self._period_mj = scaled // BPS
        self._period_ms = (
            series.until_ms - series.from_ms + series.interval_ms if is_repeated else 0
        )

    def next_after(self, after_ms: int) -> int | None:
        """When its first sample with at > after is; None if there is none."""
        turn = max(after_ms - self._at_ms[0], 0) // self._period_ms if self._period_ms else 0
        index = bisect_right(self._at_ms, after_ms - turn * self._period_ms)
        if index < len(self._at_ms):
            return self._at_ms[index] + turn * self._period_ms
        return self._at_ms[0] + (turn + 1) * self._period_ms if self._period_ms else None

    def between(self, after_ms: int, until_ms: int, is_billable: bool) -> Iterator[Sample]:
        """Its samples with after < at ≤ until."""
        start = self._at_ms[0]
        if until_ms < start:
            return
        turns = range(1)
        if self._period_ms:
            first_turn = max(after_ms - start, 0) // self._period_ms
            turns = range(first_turn, (until_ms - start) // self._period_ms + 1)
        for turn in turns:
            passed_ms, passed_mj = turn * self._period_ms, turn * self._period_mj
            first = bisect_right(self._at_ms, after_ms - passed_ms)
            last = bisect_right(self._at_ms, until_ms - passed_ms)
            for index in range(first, last):
                busy = self._busy_bps[index]
                yield Sample(
                    self._gpu,
                    self._at_ms[index] + passed_ms,
                    busy,
                    busy if is_billable else 0,
                    self._energy_mj[index] + passed_mj,
                    0,
                )


class Replay:
    """The samples of one agent's part of a trace, on the replay's clock.

    The same arguments give the same samples, counters included: an agent that starts again goes on
    where it stopped, and sends nothing that contradicts what it sent before.
    """

    def __init__(
        self,
        trace: Trace,
        power: PowerModel,
        *,
        part: int = 0,
        parts: int = 1,
        anchor_ms: int | None = None,
        is_repeated: bool = False,
        is_billable: bool = True,
    ) -> None:
        """
        Args:
            trace: What was recorded.
            power: Energy is modelled with it.
            part, parts: The containers of this agent, as `Trace.part` splits them.
            anchor_ms: Where the trace's first sample falls, Unix milliseconds; None leaves the
                recorded times.
            is_repeated: Each container begins at the anchor and repeats its series without end.
            is_billable: Busy time counts as billable: the containers of a serving cluster work for
                its customers.

        Raises:
            InvalidInput: No container falls to this agent.
        """
        series = trace.part(part, parts)
        if not series:
            raise InvalidInput(
                f"{trace.name} has {len(trace.series)} containers, none for agent {part} of"
                f" {parts}",
                value=part,
                limit=len(trace.series),
            )
        self.series = series
        self.start_ms = trace.start_ms if anchor_ms is None else anchor_ms
        self._is_billable = is_billable
        self._playbacks = [
            _Playback(
                one,
                self.start_ms - (one.from_ms if is_repeated else trace.start_ms),
                power,
                is_repeated,
            )
            for one in series
        ]

    def next_after(self, after_ms: int) -> int | None:
        """When the first sample with at > after is; None if there is none."""
        following = (playback.next_after(after_ms) for playback in self._playbacks)
        return min((at for at in following if at is not None), default=None)

    def between(self, after_ms: int, until_ms: int) -> list[Sample]:
        """All samples with after < at ≤ until, ascending by (at, gpu)."""
        found = [
            sample
            for playback in self._playbacks
            for sample in playback.between(after_ms, until_ms, self._is_billable)
        ]
        found.sort(key=itemgetter(1, 0))
        return found


def gpu_set_of_trace(
    cluster_id: ClusterId,
    trace: Trace,
    agents: Sequence[Address],
    *,
    anchor_ms: int | None = None,
    is_repeated: bool = False,
) -> GpuSet:
    """The GPUs to register for a replay of `trace` by these agents, in their order of `part`.

    A container is in service from its first to its last sample; in a repeated replay from the
    anchor on, without end.

    Raises:
        InvalidInput: No agents, or more of them than containers.
    """
    if not 1 <= len(agents) <= len(trace.series):
        raise InvalidInput(
            f"{len(agents)} agents for {len(trace.series)} containers",
            value=len(agents),
            limit=len(trace.series),
        )
    start_ms = trace.start_ms if anchor_ms is None else anchor_ms
    shift_ms = start_ms - trace.start_ms
    return GpuSet(
        cluster_id,
        (
            GpuRecord(
                uuid=one.identity,
                agent=agents[index % len(agents)],
                from_ms=start_ms if is_repeated else one.from_ms + shift_ms,
                until_ms=STILL_IN_SERVICE_MS if is_repeated else one.until_ms + shift_ms,
                sample_interval_ms=one.interval_ms,
            )
            for index, one in enumerate(trace.series)
        ),
    )
