"""What a trace must come to, counted second by second.

The count shares nothing with the project but the words of its rules: it asks of every second of
every container whether a sample holds then. Times are whole seconds from the trace's first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

HOUR = 3_600
SIGHT = 300


@dataclass(frozen=True)
class Container:
    """One container: its sampling interval, and per cent busy (hundredths) by second."""

    name: str
    interval: int
    samples: dict[int, int]


@dataclass(frozen=True)
class Hour:
    """What one hour comes to, whole GPU-seconds and watt-hours."""

    contracted: int
    available: int
    busy: int
    energy_wh: int


def hours(every: Sequence[Container], idle_watts: int, max_watts: int) -> Iterator[Hour]:
    """Every hour of a trace of these containers."""
    length = max(max(one.samples) for one in every)
    for start in range(0, length, HOUR):
        contracted = available = busy = energy_mj = 0
        for one in every:
            begins, ends = min(one.samples), max(one.samples)
            seen = sorted(at for at in one.samples if start - SIGHT <= at < start + HOUR)
            for second in range(start, start + HOUR):
                if not begins <= second < ends:
                    continue
                contracted += 1
                held = _holding(one, seen, second)
                if held is not None:
                    available += 1
                    busy += one.samples[held]
            energy_mj += _energy_mj(one, seen, start, idle_watts, max_watts)
        yield Hour(contracted, available, busy // 10_000, energy_mj // 3_600_000)


def _holding(one: Container, seen: list[int], second: int) -> int | None:
    later = bisect_right(seen, second)
    if later == 0:
        return None
    at = seen[later - 1]
    gap = seen[later] - at if later < len(seen) else None
    holds = gap if gap is not None and 2 * gap <= 3 * one.interval else one.interval
    return at if second < at + holds else None


def _energy_mj(one: Container, seen: list[int], start: int, idle_watts: int, max_watts: int) -> int:
    """Differences of the counter between samples that the hour sees, the later one in the hour."""
    counters: dict[int, int] = {}
    scaled, times = 0, sorted(one.samples)
    for at, following in zip(times, [*times[1:], None], strict=True):
        counters[at] = scaled // 10_000
        gap = None if following is None else following - at
        held = gap if gap is not None and 2 * gap <= 3 * one.interval else one.interval
        watts = idle_watts * 10_000 + (max_watts - idle_watts) * one.samples[at]
        scaled += held * 1_000 * watts
    return sum(counters[later] - counters[at] for at, later in pairwise(seen) if later >= start)
