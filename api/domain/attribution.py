"""Where one payment's dollars went in a cluster's waterfall, in exact fractions.

Dollars are alike, so that which of them went where is a convention. This one:

1. Where money is split, it is a mixture: each level gets the same part of every dollar that a
   distribution splits. What it splits is all income since the last one, and what it takes back from
   operator and reserve.
2. Where money waits, what came first leaves first: the operator's escrow becomes final cost in the
   order in which it was set aside, and what a report shows to be too much is released in the same
   order; so is the reserve drawn and released.

Both speak of totals alone, never of whom is followed. So the traces of all payments add up to the
waterfall's own totals, exactly, and following one changes nothing for another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from api.errors import Incoherent
from api.types import Address

NOTHING = Fraction(0)


class Queue:
    """Money that waits, in 10⁻⁶ dollars; what came first leaves first. Of each that came, a part is
    followed."""

    def __init__(self) -> None:
        # Amount, and how much of each unit of it is followed.
        self._layers: deque[tuple[int, Fraction]] = deque()
        self.amount_usd6 = 0

    @property
    def followed(self) -> Fraction:
        return sum((amount * part for amount, part in self._layers), NOTHING)

    def add(self, amount_usd6: int, followed: Fraction = NOTHING) -> None:
        """So much comes, `followed` of it followed."""
        if amount_usd6:
            self._layers.append((amount_usd6, Fraction(followed, amount_usd6)))
            self.amount_usd6 += amount_usd6

    def take(self, amount_usd6: int) -> Fraction:
        """So much leaves; what of it is followed. Raises Incoherent: There is less."""
        if amount_usd6 > self.amount_usd6:
            raise Incoherent(
                f"{amount_usd6} leaves where {self.amount_usd6} is",
                value=amount_usd6,
                limit=self.amount_usd6,
            )
        self.amount_usd6 -= amount_usd6
        followed = NOTHING
        while amount_usd6:
            amount, part = self._layers.popleft()
            taken = min(amount, amount_usd6)
            if taken < amount:
                self._layers.appendleft((amount - taken, part))
            amount_usd6 -= taken
            followed += taken * part
        return followed


@dataclass(frozen=True, slots=True)
class Split:
    """One distribution, in 10⁻⁶ dollars. `operator` is negative where escrow was released,
    `reserve` where a retired cluster's reserve was; `final_cost` is the operating cost that was
    final by then, of all time.
    """

    operator_usd6: int
    tranches_usd6: Mapping[Address, int]
    reserve_usd6: int
    holders_usd6: int
    final_cost_usd6: int

    @property
    def total_usd6(self) -> int:
        """All that was split."""
        given = max(self.operator_usd6, 0) + max(self.reserve_usd6, 0) + self.holders_usd6
        return given + sum(self.tranches_usd6.values())


@dataclass(slots=True)
class WaterfallBooks:
    """One cluster's waterfall from its first income on. Amounts are in 10⁻⁶ dollars.

    Attributes:
        undistributed: Came in since the last distribution.
        escrow: Set aside for operating cost that is not final.
        operator: Followed, and final operating cost by now.
        tranches: Followed, and assigned to each tranche.
        reserve: In the replacement reserve.
        drawn: Followed, and drawn from the reserve.
        waiting: The holders', not streaming yet.
    """

    undistributed: Queue = field(default_factory=Queue)
    escrow: Queue = field(default_factory=Queue)
    operator: Fraction = NOTHING
    tranches: dict[Address, Fraction] = field(default_factory=dict)
    reserve: Queue = field(default_factory=Queue)
    drawn: Fraction = NOTHING
    waiting: Queue = field(default_factory=Queue)
    operator_assigned_usd6: int = 0

    @property
    def followed(self) -> Fraction:
        """All that is followed and was not passed to the holders' stream."""
        queues = (self.undistributed, self.escrow, self.reserve, self.waiting)
        lent = sum(self.tranches.values(), NOTHING)
        return (
            sum((queue.followed for queue in queues), NOTHING) + self.operator + lent + self.drawn
        )

    def receive(self, amount_usd6: int, followed: Fraction = NOTHING) -> None:
        """Income came in."""
        self.undistributed.add(amount_usd6, followed)

    def settle(self, final_usd6: int) -> None:
        """Operating cost is final up to `final_usd6` in all: as far as it is covered, escrow has
        become cost.

        Raises Incoherent: It was more before.
        """
        escrowed = self.operator_assigned_usd6 - min(final_usd6, self.operator_assigned_usd6)
        if escrowed > self.escrow.amount_usd6:
            raise Incoherent(
                f"{escrowed} is escrowed, of which only {self.escrow.amount_usd6} was",
                value=escrowed,
                limit=self.escrow.amount_usd6,
            )
        self.operator += self.escrow.take(self.escrow.amount_usd6 - escrowed)

    def distribute(self, split: Split) -> Fraction:
        """Split what came in and what is released; how much of each unit is followed.

        Raises Incoherent: It is not what there is to split, or less is final than before.
        """
        self.settle(split.final_cost_usd6)
        released = max(-split.operator_usd6, 0)
        returned = max(-split.reserve_usd6, 0)
        set_aside, kept = max(split.operator_usd6, 0), max(split.reserve_usd6, 0)
        income = self.undistributed.amount_usd6
        total = income + released + returned
        if split.total_usd6 != total:
            raise Incoherent(
                f"{split.total_usd6} was split of {total}", value=split.total_usd6, limit=total
            )
        followed = (
            self.undistributed.take(income)
            + self.escrow.take(released)
            + self.reserve.take(returned)
        )
        part = Fraction(followed, total) if total else NOTHING
        self.escrow.add(set_aside, set_aside * part)
        for tranche, amount in split.tranches_usd6.items():
            self.tranches[tranche] = self.tranches.get(tranche, NOTHING) + amount * part
        self.reserve.add(kept, kept * part)
        self.waiting.add(split.holders_usd6, split.holders_usd6 * part)
        self.operator_assigned_usd6 += split.operator_usd6
        return part

    def draw(self, amount_usd6: int) -> None:
        """The reserve was drawn from."""
        self.drawn += self.reserve.take(amount_usd6)

    def stream(self, amount_usd6: int) -> Fraction:
        """So much was passed to the holders' stream; what of it is followed."""
        return self.waiting.take(amount_usd6)
