"""A cluster's reports, all of them kept: what MetricsOracle answers, by definition."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.oracle import GRACE_SECONDS, Figures, Reading, end_of


@dataclass
class Accepted:
    """One epoch's figures as they will be counted."""

    figures: Figures
    late: bool
    final_at: int
    counted: bool = False
    held: bool = False


@dataclass
class Meter:
    """One cluster. Epochs without an entry have no report."""

    first_epoch: int
    accepted: dict[int, Accepted] = field(default_factory=dict)

    @property
    def next_epoch(self) -> int:
        return max(self.accepted, default=self.first_epoch - 1) + 1

    @property
    def waiting(self) -> list[int]:
        return sorted(epoch for epoch, entry in self.accepted.items() if not entry.counted)

    @property
    def reading(self) -> Reading:
        return self.reading_before(self.next_epoch)

    def reading_before(self, before: int) -> Reading:
        """The sum of what is counted of the epochs before that one."""
        reading = Reading()
        for epoch in sorted(self.accepted):
            if epoch < before and self.accepted[epoch].counted:
                reading = reading.plus(self.accepted[epoch].figures, epoch)
        return reading

    def post(self, epoch: int, figures: Figures, window: int, now: int) -> bool:
        """Whether the figures were accepted."""
        if epoch != self.next_epoch:
            return False
        late = now >= end_of(epoch) + GRACE_SECONDS
        final_at = max([now + window, *(entry.final_at for entry in self.accepted.values())])
        self.accepted[epoch] = Accepted(
            figures.without_energy() if late else figures,
            late,
            final_at,
            counted=window == 0 and not self.waiting,
        )
        return True

    def finalize(self, limit: int, now: int) -> int:
        """How many epochs were counted."""
        count = 0
        for epoch in self.waiting:
            entry = self.accepted[epoch]
            if count == limit or now < entry.final_at or entry.held:
                break
            entry.counted = True
            count += 1
        return count

    def can_be_held(self, epoch: int, now: int) -> bool:
        """Whether a dispute may hold it."""
        entry = self.accepted.get(epoch)
        return entry is not None and not entry.counted and not entry.held and now < entry.final_at

    def settle(self, epoch: int, figures: Figures) -> None:
        """Let a held epoch go with other figures: late ones have no energy."""
        entry = self.accepted[epoch]
        assert entry.held
        entry.figures = figures.without_energy() if entry.late else figures
        entry.held = False

    @property
    def held(self) -> list[int]:
        return [epoch for epoch, entry in self.accepted.items() if entry.held]

    def resolved_epoch(self, now: int) -> int:
        epoch = self.first_epoch
        while self._is_resolved(epoch, now):
            epoch += 1
        return epoch - 1

    def _is_resolved(self, epoch: int, now: int) -> bool:
        entry = self.accepted.get(epoch)
        if entry is not None and entry.counted:
            return True
        lapsed = now >= end_of(epoch) + GRACE_SECONDS
        return lapsed and (entry is None or entry.late)

    def energy_through(self, epoch: int) -> int:
        """Counted energy of all epochs up to `epoch`, in watt-hours."""
        return sum(
            entry.figures.energy_wh
            for at, entry in self.accepted.items()
            if entry.counted and at <= epoch
        )
