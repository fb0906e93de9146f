"""A trace of everything that a file may be, and what it must come to, counted second by second.

The count here shares nothing with the project but the words of its rules: it asks of every second
of every container whether a sample holds then. Times are whole seconds from the file's first.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

HOUR = 3_600
SIGHT = 300
START = 1_234_567_890


@dataclass(frozen=True)
class Container:
    """One container: its sampling interval, and per cent busy (hundredths) by second."""

    name: str
    interval: int
    samples: dict[int, int]


def containers() -> list[Container]:
    """Five of them, other than one another in every way that is allowed."""
    dice = random.Random(7)

    def series(first: int, last: int, step: int, *, silent: range = range(0)) -> dict[int, int]:
        times = [at for at in range(first, last + 1, step) if at not in silent]
        return {at: dice.randrange(0, 10_001) for at in times}

    jittered = {
        at + (dice.randrange(0, 9) if 0 < at < 10_000 else 0): dice.randrange(10_001)
        for at in range(0, 10_001, 50)
    }
    return [
        Container("GPU-2c7d6b1e-77f0-4c4e-9f0e-6a1b8e2f0001", 60, series(0, 10_500, 60)),
        Container("узел-3/карта-0", 30, series(1_800, 9_000, 30)),
        # Silent for ten minutes over the end of the first hour, and for a minute and a half later.
        Container("10.0.0.7", 60, series(0, 10_440, 60, silent=range(3_400, 4_000))),
        Container("jitters", 50, jittered),
        Container("late, and away early", 120, series(4_000, 8_080, 120)),
    ]


def write(path: Path) -> Path:
    """The file: columns in another order and one more, rows shuffled, some repeated, CRLF, quotes,
    and one container with a single sample."""
    rows = [
        f'"{one.name}",{START + at}.0,node,{value / 100:.2f}'
        for one in containers()
        for at, value in one.samples.items()
    ]
    rows += rows[::97]
    rows.append(f"seen once,{START + 5_000}.0,node,50.0")
    random.Random(11).shuffle(rows)
    header = "container_ip,timestamp_anon,note,value"
    path.write_text("\r\n".join([header, *rows, ""]), encoding="utf-8", newline="")
    return path


@dataclass(frozen=True)
class Hour:
    """What one hour comes to, whole GPU-seconds and watt-hours."""

    contracted: int
    available: int
    busy: int
    energy_wh: int


def hours(idle_watts: int, max_watts: int) -> Iterator[Hour]:
    """Every hour of the file."""
    every = containers()
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
    before = [at for at in seen if at <= second]
    if not before:
        return None
    at = before[-1]
    after = [later for later in seen if later > second]
    gap = after[0] - at if after else None
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
