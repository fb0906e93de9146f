"""Recorded traces of requests to a language model: `TIMESTAMP` (UTC), `ContextTokens` and
`GeneratedTokens`, in any order of rows and columns.

A row is refused, with its number and the rule that it breaks, if a field is missing, no date or no
whole number, or out of range. Two requests may come at one instant; they keep the file's order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from api.domain.table import rows_of, shown
from api.errors import TraceRefused

COLUMNS: Final = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")

MAX_TOKENS: Final = 1_000_000
"""In a request or its answer; more is no model's."""

MAX_SPAN_US: Final = 31 * 86_400 * 1_000_000
"""A month from the first request to the last."""

_INSTANT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z?\Z"
)
_COUNT: Final = re.compile(r"[0-9]{1,10}\Z")
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """One request.

    Attributes:
        at_us: Microseconds after the trace's first, rounded down.
        context_tokens: Of its prompt, at least 1.
        generated_tokens: Of its answer, at least 1.
    """

    at_us: int
    context_tokens: int
    generated_tokens: int


@dataclass(frozen=True, slots=True)
class LlmTrace:
    """Requests as they came, at least one; `name` is the file's, or `self-made`."""

    name: str
    requests: tuple[LlmRequest, ...]

    @property
    def span_us(self) -> int:
        """From the first request to the last."""
        return self.requests[-1].at_us

    @property
    def context_tokens(self) -> int:
        return sum(request.context_tokens for request in self.requests)

    @property
    def generated_tokens(self) -> int:
        return sum(request.generated_tokens for request in self.requests)


def read_llm_trace(lines: Iterable[str], name: str) -> LlmTrace:
    """The trace in the lines of a CSV file, its header first.

    Raises:
        TraceRefused: With the row (lines count from 1, header included) and the rule.
    """
    requests = sorted(_parsed(lines), key=attrgetter("at_us"))
    if not requests:
        raise TraceRefused("there is no row of data", row=2)
    first = requests[0].at_us
    span = requests[-1].at_us - first
    if span > MAX_SPAN_US:
        raise TraceRefused(
            f"it spans {span // _MILLION} seconds, at most {MAX_SPAN_US // _MILLION} are allowed",
            value=span,
            limit=MAX_SPAN_US,
        )
    return LlmTrace(
        name,
        tuple(
            LlmRequest(one.at_us - first, one.context_tokens, one.generated_tokens)
            for one in requests
        ),
    )


def _parsed(lines: Iterable[str]) -> Iterator[LlmRequest]:
    """Each row, its instant in microseconds of the Gregorian calendar."""
    for row, (at, context, generated) in rows_of(lines, COLUMNS):
        yield LlmRequest(
            _instant_us(at.strip(), row),
            _tokens(COLUMNS[1], context.strip(), row),
            _tokens(COLUMNS[2], generated.strip(), row),
        )


def _instant_us(text: str, row: int) -> int:
    found = _INSTANT.match(text)
    if found is None:
        raise TraceRefused(
            f"TIMESTAMP {shown(text)} is not YYYY-MM-DD HH:MM:SS", row=row, value=text
        )
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (
        1 <= month <= 12
        and 1 <= day <= _MONTH_DAYS[month - 1] + (is_leap and month == 2)
        and hour < 24
        and minute < 60
        and second < 60
    ):
        raise TraceRefused(f"TIMESTAMP {shown(text)} is in no calendar", row=row, value=text)
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += sum(_MONTH_DAYS[: month - 1]) + (is_leap and month > 2) + day
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    return seconds * _MILLION + int((found[7] or "").ljust(6, "0")[:6])


def _tokens(column: str, text: str, row: int) -> int:
    if _COUNT.match(text) is None:
        raise TraceRefused(f"{column} {shown(text)} is no whole number", row=row, value=text)
    number = int(text)
    if not 1 <= number <= MAX_TOKENS:
        raise TraceRefused(
            f"{column} {number} is outside 1 to {MAX_TOKENS}",
            row=row,
            value=number,
            limit=[1, MAX_TOKENS],
        )
    return number
