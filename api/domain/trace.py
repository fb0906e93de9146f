"""Recorded traces of GPU utilisation: `value` (busy, percent), `timestamp_anon` (seconds) and
`container_ip` (the GPU's identity), in any order of rows and columns.

How a trace becomes telemetry:

1. A row is refused, with its number and the rule it breaks, if a field is missing, not a finite
   number or out of range, or if it contradicts another row of the same container and instant.
   Exact repetitions are dropped and counted.
2. A container is in service from its first to its last sample. One with a single sample never was:
   it is left out, and named.
3. The sampling interval is the most common gap: a container's own where more than half of at least
   MIN_OWN_GAPS gaps agree on it, else the file's. It is clamped below at 1 s, the shortest interval
   that can be registered. Longer than 300 s, the longest, each sample is held and given in equal
   pieces.
4. Energy, which such a trace does not have, is modelled: linear between idle and peak power, for
   the time that a sample covers (`api.domain.figures` has the rule), as a cumulative counter.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from operator import sub

from api.domain.codec import gpu_id_of
from api.domain.table import rows_of, shown
from api.errors import TraceRefused
from api.types import BPS, MAX_SAMPLE_INTERVAL_MS, MIN_SAMPLE_INTERVAL_MS, GpuId

COLUMNS = ("value", "timestamp_anon", "container_ip")

MAX_TIMESTAMP = 32_503_680_000
"""The year 3000 in Unix seconds; more is most likely milliseconds."""

MAX_IDENTITY_CHARS = 256

MIN_OWN_GAPS = 10

MAX_INTERVAL_MS = 86_400_000
"""A day: what is sampled more rarely says nothing about an hour."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?\Z")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)\Z", re.IGNORECASE)
_CACHED_NUMBERS = 100_000


@dataclass(frozen=True, slots=True)
class TraceSeries:
    """One container's samples, ascending in time.

    Attributes:
        at_ms: When, in the trace's own time (milliseconds).
        busy_bps: How busy, in basis points, rounded to the nearest.
        interval_ms: Its sampling interval, 1,000 to 300,000.
    """

    identity: str
    at_ms: array[int]
    busy_bps: array[int]
    interval_ms: int
    gpu_id: GpuId = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gpu_id", gpu_id_of(self.identity))

    @property
    def from_ms(self) -> int:
        return self.at_ms[0]

    @property
    def until_ms(self) -> int:
        """The last sample: it ends the service, and covers nothing."""
        return self.at_ms[-1]

    def cover_ms(self, index: int) -> int:
        """How long sample `index` holds.

        To the next if that is no more than 1.5 intervals away, else one interval.
        """
        if index + 1 < len(self.at_ms):
            gap = self.at_ms[index + 1] - self.at_ms[index]
            if 2 * gap <= 3 * self.interval_ms:
                return gap
        return self.interval_ms


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace that was read.

    Attributes:
        name: What to call it: the file's name, or `self-made`.
        series: Ascending by identity; at least one.
        rows: Data rows read.
        repeated_rows: Exact repetitions among them, dropped.
        left_out: Identities with a single sample.
        interval_ms: The most common gap of the whole file.
    """

    name: str
    series: tuple[TraceSeries, ...]
    rows: int
    repeated_rows: int
    left_out: tuple[str, ...]
    interval_ms: int

    @property
    def start_ms(self) -> int:
        """The first sample of any container, in the trace's own time."""
        return min(one.from_ms for one in self.series)

    @property
    def end_ms(self) -> int:
        """The last sample of any container."""
        return max(one.until_ms for one in self.series)

    @property
    def samples(self) -> int:
        return sum(len(one.at_ms) for one in self.series)

    def part(self, number: int, parts: int) -> tuple[TraceSeries, ...]:
        """What agent `number` of `parts` speaks for: every parts-th container, from number on."""
        return self.series[number::parts]


class _Column:
    """Turns the spellings of one column into integers, each spelling once."""

    def __init__(self, name: str, scale: int, minimum: int, maximum: int) -> None:
        self._name = name
        self._scale = scale
        self._minimum = minimum
        self._maximum = maximum
        self._known: dict[str, int] = {}

    def parse(self, text: str, row: int) -> int:
        known = self._known.get(text)
        if known is not None:
            return known
        spelled = text.strip()
        if _NUMBER.match(spelled) is None:
            rule = "is not finite" if _NOT_FINITE.match(spelled) else "is not a number"
            raise TraceRefused(f"{self._name} {shown(text)} {rule}", row=row, value=text)
        exact = Decimal(spelled)
        if not self._minimum <= exact <= self._maximum:
            raise TraceRefused(
                f"{self._name} {shown(text)} is outside {self._minimum} to {self._maximum}",
                row=row,
                value=text,
                limit=[self._minimum, self._maximum],
            )
        number = int((exact * self._scale).to_integral_value())
        if len(self._known) >= _CACHED_NUMBERS:
            self._known.clear()
        self._known[text] = number
        return number


class _Rows:
    """One container's rows as they come."""

    __slots__ = ("at_ms", "busy_bps", "is_ordered", "rows")

    def __init__(self) -> None:
        self.at_ms = array("q")
        self.busy_bps = array("H")
        self.rows = array("q")
        self.is_ordered = True


def read_trace(lines: Iterable[str], name: str) -> Trace:
    """The trace in the lines of a CSV file, its header first.

    Raises:
        TraceRefused: With the row (lines count from 1, header included) and the rule.
    """
    by_identity: dict[str, _Rows] = {}
    rows = 0
    for row, at_ms, busy_bps, identity in _parsed(lines):
        known = by_identity.get(identity)
        if known is None:
            _check_identity(identity, row)
            known = by_identity[identity] = _Rows()
        elif at_ms <= known.at_ms[-1]:
            known.is_ordered = False
        known.at_ms.append(at_ms)
        known.busy_bps.append(busy_bps)
        known.rows.append(row)
        rows += 1
    if not rows:
        raise TraceRefused("there is no row of data", row=2)
    repeated = sum(
        _put_in_order(identity, one) for identity, one in by_identity.items() if not one.is_ordered
    )
    left_out = tuple(sorted(name for name, one in by_identity.items() if len(one.at_ms) == 1))
    for identity in left_out:
        del by_identity[identity]
    if not by_identity:
        raise TraceRefused(
            f"none of {len(left_out)} containers has two samples: no time in service to measure",
            value=len(left_out),
            limit=2,
        )
    interval = _common_gap(one.at_ms for one in by_identity.values())[0]
    if interval > MAX_INTERVAL_MS:
        raise TraceRefused(
            f"the most common gap is {interval} ms, at most {MAX_INTERVAL_MS} can be measured",
            value=interval,
            limit=MAX_INTERVAL_MS,
        )
    return Trace(
        name=name,
        series=tuple(
            _series(identity, one, interval) for identity, one in sorted(by_identity.items())
        ),
        rows=rows,
        repeated_rows=repeated,
        left_out=left_out,
        interval_ms=interval,
    )


def _parsed(lines: Iterable[str]) -> Iterator[tuple[int, int, int, str]]:
    """(row, at in ms, busy in bps, identity) of each data row."""
    value = _Column("value", BPS // 100, 0, 100)
    timestamp = _Column("timestamp_anon", 1_000, 0, MAX_TIMESTAMP)
    for row, (busy, at, identity) in rows_of(lines, COLUMNS):
        yield row, timestamp.parse(at, row), value.parse(busy, row), identity.strip()


def _check_identity(identity: str, row: int) -> None:
    if not 0 < len(identity) <= MAX_IDENTITY_CHARS:
        raise TraceRefused(
            f"container_ip has {len(identity)} characters, allowed are 1 to {MAX_IDENTITY_CHARS}",
            row=row,
            value=shown(identity),
            limit=MAX_IDENTITY_CHARS,
        )
    if not identity.isprintable():
        raise TraceRefused(
            f"container_ip {shown(identity)} has characters that cannot be printed",
            row=row,
            value=shown(identity),
        )


def _put_in_order(identity: str, one: _Rows) -> int:
    """Sort a container's rows by time and drop exact repetitions; how many there were."""
    order = sorted(range(len(one.at_ms)), key=one.at_ms.__getitem__)
    kept: list[int] = []
    for index in order:
        if kept and one.at_ms[kept[-1]] == one.at_ms[index]:
            first = kept[-1]
            if one.busy_bps[first] != one.busy_bps[index]:
                raise TraceRefused(
                    f"contradicts row {one.rows[first]}: container {identity} at"
                    f" {one.at_ms[index]} ms is {one.busy_bps[first]} and {one.busy_bps[index]}"
                    " basis points busy",
                    row=one.rows[index],
                    value=one.busy_bps[index],
                    limit=one.busy_bps[first],
                )
        else:
            kept.append(index)
    repeated = len(order) - len(kept)
    one.at_ms = array("q", map(one.at_ms.__getitem__, kept))
    one.busy_bps = array("H", map(one.busy_bps.__getitem__, kept))
    return repeated


def _common_gap(times: Iterable[array[int]]) -> tuple[int, int, int]:
    """The most common gap in ms, how many gaps are like it, and how many there are.

    Gaps are alike if they round to the same second, so that jitter does not scatter them; the
    median of the largest group counts, of equal groups the one with the smaller gaps.
    """
    gaps: Counter[int] = Counter()
    for at_ms in times:
        gaps.update(map(sub, at_ms[1:], at_ms[:-1]))
    by_second: dict[int, list[int]] = {}
    for gap in gaps:
        by_second.setdefault((gap + 500) // 1_000, []).append(gap)
    sizes = {second: sum(gaps[gap] for gap in alike) for second, alike in by_second.items()}
    second = min(sizes, key=lambda second: (-sizes[second], second))
    passed = 0
    for gap in sorted(by_second[second]):
        passed += gaps[gap]
        if 2 * passed >= sizes[second]:
            return gap, sizes[second], gaps.total()
    raise AssertionError("the median lies within its group")


def _series(identity: str, one: _Rows, file_interval: int) -> TraceSeries:
    gap, alike, gaps = _common_gap([one.at_ms])
    is_own = gaps >= MIN_OWN_GAPS and 2 * alike > gaps and gap <= MAX_INTERVAL_MS
    interval = max(gap if is_own else file_interval, MIN_SAMPLE_INTERVAL_MS)
    series = TraceSeries(identity, one.at_ms, one.busy_bps, min(interval, MAX_SAMPLE_INTERVAL_MS))
    return series if interval <= MAX_SAMPLE_INTERVAL_MS else _held(series, interval)


def _held(series: TraceSeries, interval: int) -> TraceSeries:
    """The series with each sample repeated over the time it covers, until its interval fits."""
    pieces = -(-interval // MAX_SAMPLE_INTERVAL_MS)
    at_ms, busy_bps = array("q"), array("H")
    for (at, following), busy in zip(pairwise(series.at_ms), series.busy_bps, strict=False):
        gap = following - at
        covered = gap if 2 * gap <= 3 * interval else interval
        at_ms.extend(at + covered * piece // pieces for piece in range(pieces))
        busy_bps.extend([busy] * pieces)
    at_ms.append(series.at_ms[-1])
    busy_bps.append(series.busy_bps[-1])
    return TraceSeries(series.identity, at_ms, busy_bps, -(-interval // pieces))
