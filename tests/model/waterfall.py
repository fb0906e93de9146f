"""One cluster's waterfall in rational numbers, from the words of `IWaterfall`, not from its code.

Epochs, reports, specifications and debts are kept as they happened. Every due is computed from that
history anew, in fractions; nothing is accumulated but what was assigned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby

EPOCH_SECONDS = 3_600
GRACE_SECONDS = 86_400
BPS = 10_000


@dataclass(frozen=True)
class Terms:
    """What a specification says of money, in its own units."""

    from_epoch: int
    gpus: int
    max_watts: int
    pue_bps: int
    tariff_per_kwh: int
    rate_per_gpu_hour: int
    reserve_bps: int
    reserve_target: int

    def energy_cost(self, watt_hours: Fraction) -> Fraction:
        return watt_hours / 1_000 * Fraction(self.pue_bps, BPS) * self.tariff_per_kwh

    def most_watt_hours(self, seconds: int) -> Fraction:
        return Fraction(self.gpus * self.max_watts * seconds, EPOCH_SECONDS)

    def contracted(self, seconds: int) -> Fraction:
        return Fraction(self.gpus * seconds * self.rate_per_gpu_hour, EPOCH_SECONDS)

    def maximum(self, seconds: int) -> Fraction:
        return self.energy_cost(self.most_watt_hours(seconds)) + self.contracted(seconds)

    def actual(self, epochs: int, watt_hours: int) -> Fraction:
        """The lower of metered and maximum energy over all the epochs together, and the rate."""
        seconds = epochs * EPOCH_SECONDS
        energy = min(Fraction(watt_hours), self.most_watt_hours(seconds))
        return self.energy_cost(energy) + self.contracted(seconds)


@dataclass
class Debt:
    """A tranche that falls due by the second."""

    base: int = 0
    rate: int = 0
    since: int = 0
    assigned: int = 0
    paid: int = 0

    def due(self, now: int) -> int:
        return self.base + (now - self.since) * self.rate

    def accrue(self, now: int, at_once: int, rate: int) -> None:
        self.base, self.rate, self.since = self.due(now) + at_once, rate, now


@dataclass
class WaterfallModel:
    """Times are Unix seconds and never fall; amounts are whole 10⁻⁶ dollars."""

    now: int
    first_epoch: int
    specs: list[Terms]
    """Everything ever scheduled, in the order in which it acts."""
    debts: list[Debt]
    last_epoch: int = 0
    received: int = 0
    operator: int = 0
    reserve: int = 0
    holders: int = 0
    operator_paid: int = 0
    drawn: int = 0
    short: bool = False
    """Whether the last distribution left a shortfall, of the operator or of a lender."""
    applied: Terms | None = None
    """Whose reserve counts; None before the first use."""
    _reports: dict[int, tuple[int, int]] = field(default_factory=dict)
    _reserve_carry: Fraction = Fraction(0)

    # -------------------------------------------------------------- what is known

    @property
    def epoch(self) -> int:
        return self.now // EPOCH_SECONDS

    @property
    def reported(self) -> int:
        """The last epoch that is Final; the one before the first if none is."""
        return max(self._reports, default=self.first_epoch - 1)

    def watt_hours(self, epoch: int) -> int:
        """Energy that counts: reported within a day of the end of its epoch."""
        at, energy = self._reports.get(epoch, (0, 0))
        return energy if at < (epoch + 1) * EPOCH_SECONDS + GRACE_SECONDS else 0

    @property
    def resolved(self) -> int:
        """The last epoch that is Final, or has been over for a day."""
        lapsed = (self.now - GRACE_SECONDS) // EPOCH_SECONDS - 1
        resolved = max(self.reported, lapsed, self.first_epoch - 1)
        return min(resolved, self.last_epoch) if self.last_epoch else resolved

    @property
    def ended(self) -> bool:
        return bool(self.last_epoch) and self.resolved >= self.last_epoch

    def in_force(self, epoch: int) -> Terms:
        return [terms for terms in self.specs if terms.from_epoch <= epoch][-1]

    @property
    def can_apply(self) -> bool:
        return self.in_force(self.resolved + 1) != self.applied

    # -------------------------------------------------------------- dues

    def final_cost(self) -> Fraction:
        """Cost of all resolved epochs, each by the specification of its time."""
        epochs = range(self.first_epoch, self.resolved + 1)
        groups = groupby(epochs, key=self.in_force)
        return sum((self._cost(terms, list(group)) for terms, group in groups), Fraction(0))

    def _cost(self, terms: Terms, epochs: list[int]) -> Fraction:
        return terms.actual(len(epochs), sum(self.watt_hours(epoch) for epoch in epochs))

    def maximum_cost(self, start: int, end: int) -> Fraction:
        """The most that the time from one second to another can cost, likewise."""
        cost = Fraction(0)
        while start < end:
            epoch = start // EPOCH_SECONDS
            until = min((epoch + 1) * EPOCH_SECONDS, end)
            cost += self.in_force(epoch).maximum(until - start)
            start = until
        return cost

    def operator_due(self) -> int:
        final = self.final_cost()
        if self.ended:
            return math.floor(final)
        start = (self.resolved + 1) * EPOCH_SECONDS
        end = self.now
        if self.last_epoch:
            end = min(end, (self.last_epoch + 1) * EPOCH_SECONDS)
        return math.ceil(final + self.maximum_cost(start, end))

    @property
    def operator_earned(self) -> int:
        return min(math.floor(self.final_cost()), self.operator)

    @property
    def undistributed(self) -> int:
        lenders = sum(debt.assigned for debt in self.debts)
        return self.received - self.operator - lenders - self.reserve - self.holders

    # -------------------------------------------------------------- what happens

    def open(self) -> None:
        """The first use takes the specification in force in the first epoch."""
        if self.applied is None:
            self.applied = self.in_force(self.first_epoch)

    def report(self, epoch: int, watt_hours: int, at: int) -> None:
        """It is Final now, and was posted at second `at`."""
        self._reports[epoch] = (at, watt_hours)

    def distribute(self) -> int:
        """Raise every level to its due, in order; what passed to the holders."""
        self.open()
        if self.ended:
            self.reserve = self.drawn
        due = self.operator_due()
        self.operator = min(due, self.operator + self.undistributed)
        self.short = self.operator < due
        for debt in self.debts:
            wanted = max(debt.due(self.now) - debt.assigned, 0)
            debt.assigned += min(wanted, self.undistributed)
            self.short |= debt.assigned < debt.due(self.now)
        left = self.undistributed
        if not self.ended:
            terms = self.applied
            assert terms is not None
            share = self._reserve_carry + Fraction(left * terms.reserve_bps, BPS)
            self._reserve_carry = share - math.floor(share)
            room = max(terms.reserve_target - (self.reserve - self.drawn), 0)
            self.reserve += min(math.floor(share), room)
        passed = self.undistributed
        self.holders += passed
        return passed

    def apply_spec(self) -> None:
        self.distribute()
        self.applied = self.in_force(self.resolved + 1)
