"""Moments as users write and read them, always in UTC; the chain has Unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_utc(text: str) -> int:
    """The Unix second of a date or a date and time in UTC, as in 2027-03-31 or 2027-03-31T12:00.

    Raises ValueError for anything else, other time zones included.
    """
    moment = datetime.fromisoformat(text.removesuffix("Z"))
    if moment.tzinfo is not None:
        raise ValueError(f"{text!r} names a time zone: write it in UTC")
    return int(moment.replace(tzinfo=UTC).timestamp())


def utc(timestamp: int) -> str:
    """A Unix second as a reader's date and minute."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M UTC")
