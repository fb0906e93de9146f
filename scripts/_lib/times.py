"""Moments as users write and read them, always in UTC; the chain has Unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime

LAST_DATE = int(datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp())
"""The last Unix second that has a date here; the chain counts on."""


def parse_utc(text: str) -> int:
    """The Unix second of a date or a date and time in UTC, as in 2027-03-31 or 2027-03-31T12:00.

    Raises ValueError for anything else, other time zones and moments before 1970 included.
    """
    moment = datetime.fromisoformat(text.removesuffix("Z"))
    if moment.tzinfo is not None:
        raise ValueError(f"{text!r} names a time zone: write it in UTC")
    second = int(moment.replace(tzinfo=UTC).timestamp())
    if second < 0:
        raise ValueError(f"{text!r} is before 1970")
    return second


def utc(timestamp: int) -> str:
    """A Unix second as a reader's date and minute."""
    if timestamp > LAST_DATE:
        return "after the year 9999"
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M UTC")
