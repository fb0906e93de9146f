"""scripts/_lib/money.py: exact in, rounded down out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts._lib.money import dollars, exact_dollars, parse_six_decimals, percent, shares, units


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("1", 10**6), ("$1,234.5", 1_234_500_000), ("1_000", 10**9), ("0.000001", 1)],
)
def test_parse_six_decimals__number__is_exact(text: str, amount: int) -> None:
    assert parse_six_decimals(text) == amount


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a number"),
        ("abc", "not a number"),
        ("-1", "0 or more"),
        ("nan", "0 or more"),
        ("Infinity", "0 or more"),
        ("0.0000001", "more than six decimals"),
        ("1e-999999999", "more than six decimals"),
        ("1e78", "or more"),
    ],
)
def test_parse_six_decimals__something_else__is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_six_decimals(text)


@given(st.integers(0, 10**30))
def test_exact_dollars__any_amount__reads_back(amount: int) -> None:
    assert parse_six_decimals(exact_dollars(amount)) == amount


def test_dollars__part_of_a_cent__is_rounded_down() -> None:
    assert dollars(1_239_999) == "$1.23"
    assert dollars(999_999_999_999) == "$999,999.99"
    assert dollars(-1_239_999) == "-$1.23"
    assert dollars(1_999_999, decimals=0) == "$1"


def test_units__large_amount__has_its_thousands_apart() -> None:
    assert units(1_234_567) == "1,234,567"


def test_shares__fraction__has_no_trailing_zeros() -> None:
    assert shares(1_500_000) == "1.5"
    assert shares(2_000_000_000) == "2,000"
    assert shares(1) == "0.000001"


def test_percent__ratio__is_rounded_down() -> None:
    assert percent(999_999, 1_000_000) == "99.99 %"
    assert percent(1, 1) == "100.00 %"
    assert percent(0, 0) == "–"
