"""What reporters must report of a trace, computed from the trace alone.

A second opinion for the demo: nothing here knows of samples, batches, agents or reporters, and none
of `api`'s measuring is used, so that an error there is seen. The rules are those of
`api/domain/figures.py`, in words:

- A container is in service from its first to its last sample.
- A sample holds until the next one if that comes within 1.5 sampling intervals, else for one
  interval; the last one that an epoch can see holds for one interval. An epoch sees its own samples
  and those of the 300 seconds before.
- Energy is modelled, linear between idle and peak power, as a counter of whole millijoules; an
  epoch has the counter's differences between samples that it can see, the later of each pair being
  its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.domain.trace import Trace, TraceSeries

HOUR_MS = 3_600_000
_SIGHT_MS = 300_000
_BPS = 10_000
_MJ_A_WH = 3_600_000


@dataclass(frozen=True)
class EpochFigures:
    """Whole GPU-seconds and watt-hours of one epoch."""

    energy_wh: int
    contracted: int
    available: int
    busy: int
    billable: int


@dataclass
class _Sums:
    contracted_ms: int = 0
    available_ms: int = 0
    busy_bps_ms: int = 0
    energy_mj: int = 0


def last_epoch(trace: Trace, first_epoch: int) -> int:
    """The epoch in which a trace ends that begins with the start of `first_epoch`."""
    length_ms = trace.end_ms - trace.start_ms
    return first_epoch + max(length_ms - 1, 0) // HOUR_MS


def expected_figures(
    trace: Trace, first_epoch: int, epochs: int, idle_watts: int, max_watts: int
) -> dict[int, EpochFigures]:
    """The figures of each of `epochs` epochs, the trace beginning with the start of the first one.

    All busy time is billable: the containers of a serving cluster work for customers.
    """
    sums = [_Sums() for _ in range(epochs)]
    for series in trace.series:
        times = [at - trace.start_ms for at in series.at_ms]
        _add_time(sums, series, times)
        _add_energy(sums, series, times, idle_watts, max_watts)
    return {
        first_epoch + number: EpochFigures(
            energy_wh=min(one.energy_mj, one.contracted_ms * max_watts) // _MJ_A_WH,
            contracted=one.contracted_ms // 1_000,
            available=one.available_ms // 1_000,
            busy=one.busy_bps_ms // (1_000 * _BPS),
            billable=one.busy_bps_ms // (1_000 * _BPS),
        )
        for number, one in enumerate(sums)
    }


def _held_ms(gap: int | None, interval: int) -> int:
    return gap if gap is not None and 2 * gap <= 3 * interval else interval


def _add_time(sums: Sequence[_Sums], series: TraceSeries, times: Sequence[int]) -> None:
    begins, ends = times[0], times[-1]
    for number, one in enumerate(sums):
        start = number * HOUR_MS
        one.contracted_ms += max(0, min(ends, start + HOUR_MS) - max(begins, start))
    for index, at in enumerate(times):
        following = times[index + 1] if index + 1 < len(times) else None
        own = at // HOUR_MS
        for number in (own, own + 1):
            start, end = number * HOUR_MS, (number + 1) * HOUR_MS
            if number >= len(sums) or at < start - _SIGHT_MS:
                continue
            visible = following is not None and following < end
            gap = following - at if visible and following is not None else None
            until = min(at + _held_ms(gap, series.interval_ms), ends, end)
            covered = until - max(at, start)
            if covered > 0:
                sums[number].available_ms += covered
                sums[number].busy_bps_ms += covered * series.busy_bps[index]


def _add_energy(
    sums: Sequence[_Sums],
    series: TraceSeries,
    times: Sequence[int],
    idle_watts: int,
    max_watts: int,
) -> None:
    scaled = before = 0
    for index in range(1, len(times)):
        earlier, at = times[index - 1], times[index]
        watts_bps = idle_watts * _BPS + (max_watts - idle_watts) * series.busy_bps[index - 1]
        scaled += _held_ms(at - earlier, series.interval_ms) * watts_bps
        counter = scaled // _BPS
        number = at // HOUR_MS
        if number < len(sums) and earlier >= number * HOUR_MS - _SIGHT_MS:
            sums[number].energy_mj += counter - before
        before = counter
