"""What each holder must have earned, in exact fractions, from the events of a share alone.

Every funding streams evenly from the second it arrives to its end; what streams in a second belongs
to the holders of that second by their shares. Nothing is rounded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

ZERO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True)
class Funding:
    """`amount_usd6` streams from `at` to `ends_at`, Unix seconds."""

    at: int
    amount_usd6: int
    ends_at: int

    def streamed(self, start: int, end: int) -> Fraction:
        """What streams of it in [start, end)."""
        seconds = max(0, min(end, self.ends_at) - max(start, self.at))
        return Fraction(self.amount_usd6 * seconds, self.ends_at - self.at)


@dataclass(frozen=True)
class Move:
    """`units` of the share go from one account to another; the zero address issues and burns."""

    at: int
    sender: str
    receiver: str
    units: int


def exact_income(
    fundings: Sequence[Funding], moves: Sequence[Move], until: int
) -> dict[str, Fraction]:
    """Each account's income up to `until`, in 10⁻⁶ dollars. `moves` are in their order."""
    balances: dict[str, int] = {}
    income: dict[str, Fraction] = {}
    supply = 0
    now = 0
    for move in [*moves, Move(until, ZERO_ADDRESS, ZERO_ADDRESS, 0)]:
        streamed = sum((one.streamed(now, move.at) for one in fundings), Fraction(0))
        if streamed:
            for account, balance in balances.items():
                earned = streamed * balance / supply
                income[account] = income.get(account, Fraction(0)) + earned
        now = move.at
        if move.sender == ZERO_ADDRESS:
            supply += move.units
        else:
            balances[move.sender] -= move.units
        if move.receiver == ZERO_ADDRESS:
            supply -= move.units
        else:
            balances[move.receiver] = balances.get(move.receiver, 0) + move.units
    return income
