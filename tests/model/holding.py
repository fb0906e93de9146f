"""What a holder has of a share, in whole units: balance, encumbrances, what is frozen.

Written from the words of IClusterShare alone: shares are taken one by one and nothing is computed
that could be counted, so that an error here is unlikely to be the contract's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ALL = 2**64 - 1

NOT_ENOUGH = "ERC20InsufficientBalance"
FROZEN = "ERC7943InsufficientUnfrozenBalance"
UNAVAILABLE = "ClusterShare_InsufficientAvailable"
NOT_FROZEN = "ClusterShare_NotFrozen"
NOTHING = "ClusterShare_ZeroEncumbrance"


class Refused(Exception):
    """The share refuses; the argument is the error's name."""


@dataclass(frozen=True)
class HoldingModel:
    """One holder. `pledges` are (taker, units), the oldest first; `frozen` may exceed the balance,
    ALL stands for everything.."""

    balance: int
    pledges: tuple[tuple[str, int], ...]
    frozen: int

    @property
    def encumbered(self) -> int:
        return sum(units for _, units in self.pledges)

    @property
    def available(self) -> int:
        return max(0, self.balance - self.encumbered - self.frozen)

    def pledged_to(self, taker: str) -> int:
        return dict(self.pledges).get(taker, 0)

    def transfer(self, amount: int) -> HoldingModel:
        self._check_available(amount)
        return replace(self, balance=self.balance - amount)

    def encumber(self, taker: str, amount: int) -> HoldingModel:
        if amount == 0:
            raise Refused(NOTHING)
        self._check_available(amount)
        pledges = dict(self.pledges)
        pledges[taker] = pledges.get(taker, 0) + amount
        return replace(self, pledges=tuple(pledges.items()))

    def deliver(self, taker: str, amount: int) -> HoldingModel:
        """The taker, who has an allowance without limit, takes from its pledge first. What a freeze
        would leave of the pledge, were an order to take what is frozen, is the taker's."""
        if amount > self.balance:
            raise Refused(NOT_ENOUGH)
        frozen_here = min(self.frozen, self.balance)
        left = self._without(frozen_here).pledged_to(taker)
        if amount > left + self.available:
            is_barred = amount > self.balance - frozen_here or amount <= self.pledged_to(taker)
            raise Refused(FROZEN if is_barred else UNAVAILABLE)
        spent = min(amount, self.pledged_to(taker))
        pledges = ((t, units - spent if t == taker else units) for t, units in self.pledges)
        return replace(
            self,
            balance=self.balance - amount,
            pledges=tuple((t, units) for t, units in pledges if units),
        )

    def force_transfer(self, amount: int) -> HoldingModel:
        if amount > self.balance:
            raise Refused(NOT_ENOUGH)
        if amount > self.frozen:
            raise Refused(NOT_FROZEN)
        frozen = self.frozen if self.frozen == ALL else self.frozen - amount
        return replace(self._without(amount), frozen=frozen)

    def recover(self) -> tuple[HoldingModel, HoldingModel]:
        """What the lost wallet has then, and its replacement, which had nothing."""
        if self.frozen != ALL:
            raise Refused(NOT_FROZEN)
        return HoldingModel(0, (), 0), self

    def _without(self, amount: int) -> HoldingModel:
        """After so many shares were taken one by one: free ones, then the newest pledge's."""
        balance, pledges = self.balance, list(self.pledges)
        for _ in range(amount):
            if balance == sum(units for _, units in pledges):
                taker, units = pledges.pop()
                if units > 1:
                    pledges.append((taker, units - 1))
            balance -= 1
        return replace(self, balance=balance, pledges=tuple(pledges))

    def _check_available(self, amount: int) -> None:
        if amount > self.balance:
            raise Refused(NOT_ENOUGH)
        if amount > max(0, self.balance - self.frozen):
            raise Refused(FROZEN)
        if amount > self.available:
            raise Refused(UNAVAILABLE)
