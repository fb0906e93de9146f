"""What a check found: one line each, with what to do where something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from api.errors import ConfigurationError, RackstreamError


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


async def taken(
    steps: Mapping[str, Callable[[], Awaitable[Finding]]],
) -> AsyncIterator[Finding]:
    """What each step finds, by its subject; one that fails is a finding, and the next is taken."""
    for subject, step in steps.items():
        try:
            yield await step()
        except RackstreamError as error:
            yield bad(subject, error.message)


async def report(findings: AsyncIterator[Finding]) -> int:
    """Print each as it comes; the exit status: 0 if nothing stands in the way, else 1."""
    stands = 0
    async for finding in findings:
        print(finding, flush=True)
        stands += finding.verdict is Verdict.BAD
    print(
        "nothing stands in the way" if not stands else f"{stands} to be put right before the start"
    )
    return min(stands, 1)


def refuse(error: ConfigurationError) -> int:
    """Print what is wrong with the settings, without which nothing else can be told."""
    problems = error.value if isinstance(error.value, list) else [error.message]
    for problem in problems:
        print(bad("settings", str(problem)))
    return 1
