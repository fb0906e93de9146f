"""One clock for all: services are given a `Clock` and ask nothing else for the time.

In production it is the system's; in a replay it is the chain's (`api.chain.clock.ChainClock`), so
that the demo moves every process by moving the chain; tests move a `ManualClock`. Time is Unix
time. A clock may stand still and may jump ahead by hours; it never goes back, except as the
system's own clock is corrected.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Unix milliseconds."""

    def now(self) -> int:
        """Unix seconds, rounded down."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now(self) -> int:
        return time.time_ns() // 1_000_000_000


class ManualClock:
    """A clock that moves only when told."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> int:
        return self._now_ms // 1_000

    def set_ms(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def advance_ms(self, by_ms: int) -> None:
        self._now_ms += by_ms
