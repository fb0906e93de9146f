"""scripts/_lib/times.py: moments as users write and read them."""

from __future__ import annotations

import pytest

from scripts._lib.times import parse_utc, utc


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("1970-01-01", 0),
        ("2027-03-31", 1_806_451_200),
        ("2027-03-31T12:00", 1_806_494_400),
        ("2027-03-31 12:00:01Z", 1_806_494_401),
    ],
)
def test_parse_utc__date_or_moment__is_the_unix_second(text: str, second: int) -> None:
    assert parse_utc(text) == second


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2027-03-31T12:00+01:00", "names a time zone"),
        ("1969-12-31", "is before 1970"),
        ("2027-02-29", "day"),
        ("tomorrow", "isoformat"),
        ("", "isoformat"),
    ],
)
def test_parse_utc__anything_else__is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_utc(text)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (0, "1970-01-01 00:00 UTC"),
        (1_806_494_459, "2027-03-31 12:00 UTC"),
        (253_402_300_799, "9999-12-31 23:59 UTC"),
        (253_402_300_800, "after the year 9999"),
    ],
)
def test_utc__any_second_of_the_chain__is_readable(second: int, words: str) -> None:
    assert utc(second) == words
