"""What a check found: one line each, with what to do where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """GOOD; BAD: stands in the way of work; NOTED: it does not, but somebody should know."""

    GOOD = "✓"
    BAD = "✗"
    NOTED = "–"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is a word or two, the same for everything found about it."""

    verdict: Verdict
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.verdict.value} {self.subject:<10} {self.text}"


def good(subject: str, text: str) -> Finding:
    return Finding(Verdict.GOOD, subject, text)


def bad(subject: str, text: str) -> Finding:
    return Finding(Verdict.BAD, subject, text)


def noted(subject: str, text: str) -> Finding:
    return Finding(Verdict.NOTED, subject, text)
