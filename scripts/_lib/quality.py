"""What of a cluster's time was busy and not billed, and what of its income came from related
parties, by the hour. All of it is read from the chain.

- GPU time is that of the reports that became Final, whose words are in the oracle's events. A
  sample behind them is shown by `ape run verify_report`.
- Paid is what customers paid for the cluster, fee and royalties included, in the hour in which it
  was collected, or settled by x402 and used. Who paid is told by `payers.py`.
- Related is whoever is declared (`contracts/registry/interfaces/IRelatedParties.sol`) for the hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from typing import Any, Final

from ape import chain
from rich.table import Table

from api.domain.epochs import epoch_at, epoch_start
from api.types import Address, Epoch
from scripts._lib import views
from scripts._lib.events import PastEvent, newest_first
from scripts._lib.money import percent
from scripts._lib.operations import newest_time, require_cluster
from scripts._lib.payers import Payers
from scripts._lib.record import Record
from scripts._lib.tables import gpu_hours, money, numbers, table_of
from scripts._lib.times import utc

HOURS_SHOWN: Final = 24


@dataclass(frozen=True)
class Hour:
    """One epoch of a cluster: GPU-seconds, None where no report of it is Final; 10⁻⁶ dollars.

    Attributes:
        paid_usd6: By customers, with the platform's fee and royalties.
        related_usd6: Of that, by related parties.
        unknown_usd6: Of that, by payers that the payment's bytes do not tell: a contract stood
            between.
    """

    epoch: Epoch
    busy: int | None = None
    billable: int | None = None
    paid_usd6: int = 0
    related_usd6: int = 0
    unknown_usd6: int = 0

    @property
    def leaked(self) -> int | None:
        """GPU-seconds that were busy and not billed."""
        if self.busy is None or self.billable is None:
            return None
        return self.busy - self.billable

    def to_json(self) -> dict[str, Any]:
        return {"start": epoch_start(self.epoch), **asdict(self), "leaked": self.leaked}


@dataclass(frozen=True)
class Payment:
    """`amount_usd6` that `payer`, None if that is not told, paid for the cluster."""

    epoch: Epoch
    payer: Address | None
    amount_usd6: int


@dataclass(frozen=True)
class Relation:
    """`account` is related to the cluster from one epoch to another, that included, or for good."""

    account: Address
    first: int
    last: int | None

    def covers(self, payment: Payment) -> bool:
        return (
            payment.payer == self.account
            and self.first <= payment.epoch
            and (self.last is None or payment.epoch <= self.last)
        )


def read_hours(record: Record, cluster_id: int, count: int = HOURS_SHOWN) -> list[Hour]:
    """The newest `count` hours of a cluster, the running one first.

    Of those before its first epoch only such as something was paid in. Raises UnknownCluster.
    """
    require_cluster(record.system(), cluster_id)
    first = int(record.system().registry.epochRange(cluster_id).firstEpoch)
    newest = epoch_at(newest_time())
    oldest = max(newest - count + 1, 0)
    hours = {epoch: Hour(Epoch(epoch)) for epoch in range(newest, oldest - 1, -1)}
    for view in takewhile(lambda one: one.epoch >= oldest, views.read_epochs(record, cluster_id)):
        hours[view.epoch] = replace(hours[view.epoch], busy=view.busy, billable=view.billable)
    relations = read_relations(record, cluster_id)
    for payment in read_payments(record, cluster_id, Epoch(oldest)):
        if payment.epoch not in hours:
            # Of a block that came while this was read.
            continue
        hour, amount = hours[payment.epoch], payment.amount_usd6
        is_related = any(relation.covers(payment) for relation in relations)
        hours[payment.epoch] = replace(
            hour,
            paid_usd6=hour.paid_usd6 + amount,
            related_usd6=hour.related_usd6 + (amount if is_related else 0),
            unknown_usd6=hour.unknown_usd6 + (amount if payment.payer is None else 0),
        )
    begun = min(first or newest, newest)
    return [one for one in hours.values() if one.epoch >= begun or one.paid_usd6]


def read_relations(record: Record, cluster_id: int) -> list[Relation]:
    """Everybody who was ever declared, with the epochs."""
    relations: list[Relation] = []
    events = newest_first(
        "RelatedParties",
        str(record.system().related.address),
        ["RelationDeclared", "RelationEnded"],
        from_block=record.deployment.contracts["RelatedParties"].block,
        first_indexed=cluster_id,
    )
    for event in reversed(list(events)):
        account = event.fields["account"]
        lasting = [one for one in relations if one.account == account and one.last is None]
        for one in lasting:
            relations.remove(one)
        if event.name == "RelationDeclared":
            # Of one that lasts it says that it was earlier.
            relations.append(Relation(account, event.fields["fromEpoch"], None))
        else:
            relations += [replace(one, last=event.fields["toEpoch"]) for one in lasting]
    return relations


def read_payments(record: Record, cluster_id: int, oldest: Epoch) -> Iterator[Payment]:
    """What was paid for a cluster since an epoch, newest first: inference, then the rest."""
    system = record.system()
    payments = str(system.payments.address)
    payers = Payers(record, cluster_id)
    times: dict[int, Epoch] = {}

    def epoch_of(event: PastEvent) -> Epoch:
        if event.block not in times:
            times[event.block] = epoch_at(int(chain.blocks[event.block].timestamp))
        return times[event.block]

    def since(contract: str, address: str, name: str) -> Iterator[PastEvent]:
        return takewhile(
            lambda event: epoch_of(event) >= oldest,
            newest_first(
                contract,
                address,
                [name],
                from_block=record.deployment.contracts[contract].block,
                first_indexed=cluster_id,
            ),
        )

    for event in since("InferencePayments", payments, "IncomeAllocated"):
        told = 0
        for payer, amount in payers.of(event).items():
            told += amount
            yield Payment(epoch_of(event), payer, amount)
        if told != event.fields["amountUsd6"]:
            yield Payment(epoch_of(event), None, event.fields["amountUsd6"] - told)
    for event in since("Waterfall", str(system.waterfall.address), "IncomeReceived"):
        if event.fields["payer"] != payments:
            yield Payment(epoch_of(event), event.fields["payer"], event.fields["amountUsd6"])


def table(cluster_id: int, hours: Sequence[Hour]) -> Table:
    """The hours as people read them, with their sums."""
    shown = table_of(f"Quality of cluster {cluster_id}", "hour from", "epoch")
    numbers(shown, "busy", "billable", "busy, not billed", "paid", "by related parties", "of paid")
    for hour in hours:
        shown.add_row(utc(epoch_start(hour.epoch)), str(hour.epoch), *_cells(hour))
    shown.add_section()
    measured = [hour for hour in hours if hour.busy is not None]
    shown.add_row(
        "all",
        "",
        *_cells(
            Hour(
                Epoch(0),
                sum(hour.busy or 0 for hour in measured),
                sum(hour.billable or 0 for hour in measured),
                sum(hour.paid_usd6 for hour in hours),
                sum(hour.related_usd6 for hour in hours),
                sum(hour.unknown_usd6 for hour in hours),
            )
        ),
    )
    return shown


def _cells(hour: Hour) -> list[str]:
    related = money(hour.related_usd6)
    if hour.unknown_usd6:
        related += f"\n[dim]unknown: {hour.unknown_usd6:,}[/dim]"
    return [
        *(_gpu_hours(time) for time in (hour.busy, hour.billable, hour.leaked)),
        money(hour.paid_usd6),
        related,
        percent(hour.related_usd6, hour.paid_usd6),
    ]


def _gpu_hours(gpu_seconds: int | None) -> str:
    return "not final" if gpu_seconds is None else gpu_hours(gpu_seconds)
