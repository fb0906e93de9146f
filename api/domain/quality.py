"""What of a cluster's time was busy and not billed, and what of its income came from related
parties, by the hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.domain.epochs import epoch_end, epoch_start
from api.domain.figures import ClusterFigures
from api.types import Address, Epoch


@dataclass(frozen=True, slots=True)
class Payment:
    """`amount_usd6` that `payer`, None if that is not told, paid for the cluster."""

    epoch: Epoch
    payer: Address | None
    amount_usd6: int


@dataclass(frozen=True, slots=True)
class Relation:
    """`account` is related to the cluster from one epoch to another, that included, or for good."""

    account: Address
    first: Epoch
    last: Epoch | None

    def covers(self, payment: Payment) -> bool:
        return (
            payment.payer == self.account
            and self.first <= payment.epoch
            and (self.last is None or payment.epoch <= self.last)
        )


@dataclass(frozen=True, slots=True)
class Hour:
    """One epoch of a cluster: GPU-seconds, None where no report of it is Final; 10⁻⁶ dollars.

    Attributes:
        paid_usd6: By customers, with the platform's fee and royalties.
        related_usd6: Of that, by related parties.
        unknown_usd6: Of that, by payers that the payment's bytes do not tell: a contract stood
            between.
    """

    epoch: Epoch
    busy_gpu_seconds: int | None = None
    billable_gpu_seconds: int | None = None
    paid_usd6: int = 0
    related_usd6: int = 0
    unknown_usd6: int = 0

    @property
    def leaked_gpu_seconds(self) -> int | None:
        """GPU-seconds that were busy and not billed."""
        if self.busy_gpu_seconds is None or self.billable_gpu_seconds is None:
            return None
        return self.busy_gpu_seconds - self.billable_gpu_seconds

    def to_json(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "from": epoch_start(self.epoch),
            "to": epoch_end(self.epoch),
            "busyGpuSeconds": self.busy_gpu_seconds,
            "billableGpuSeconds": self.billable_gpu_seconds,
            "leakedGpuSeconds": self.leaked_gpu_seconds,
            "paidUsd6": str(self.paid_usd6),
            "relatedUsd6": str(self.related_usd6),
            "unknownUsd6": str(self.unknown_usd6),
        }


def hours_of(
    epochs: Iterable[Epoch],
    begun: Epoch,
    measured: Mapping[Epoch, ClusterFigures],
    payments: Iterable[Payment],
    relations: Iterable[Relation],
) -> list[Hour]:
    """These epochs, in their order; of those before `begun` only such as something was paid in.

    Args:
        measured: The figures that became Final, by epoch.
        relations: Everybody who was ever declared; the relations of one account do not overlap.
    """
    paid: defaultdict[Epoch, list[Payment]] = defaultdict(list)
    for payment in payments:
        paid[payment.epoch].append(payment)
    # Anybody may declare any number of accounts that never pay.
    related: defaultdict[Address | None, list[Relation]] = defaultdict(list)
    for relation in relations:
        related[relation.account].append(relation)
    hours = (_hour(epoch, measured.get(epoch), paid[epoch], related) for epoch in epochs)
    return [hour for hour in hours if hour.epoch >= begun or hour.paid_usd6]


def _hour(
    epoch: Epoch,
    figures: ClusterFigures | None,
    payments: Sequence[Payment],
    related: Mapping[Address | None, Sequence[Relation]],
) -> Hour:
    """`related` has the relations by their account."""

    def total(of: Iterable[Payment]) -> int:
        return sum(payment.amount_usd6 for payment in of)

    def is_related(payment: Payment) -> bool:
        return any(relation.covers(payment) for relation in related.get(payment.payer, ()))

    return Hour(
        epoch,
        None if figures is None else figures.busy_gpu_seconds,
        None if figures is None else figures.billable_gpu_seconds,
        total(payments),
        total(one for one in payments if is_related(one)),
        total(one for one in payments if one.payer is None),
    )
