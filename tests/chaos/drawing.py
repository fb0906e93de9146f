"""A schedule from a seed: the same seed and scale, the same schedule."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, TypeVar

from tests.chaos.changes import EquivocatorSlashed, KeyRotated, ReporterReplaced, SeatChanged
from tests.chaos.faults import DISPUTES, HELD, PASSING, CutTwo, Kill
from tests.chaos.schedule import (
    AGENTS,
    DURING,
    LIES,
    MAX_PAUSE_MS,
    NEWCOMERS,
    NOTICE_EPOCHS,
    REPORTERS,
    SETTLING,
    Drawing,
    Notice,
    Scale,
    Schedule,
    Strike,
)

Card = TypeVar("Card")

# Between two changes of who reports: each is in force before the next is due.
_APART: Final = 2

# The last epochs in which the first change comes into force and the liar is punished, and in which
# the second is announced: what a day later comes of that fits into the replay.
_FIRST: Final = 4
_PUNISHED: Final = 7
_ANNOUNCED: Final = 8

# Of every hundred kills: those that have a state of their own to lose die most.
_KILLED: Final = (("reporter", 40), ("agent", 30), ("anvil", 15), ("postgresql", 15))


def drawn(seed: int, scale: Scale) -> Schedule:
    """Each epoch has one held fault and `scale.passing` others, some a dispute; kills fall
    anywhere.

    The liar is punished once, in the place of a held fault, after the first changes of who reports
    and before the next are announced: nobody can name a set with an operator that has no bond.
    """
    dice = random.Random(seed)
    liar = dice.choice(REPORTERS)
    first = dice.randrange(min(_FIRST + 1, scale.epochs - _APART - 1))
    punished = dice.randrange(first + _APART + 1, min(_PUNISHED + 1, scale.epochs))
    notices = _notices(dice, first - NOTICE_EPOCHS, scale.changes, punished, liar)
    held = _deck(dice, HELD, scale.epochs - 1)
    held.insert(len(held) - punished, EquivocatorSlashed)
    passing = _deck(dice, PASSING, scale.epochs * scale.passing)
    strikes = []
    for notice in notices:
        moment = dice.choice(SeatChanged.moments)
        strikes.append(Strike(notice.due, moment, _pause(dice), notice.fault, notice.target))
    for epoch in range(scale.epochs):
        changed = {notice.seat for notice in notices if notice.due == epoch}
        reporters = [name for name in _shuffled(dice, REPORTERS) if name not in changed]
        drawing = Drawing(dice, reporters, _shuffled(dice, AGENTS), liar)
        for kind in (held.pop(), *(passing.pop() for _ in range(scale.passing))):
            fault = kind()
            moment, target = dice.choice(fault.moments), fault.target(drawing)
            strikes.append(Strike(epoch, moment, _pause(dice), fault.name, target))
    for victim in _kills(dice, scale.kills):
        epoch, moment = dice.randrange(scale.epochs), dice.choice((*DURING, SETTLING))
        strikes.append(Strike(epoch, moment, _pause(dice), Kill.name, victim))
    strikes += _disputes(dice, scale.disputes, strikes, liar)
    dice.shuffle(strikes)
    strikes.sort(key=lambda one: (one.epoch, one.moment))
    return Schedule(seed, scale, liar, dice.choice(LIES), tuple(notices), tuple(strikes))


def _disputes(
    dice: random.Random, count: int, strikes: Sequence[Strike], liar: str
) -> list[Strike]:
    """So many of each kind, in epochs whose held fault does not wait until they are counted."""
    held = (CutTwo.name, EquivocatorSlashed.name)
    epochs = dice.sample([one.epoch for one in strikes if one.fault in held], 2 * count)
    drawing = Drawing(dice, [], [], liar)
    drawn = []
    for epoch, kind in zip(epochs, DISPUTES * count, strict=True):
        fault = kind()
        moment, target = dice.choice(fault.moments), fault.target(drawing)
        drawn.append(Strike(epoch, moment, _pause(dice), fault.name, target))
    return drawn


def _notices(
    dice: random.Random, first: int, changes: int, punished: int, liar: str
) -> list[Notice]:
    """Two changes from `first` on, of honest reporters; then, the liar being punished, its
    replacement and a change of another one's key."""
    honest = dice.sample([name for name in REPORTERS if name != liar], 3)
    again = dice.randrange(punished + 1, _ANNOUNCED + 1)
    newcomers = iter(NEWCOMERS)
    notices = []
    for epoch, replaced in ((first, honest.pop()), (again, liar))[:changes]:
        drawn = [(KeyRotated.name, honest.pop()), (ReporterReplaced.name, replaced)]
        for number, (fault, seat) in enumerate(dice.sample(drawn, len(drawn))):
            notices.append(Notice(epoch + number * _APART, fault, seat, next(newcomers).name))
    return notices


def _deck(dice: random.Random, cards: Sequence[Card], count: int) -> list[Card]:
    """`count` cards, each about as often as any other: the deck is shuffled when it is used up."""
    drawn: list[Card] = []
    while len(drawn) < count:
        drawn += dice.sample(cards, len(cards))
    return drawn[:count]


def _kills(dice: random.Random, count: int) -> list[str]:
    """Whom the kills are for."""
    kinds = [kind for kind, weight in _KILLED for _ in range(max(count * weight // 100, 1))]
    kinds = (kinds + ["reporter"] * count)[:count]
    among = {"reporter": REPORTERS, "agent": AGENTS}
    return [dice.choice(among.get(kind, (kind,))) for kind in kinds]


def _shuffled(dice: random.Random, names: Sequence[str]) -> list[str]:
    return dice.sample(names, len(names))


def _pause(dice: random.Random) -> int:
    return dice.randrange(MAX_PAUSE_MS)
