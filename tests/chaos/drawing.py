"""A schedule from a seed: the same seed and scale, the same schedule."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, TypeVar

from tests.chaos.faults import HELD, PASSING, Kill
from tests.chaos.schedule import (
    AGENTS,
    DURING,
    LIES,
    MAX_PAUSE_MS,
    REPORTERS,
    SETTLING,
    Drawing,
    Scale,
    Schedule,
    Strike,
)

Card = TypeVar("Card")

# Of every hundred kills: those that have a state of their own to lose die most.
_KILLED: Final = (("reporter", 40), ("agent", 30), ("anvil", 15), ("postgresql", 15))


def drawn(seed: int, scale: Scale) -> Schedule:
    """Each epoch has one held fault and `scale.passing` others; kills fall anywhere."""
    dice = random.Random(seed)
    liar = dice.choice(REPORTERS)
    held = _deck(dice, HELD, scale.epochs)
    passing = _deck(dice, PASSING, scale.epochs * scale.passing)
    strikes = []
    for epoch in range(scale.epochs):
        drawing = Drawing(dice, _shuffled(dice, REPORTERS), _shuffled(dice, AGENTS), liar)
        for kind in (held.pop(), *(passing.pop() for _ in range(scale.passing))):
            fault = kind()
            moment, target = dice.choice(fault.moments), fault.target(drawing)
            strikes.append(Strike(epoch, moment, _pause(dice), fault.name, target))
    for victim in _kills(dice, scale.kills):
        epoch, moment = dice.randrange(scale.epochs), dice.choice((*DURING, SETTLING))
        strikes.append(Strike(epoch, moment, _pause(dice), Kill.name, victim))
    dice.shuffle(strikes)
    strikes.sort(key=lambda one: (one.epoch, one.moment))
    return Schedule(seed, scale, liar, dice.choice(LIES), tuple(strikes))


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
