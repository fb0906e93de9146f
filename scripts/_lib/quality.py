"""What of a cluster was busy and not billed, and what related parties paid, by the hour, as people
read it. `api/chain/quality.py` has the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.table import Table

from api.chain.quality import QualityReader
from api.domain.epochs import epoch_start
from api.domain.quality import Hour
from api.types import ClusterId, Epoch
from scripts._lib.money import percent
from scripts._lib.network import answer_of
from scripts._lib.record import Record
from scripts._lib.tables import gpu_hours, money, numbers, table_of
from scripts._lib.times import utc

HOURS_SHOWN: Final = 24


def read_hours(record: Record, cluster_id: int, count: int = HOURS_SHOWN) -> list[Hour]:
    """The newest `count` hours of a cluster, the running one first. Raises as the reader."""
    return answer_of(
        record.chain_id,
        lambda client: QualityReader(client, record.deployment, ClusterId(cluster_id)).hours(count),
    )


def table(cluster_id: int, hours: Sequence[Hour]) -> Table:
    """The hours as people read them, with their sums."""
    shown = table_of(f"Quality of cluster {cluster_id}", "hour from", "epoch")
    numbers(shown, "busy", "billable", "busy, not billed", "paid", "by related parties", "of paid")
    for hour in hours:
        shown.add_row(utc(epoch_start(hour.epoch)), str(hour.epoch), *_cells(hour))
    shown.add_section()
    measured = [hour for hour in hours if hour.busy_gpu_seconds is not None]
    shown.add_row(
        "all",
        "",
        *_cells(
            Hour(
                Epoch(0),
                sum(hour.busy_gpu_seconds or 0 for hour in measured),
                sum(hour.billable_gpu_seconds or 0 for hour in measured),
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
    times = (hour.busy_gpu_seconds, hour.billable_gpu_seconds, hour.leaked_gpu_seconds)
    return [
        *(_gpu_hours(time) for time in times),
        money(hour.paid_usd6),
        related,
        percent(hour.related_usd6, hour.paid_usd6),
    ]


def _gpu_hours(gpu_seconds: int | None) -> str:
    return "not final" if gpu_seconds is None else gpu_hours(gpu_seconds)
