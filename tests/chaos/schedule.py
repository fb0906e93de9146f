"""Which fault strikes when, and whom; `drawing` makes it of a seed before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from scripts._lib import cast
from scripts._lib.cast import Account

REPORTERS: Final = tuple(account.name for account in cast.REPORTERS)
"""Each names a seat too: its process, links and door are those of whoever has the seat."""

_LAST: Final = cast.REPORTERS[-1].index
NEWCOMERS: Final = tuple(
    Account(_LAST + number, f"reporter-{len(REPORTERS) + number}") for number in range(1, 5)
)
"""Who takes a seat later: as another key of its operator, or as another operator."""

ACCOUNTS: Final = {account.name: account for account in (*cast.REPORTERS, *NEWCOMERS)}
AGENTS: Final = tuple(account.name for account in cast.agents(3))
LIES: Final = ("figures", "omit")

OFFSETS: Final = {0: 900, 1: 2_700, 2: 3_590}
"""Moments in the epoch, and where in it they are, in seconds."""
DURING: Final = tuple(OFFSETS)
SETTLING: Final = 3
"""The epoch is over and its report not there."""
REPORTED: Final = 4
"""The report is on chain."""

MAX_PAUSE_MS: Final = 600

NOTICE_EPOCHS: Final = 25
"""From an announcement of who reports to its coming into force: a day, and into the epoch after."""

ANNOUNCED: Final = 1
"""The moment of announcements: what is due a day later is not when the epoch before that ends."""


@dataclass(frozen=True)
class Scale:
    """How long a replay is: epochs, kills in all of them, passing faults in each, and how often
    each kind of change of who reports comes into force, and of dispute. The first of each change is
    announced before the replay, another one in it.
    """

    epochs: int
    kills: int
    passing: int
    changes: int
    disputes: int


FULL: Final = Scale(epochs=36, kills=100, passing=2, changes=2, disputes=2)
SHORT: Final = Scale(epochs=4, kills=6, passing=3, changes=1, disputes=1)


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
class Notice:
    """What is announced in `epoch`, before the replay if that is negative: `fault` is the name of
    the change of who has the seat, which is the newcomer's when it is `due`.
    """

    epoch: int
    fault: str
    seat: str
    newcomer: str

    def __str__(self) -> str:
        return f"epoch {self.epoch:2} announced          {self.fault}: {self.target}"

    @property
    def due(self) -> int:
        return self.epoch + NOTICE_EPOCHS

    @property
    def target(self) -> str:
        """As the fault reads it."""
        return f"{self.seat} to {self.newcomer}"


@dataclass(frozen=True)
class Schedule:
    """All of a replay's notices and strikes, in the order in which they come."""

    seed: int
    scale: Scale
    liar: str
    lie: str
    notices: tuple[Notice, ...]
    strikes: tuple[Strike, ...] = field(repr=False)

    def announced(self, epoch: int) -> list[Notice]:
        return [one for one in self.notices if one.epoch == epoch]

    def at(self, epoch: int, moment: int) -> list[Strike]:
        return [one for one in self.strikes if (one.epoch, one.moment) == (epoch, moment)]

    def lines(self) -> Iterator[str]:
        yield f"all through: {self.liar} lies ({self.lie})"
        yield from map(str, self.notices)
        yield from map(str, self.strikes)
