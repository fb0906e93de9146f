"""A share with pledges, freezes and orders, from the words of `IClusterShare`, not from its code.

On the stream in rational numbers: shares whose income is assigned earn for their payee.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.model.stream import Earner, StreamModel

ALL = 2**64 - 1
"""The frozen amount that stands for all shares, and for their income."""
NEVER = 2**40 - 1


@dataclass
class Pledge:
    """What an owner encumbered to a taker, and of it the shares that earn for `payee`."""

    amount: int
    expires_at: int
    assigned: int = 0
    payee: str = ""


@dataclass
class ShareModel(StreamModel):
    """What an act may do is asked first; what it does is done without asking."""

    frozen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    pledges: dict[str, dict[str, Pledge]] = field(default_factory=lambda: defaultdict(dict))
    """By owner and taker, the oldest first."""
    successors: dict[str, str] = field(default_factory=dict)

    # ------------------------------------------------------------------ questions

    def pledge(self, owner: str, taker: str) -> Pledge:
        return self.pledges[owner].get(taker, Pledge(0, 0))

    def encumbered(self, owner: str) -> int:
        return sum(pledge.amount for pledge in self.pledges[owner].values())

    def assigned(self, owner: str) -> int:
        return sum(pledge.assigned for pledge in self.pledges[owner].values())

    def units(self, owner: str, payee: str) -> int:
        """Shares of `owner` that earn for `payee`."""
        return sum(p.assigned for p in self.pledges[owner].values() if p.payee == payee)

    def available(self, owner: str) -> int:
        return max(0, self.balances[owner] - self.encumbered(owner) - self.frozen[owner])

    def is_over(self, owner: str, taker: str) -> bool:
        return self.now >= self.pledge(owner, taker).expires_at

    def pledgeable(self, owner: str, taker: str) -> int:
        """What is available once an encumbrance to `taker` that is over is released."""
        over = self.pledge(owner, taker).amount if self.is_over(owner, taker) else 0
        held = self.encumbered(owner) - over + self.frozen[owner]
        return max(0, self.balances[owner] - held)

    def deliverable(self, owner: str, taker: str) -> int:
        """What an order for all that is frozen would leave of the encumbrance."""
        if self.is_over(owner, taker):
            return 0
        free = self.balances[owner] - self.encumbered(owner)
        missing = max(0, min(self.frozen[owner], self.balances[owner]) - free)
        for other, pledge in reversed(self.pledges[owner].items()):
            if other == taker:
                return max(0, pledge.amount - missing)
            missing = max(0, missing - pledge.amount)
        return 0

    def is_held(self, owner: str) -> bool:
        """Whether `owner` can take nothing out."""
        return self.frozen[owner] >= ALL

    def paid(self, payee: str) -> str:
        """Who is paid what is assigned to `payee`."""
        while payee in self.successors:
            payee = self.successors[payee]
        return payee

    # ------------------------------------------------------------------ pledges

    def encumber(self, owner: str, taker: str, amount: int, expires_at: int | None = None) -> None:
        if self.is_over(owner, taker):
            self.release(owner, taker, self.pledge(owner, taker).amount)
        pledge = self.pledges[owner].setdefault(taker, Pledge(0, expires_at or NEVER))
        pledge.amount += amount
        pledge.expires_at = max(pledge.expires_at, expires_at or 0)

    def assign(self, owner: str, taker: str, units: int, payee: str) -> None:
        self._settle()
        pledge = self.pledges[owner][taker]
        pledge.assigned += units
        pledge.payee = payee

    def release(self, owner: str, taker: str, amount: int) -> None:
        """Give up `amount`, or what is left; assigned income goes last."""
        self._settle()
        if taker not in self.pledges[owner]:
            return
        pledge = self.pledges[owner][taker]
        pledge.amount -= min(amount, pledge.amount)
        pledge.assigned = min(pledge.assigned, pledge.amount)
        if not pledge.assigned:
            pledge.payee = ""
        if not pledge.amount:
            del self.pledges[owner][taker]

    def deliver(self, taker: str, owner: str, to: str, amount: int) -> None:
        self.release(owner, taker, amount)
        self.transfer(owner, to, amount)

    # ------------------------------------------------------------------ orders

    def freeze(self, owner: str, amount: int) -> None:
        self.frozen[owner] = min(amount, ALL)

    def force_transfer(self, owner: str, to: str, amount: int) -> None:
        if not self.is_held(owner):
            self.frozen[owner] -= amount
        over = self.encumbered(owner) - (self.balances[owner] - amount)
        for taker, pledge in reversed(list(self.pledges[owner].items())):
            part = min(max(over, 0), pledge.amount)
            self.release(owner, taker, part)
            over -= part
        self.transfer(owner, to, amount)

    def recover(self, lost: str, replacement: str) -> None:
        """All that `lost` has; of assigned income what still stands on an encumbrance."""
        self._settle()
        moved: list[tuple[Earner, Earner]] = [(lost, replacement)]
        payees = {pledge.payee for pledge in self.pledges[lost].values() if pledge.assigned}
        moved += [((lost, payee), (replacement, payee)) for payee in payees]
        for source, target in moved:
            for base, value in self._income.pop(source, {}).items():
                self._income[target][base] += value
            self.claimed[target] += self.claimed.pop(source, 0)
        self.balances[replacement] += self.balances.pop(lost, 0)
        self.pledges[replacement] = self.pledges.pop(lost, {})
        self.frozen.pop(lost)
        self.frozen[replacement] = ALL
        self.successors[lost] = replacement

    def _earners(self) -> Iterator[tuple[Earner, int]]:
        for owner, balance in list(self.balances.items()):
            yield owner, balance - self.assigned(owner)
            for pledge in self.pledges[owner].values():
                yield (owner, pledge.payee), pledge.assigned
