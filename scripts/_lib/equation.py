"""An equation that a command states, with what it expected and what it found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Equation:
    """`text`, with both sides as numbers."""

    text: str
    expected: str
    actual: str
    holds: bool


def equal(text: str, expected: int, actual: int) -> Equation:
    return Equation(text, f"{expected:,}", f"{actual:,}", expected == actual)
