"""Dollars and shares as people write them, and back. Both have six decimals; nothing is a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

UNIT = 10**6
SECONDS_A_DAY = 86_400
MAX_EXPONENT = 77


def parse_six_decimals(text: str) -> int:
    """`text` ("1,234.5") in millionths, exactly.

    Raises ValueError if it is no number, negative, 10^78 (more than any token counts) or more, or
    has more than six decimals.
    """
    try:
        value = Decimal(text.replace(",", "").replace("_", "").removeprefix("$"))
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite() or value < 0:
        raise ValueError(f"{text!r} is not a number of 0 or more")
    if value.adjusted() > MAX_EXPONENT:
        raise ValueError(f"{text!r} is 10^{MAX_EXPONENT + 1} or more")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_EXPONENT:
        raise ValueError(f"{text!r} has more than six decimals")
    # A product of decimals is rounded to 28 digits; one of fractions is not.
    millionths = Fraction(value) * UNIT
    if millionths.denominator != 1:
        raise ValueError(f"{text!r} has more than six decimals")
    return millionths.numerator


def dollars(usd6: int, *, decimals: int = 2) -> str:
    """An amount in dollars, rounded down (towards less) to the decimals that are shown."""
    step = 10 ** (6 - decimals)
    sign = "-" if usd6 < 0 else ""
    whole, part = divmod(abs(usd6) // step, 10**decimals)
    return f"{sign}${whole:,}.{part:0{decimals}d}" if decimals else f"{sign}${whole:,}"


def exact_dollars(usd6: int) -> str:
    """An amount in dollars with all its six decimals."""
    return dollars(usd6, decimals=6)


def fine_dollars(usd6: Fraction, decimals: int = 15) -> str:
    """An amount of 10⁻⁶ dollars, 0 or more, in dollars with so many decimals, rounded down."""
    whole, part = divmod(usd6 * 10**decimals // UNIT, 10**decimals)
    return f"${whole:,}.{part:0{decimals}d}"


def units(amount: int) -> str:
    """An amount in its smallest unit, with thousands set apart."""
    return f"{amount:,}"


def shares(amount: int) -> str:
    """A number of shares, without trailing zeros."""
    whole, part = divmod(amount, UNIT)
    return f"{whole:,}" + (f".{part:06d}".rstrip("0") if part else "")


def percent(part: int, whole: int, *, decimals: int = 2) -> str:
    """A ratio in per cent, rounded down; a dash where there is nothing to compare with."""
    if whole == 0:
        return "–"
    scaled = part * 100 * 10**decimals // whole
    number, fraction = divmod(scaled, 10**decimals)
    return f"{number}.{fraction:0{decimals}d} %"
