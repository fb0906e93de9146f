"""Which fault strikes when, and whom; `drawing` makes it of a seed before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from scripts._lib import cast

REPORTERS: Final = tuple(account.name for account in cast.REPORTERS)
AGENTS: Final = tuple(account.name for account in cast.agents(3))
LIES: Final = ("figures", "omit")

DURING: Final = (0, 1, 2)
"""Moments in the epoch."""
SETTLING: Final = 3
"""The epoch is over and its report not there."""
REPORTED: Final = 4
"""The report is on chain."""

MAX_PAUSE_MS: Final = 600


@dataclass(frozen=True)
class Scale:
    """How long a replay is: epochs, kills in all of them, passing faults in each."""

    epochs: int
    kills: int
    passing: int


FULL: Final = Scale(epochs=36, kills=100, passing=2)
SHORT: Final = Scale(epochs=3, kills=6, passing=3)


@dataclass
class Drawing:
    """One epoch's dice and victims: no process has two faults of one epoch to bear."""

    dice: random.Random
    reporters: list[str]
    agents: list[str]
    liar: str

    def reporter(self) -> str:
        return self.reporters.pop()

    def agent(self) -> str:
        return self.agents.pop()

    def reporter_or_agent(self) -> str:
        return self.dice.choice([self.reporters, self.agents]).pop()

    def honest(self) -> str:
        return self.dice.choice([name for name in REPORTERS if name != self.liar])


@dataclass(frozen=True)
class Strike:
    """One fault: `fault` is its name in `tests.chaos.faults`, `target` whom it strikes, and how."""

    epoch: int
    moment: int
    pause_ms: int
    fault: str
    target: str

    def __str__(self) -> str:
        return f"epoch {self.epoch:2} moment {self.moment} +{self.pause_ms:3} ms  {self.name}"

    @property
    def name(self) -> str:
        return f"{self.fault}: {self.target}" if self.target else self.fault


@dataclass(frozen=True)
class Schedule:
    """All of a replay's strikes, in the order in which they come."""

    seed: int
    scale: Scale
    liar: str
    lie: str
    strikes: tuple[Strike, ...] = field(repr=False)

    def at(self, epoch: int, moment: int) -> list[Strike]:
        return [one for one in self.strikes if (one.epoch, one.moment) == (epoch, moment)]

    def lines(self) -> Iterator[str]:
        yield f"all through: {self.liar} lies ({self.lie})"
        yield from map(str, self.strikes)
