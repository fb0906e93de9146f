"""Who earns what a share streams, in exact fractions, from the share's events in their order.

Every funding streams evenly from the second at which it arrives to its end; what streams in a
second belongs to the holders of that second by their shares, or to whom they assigned the income of
some. The clock stands still while there are no shares. Nothing is rounded here: the share itself
keeps its remainders to less than a unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from api.types import Address

NOTHING = Fraction(0)
NOBODY = Address("0x0000000000000000000000000000000000000000")
"""Shares come from it and go to it where they are issued and burnt."""


class Earner(NamedTuple):
    """A holder, or, of the income of `owner`'s shares that is assigned, its payee."""

    owner: Address
    payee: Address | None = None


@dataclass(frozen=True, slots=True)
class Funding:
    """`amount` streams from `at` to `ends_at`, in the stream's time; 10⁻⁶ dollars."""

    at: int
    amount: Fraction
    ends_at: int

    def streamed(self, start: int, end: int) -> Fraction:
        """What streams of it in [start, end)."""
        seconds = max(0, min(end, self.ends_at) - max(start, self.at))
        return self.amount * Fraction(seconds, self.ends_at - self.at)


@dataclass(slots=True)
class _Account:
    units: int = 0
    income: Fraction = NOTHING
    settled_at: Fraction = NOTHING


@dataclass(slots=True)
class ShareIncome:
    """One share. `advance` to the time of each event, then tell it: times are Unix seconds and
    never fall. While nothing streams that is followed, only the times at which shares run out or
    come back matter.
    """

    supply: int = 0
    _now: int = 0
    _waited: int = 0
    _newest_end: int = 0
    _per_unit: Fraction = NOTHING
    _fundings: list[Funding] = field(default_factory=list)
    _accounts: dict[Earner, _Account] = field(default_factory=dict)
    _assigned: dict[tuple[Address, Address], tuple[Address, int]] = field(default_factory=dict)

    @property
    def clock(self) -> int:
        """The stream's time: Unix time less the seconds that money waited for holders."""
        return self._now - self._waited

    @property
    def is_streaming(self) -> bool:
        """Whether anything streams that is followed."""
        return bool(self._fundings)

    def advance(self, to: int) -> None:
        """Let time pass, to that second."""
        start = self.clock
        if self.supply == 0:
            if start < self._newest_end:
                self._waited += to - self._now
            self._now = to
            return
        self._now = to
        streamed = sum((one.streamed(start, self.clock) for one in self._fundings), NOTHING)
        self._per_unit += Fraction(streamed, self.supply)
        self._fundings = [one for one in self._fundings if one.ends_at > self.clock]

    def fund(self, ends_at: int, followed: Fraction) -> None:
        """A funding arrives, of which so much is followed, to stream until `ends_at` of the
        stream's time."""
        self._newest_end = max(self._newest_end, ends_at)
        if followed:
            self._fundings.append(Funding(self.clock, followed, ends_at))

    def move(self, sender: Address, receiver: Address, units: int) -> None:
        """Shares go from one account to another; NOBODY issues and burns."""
        if sender == NOBODY:
            self.supply += units
        else:
            self._settled(Earner(sender)).units -= units
        if receiver == NOBODY:
            self.supply -= units
        else:
            self._settled(Earner(receiver)).units += units

    def assign(self, owner: Address, taker: Address, payee: Address, units: int) -> None:
        """Of what `owner` encumbered to `taker`, so many shares earn for `payee` from now on."""
        _, before = self._assigned.pop((owner, taker), (payee, 0))
        if units:
            self._assigned[owner, taker] = payee, units
        self._settled(Earner(owner, payee)).units += units - before
        self._settled(Earner(owner)).units -= units - before

    def recover(self, lost: Address, replacement: Address) -> None:
        """What `lost` has earned is `replacement`'s, and so is what stands on its encumbrances;
        shares and assignments were told before."""
        for (owner, taker), (payee, _) in list(self._assigned.items()):
            if owner == lost:
                self._hand_on(Earner(lost, payee), Earner(replacement, payee))
                self.assign(lost, taker, payee, 0)
        self._hand_on(Earner(lost), Earner(replacement))

    def _hand_on(self, before: Earner, after: Earner) -> None:
        lost, replacement = self._settled(before), self._settled(after)
        replacement.income += lost.income
        lost.income = NOTHING

    def _settled(self, earner: Earner) -> _Account:
        account = self._accounts.setdefault(earner, _Account(settled_at=self._per_unit))
        if account.settled_at != self._per_unit:
            account.income += account.units * (self._per_unit - account.settled_at)
            account.settled_at = self._per_unit
        return account

    def income(self) -> dict[Earner, Fraction]:
        """What of all that was followed each has earned to now."""
        earned = {earner: self._settled(earner).income for earner in self._accounts}
        return {earner: income for earner, income in earned.items() if income}

    def unstreamed(self) -> list[Funding]:
        """What of what was followed has still to stream."""
        clock = self.clock
        return [
            Funding(clock, one.streamed(clock, one.ends_at), one.ends_at) for one in self._fundings
        ]
