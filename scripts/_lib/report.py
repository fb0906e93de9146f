"""What the demo says at its end: tables for people, the same figures as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api.domain.codec import json_integer
from api.domain.epochs import epoch_start
from api.domain.figures import ClusterFigures
from api.domain.self_made import SELF_MADE
from api.domain.trace import Trace
from api.domain.way import Way
from api.types import Epoch
from scripts._lib.equation import Equation
from scripts._lib.equations import Ending
from scripts._lib.money import dollars, exact_dollars, percent, shares
from scripts._lib.opening import MODEL, PRICE
from scripts._lib.sales import summary_of_sales
from scripts._lib.story import Story


@dataclass(frozen=True)
class Telling:
    """Everything that a report is made from."""

    story: Story
    trace: Trace
    skipped_epochs: int
    end: Ending
    equations: Sequence[Equation]
    way: Way
    restarts: Mapping[str, int]
    seconds: float

    @property
    def succeeded(self) -> bool:
        return all(equation.holds for equation in self.equations)

    @property
    def trace_words(self) -> str:
        """The trace's name, and that it is invented where it is."""
        return _words(self.trace.name)

    @property
    def requests_words(self) -> str:
        """The same of the trace of requests."""
        return _words(self.end.sales.plan.name)


def _words(name: str) -> str:
    return "self-made series (invented)" if name == SELF_MADE else name


def hour(at: int) -> str:
    """A Unix second as a date and a time of day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def totals_of(end: Ending) -> ClusterFigures:
    """The figures of all epochs added up, in one record."""
    one = next(iter(end.figures.values()))
    every = list(end.figures.values())
    return ClusterFigures(
        cluster_id=one.cluster_id,
        energy_wh=sum(figures.energy_wh for figures in every),
        contracted_gpu_seconds=sum(figures.contracted_gpu_seconds for figures in every),
        available_gpu_seconds=sum(figures.available_gpu_seconds for figures in every),
        busy_gpu_seconds=sum(figures.busy_gpu_seconds for figures in every),
        billable_gpu_seconds=sum(figures.billable_gpu_seconds for figures in every),
    )


def print_report(telling: Telling, output: Console) -> None:
    """The tables, the acts, the equations."""
    output.print(_epoch_table(telling))
    output.print(_inference_table(telling))
    output.print(_waterfall_table(telling))
    output.print(_holder_table(telling))
    for table in _way_tables(telling.way):
        output.print(table)
    output.print(_equation_table(telling.equations))
    output.print(conservation(telling), soft_wrap=True)


def conservation(telling: Telling) -> str:
    """The line that says where every unit is."""
    state, end = telling.end.waterfall, telling.end
    claimed = sum(holder.claimed_usd6 for holder in end.holders)
    rest = end.stream.funded_usd6 - claimed
    return (
        f"Conservation, in 10⁻⁶ dollars: received {state.received:,}"
        f" = operator paid {state.operator_paid:,}"
        f" + operator owed {state.operator_earned - state.operator_paid:,}"
        f" + escrowed {state.escrowed:,} + lenders {state.tranches_assigned:,}"
        f" + reserve {state.reserve_assigned:,} + claimed by holders {claimed:,}"
        f" + fractions of a unit still theirs {rest:,} + undistributed {state.undistributed:,}"
    )


def _epoch_table(telling: Telling) -> Table:
    title = f"Measured by four reporters: {telling.trace_words}"
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = "energy is modelled from utilisation (idle to peak power), before PUE"
    for name in ("hour (UTC)", "GPUs", "available", "utilised", "kWh", "leases", "inference"):
        is_text = name.startswith("hour")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=is_text)
    leased = sold = 0
    for snapshot in telling.story.snapshots:
        if snapshot.epoch is None:
            continue
        figures = telling.end.figures[snapshot.epoch]
        table.add_row(
            hour(epoch_start(Epoch(snapshot.epoch)))[5:],
            _tenths(figures.contracted_gpu_seconds, 3_600),
            percent(figures.available_gpu_seconds, figures.contracted_gpu_seconds),
            percent(figures.busy_gpu_seconds, figures.contracted_gpu_seconds),
            _tenths(figures.energy_wh, 1_000),
            dollars(snapshot.leased_usd6 - leased),
            dollars(snapshot.inference_usd6 - sold),
        )
        leased, sold = snapshot.leased_usd6, snapshot.inference_usd6
    total = totals_of(telling.end)
    table.add_section()
    table.add_row(
        "all",
        _tenths(total.contracted_gpu_seconds, 3_600 * len(telling.end.figures)),
        percent(total.available_gpu_seconds, total.contracted_gpu_seconds),
        percent(total.busy_gpu_seconds, total.contracted_gpu_seconds),
        _tenths(total.energy_wh, 1_000),
        dollars(leased),
        dollars(sold),
    )
    return table


def _inference_table(telling: Telling) -> Table:
    sales = telling.end.sales
    plan, receipts, income = sales.plan, sales.receipts, sales.income
    by_voucher, by_x402 = sales.by_voucher, sales.by_x402
    median, most = sales.prices_usd6
    table = Table(
        title=f"Paid by the inference: {telling.requests_words}",
        title_justify="left",
        caption_justify="left",
        show_header=False,
    )
    table.caption = (
        f"{len(plan.requests):,} of {plan.recorded:,} requests, taken evenly, their time stretched"
        f" over {len(plan.hours)} hours"
    )
    table.add_column("what")
    table.add_column("is", justify="right")
    for what, value in (
        ("requests answered and paid", f"{len(sales.bills):,}"),
        ("of them by vouchers, by x402", f"{by_voucher.requests:,}, {by_x402.requests:,}"),
        ("tokens in", f"{sum(one.receipt.input_tokens for one in receipts):,}"),
        ("tokens out", f"{sum(one.receipt.output_tokens for one in receipts):,}"),
        (
            "price of a million tokens, in and out",
            f"{dollars(PRICE.input)}, {dollars(PRICE.output)}",
        ),
        ("billed", exact_dollars(sales.billed_usd6)),
        ("paid by x402", exact_dollars(income.transferred_usd6)),
        ("of that credited, not used", exact_dollars(income.transferred_usd6 - income.used_usd6)),
        ("income of the cluster", exact_dollars(income.inference_usd6)),
        ("the platform's fee", exact_dollars(income.fee_usd6)),
        (f"the royalty of {MODEL}'s owner", exact_dollars(income.royalty_usd6)),
        ("price of a request, median", exact_dollars(median)),
        ("price of a request, largest", exact_dollars(most)),
        ("batches of vouchers, of x402", f"{by_voucher.batches:,}, {by_x402.batches:,}"),
        ("gas a request by voucher", f"{by_voucher.gas_per_request:,}"),
        ("gas a request by x402", f"{by_x402.gas_per_request:,}"),
    ):
        table.add_row(what, value)
    return table


def _way_tables(way: Way) -> list[Table]:
    """Where the dollars of the dearest request went."""
    # Ape takes Ctrl-C for itself as it is imported; `opening.connected` has seen to that by now.
    from scripts._lib import following

    return following.tables(way)


def _tenths(value: int, unit: int) -> str:
    scaled = value * 10 // unit
    return f"{scaled // 10:,}.{scaled % 10}"


def waterfall_lines(telling: Telling) -> dict[str, int]:
    """Where the income went, in 10⁻⁶ dollars; the lines after the first add up to it."""
    state = telling.end.waterfall
    return {
        "received": state.received,
        "operatorEarned": state.operator_earned,
        "escrowed": state.escrowed,
        "tranches": state.tranches_assigned,
        "reserve": state.reserve_assigned,
        "holders": state.holders_assigned,
        "undistributed": state.undistributed,
    }


_LINE_WORDS = {
    "received": "in: leases and inference, paid by customers",
    "operatorEarned": "operator: power and running costs that are final",
    "escrowed": "escrowed: for the operator, until costs are final",
    "tranches": "lenders",
    "reserve": "replacement reserve",
    "holders": "holders, streamed by the second",
    "undistributed": "not yet distributed",
}


def _waterfall_table(telling: Telling) -> Table:
    table = Table(title="Waterfall", title_justify="left", caption_justify="left")
    table.add_column("line")
    table.add_column("dollars", justify="right")
    table.add_column("units (10⁻⁶)", justify="right")
    for key, amount in waterfall_lines(telling).items():
        table.add_row(_LINE_WORDS[key], dollars(amount), f"{amount:,}")
    short = telling.story.shortfall_usd6
    if short:
        table.caption = (
            f"At the end of the trace the operator's costs were {dollars(short)} above what its"
            " income had left for them: later income goes there first."
        )
    return table


def _holder_table(telling: Telling) -> Table:
    table = Table(title="Holders", title_justify="left")
    for name in ("holder", "shares", "earned", "claimed", "claimable"):
        table.add_column(name, justify="left" if name == "holder" else "right")
    for holder in telling.end.holders:
        table.add_row(
            holder.name,
            shares(holder.shares),
            exact_dollars(holder.earned_usd6),
            exact_dollars(holder.claimed_usd6),
            exact_dollars(holder.claimable_usd6),
        )
    return table


def _equation_table(equations: Sequence[Equation]) -> Table:
    table = Table(title="Equations", title_justify="left")
    table.add_column("what must hold")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("")
    for one in equations:
        if one.holds:
            table.add_row(one.text, one.actual, "[green]holds[/]")
        else:
            table.add_row(one.text, f"{one.actual}, expected {one.expected}", "[bold red]FAILS[/]")
    return table


def summary_of(telling: Telling) -> dict[str, Any]:
    """The report for programs: ratios in basis points rounded down, integers above 2^53 − 1 as
    text.
    """
    story, end, total = telling.story, telling.end, totals_of(telling.end)
    plan = end.sales.plan
    contracted = max(total.contracted_gpu_seconds, 1)
    return {
        "succeeded": telling.succeeded,
        "seconds": round(telling.seconds, 1),
        "trace": {
            "name": telling.trace.name,
            "selfMade": telling.trace.name == SELF_MADE,
            "gpus": len(telling.trace.series),
            "samples": telling.trace.samples,
            "leftOut": list(telling.trace.left_out),
            "repeatedRows": telling.trace.repeated_rows,
            "epochsReplayed": len(story.epochs),
            "epochsSkipped": telling.skipped_epochs,
        },
        "cluster": {
            "id": story.opened.cluster_id,
            "gpuCount": story.opened.term("gpuCount"),
            "priceUsd6PerBusyGpuHour": story.price_usd6,
        },
        "availabilityBps": total.available_gpu_seconds * 10_000 // contracted,
        "meanUtilisationBps": total.busy_gpu_seconds * 10_000 // contracted,
        "energy": {"wattHours": total.energy_wh, "source": "modelled"},
        "gpuSeconds": {
            "contracted": total.contracted_gpu_seconds,
            "available": total.available_gpu_seconds,
            "busy": total.busy_gpu_seconds,
            "billable": total.billable_gpu_seconds,
        },
        "waterfallUsd6": {
            **{key: json_integer(value) for key, value in waterfall_lines(telling).items()},
            "operatorPaid": json_integer(end.waterfall.operator_paid),
            "operatorShortfallAtEndOfTrace": json_integer(story.shortfall_usd6),
            "operatingCost": json_integer(story.final_cost_usd6),
        },
        "incomeUsd6": {
            "leases": json_integer(end.sales.income.leases_usd6),
            "inference": json_integer(end.sales.income.inference_usd6),
        },
        "inference": {
            **summary_of_sales(end.sales),
            "selfMade": end.sales.plan.name == SELF_MADE,
            "way": telling.way.to_json(),
        },
        "distributions": end.distributions,
        "holders": [
            {
                "name": holder.name,
                "address": holder.address,
                "shares": json_integer(holder.shares),
                "earnedUsd6": json_integer(holder.earned_usd6),
                "claimedUsd6": json_integer(holder.claimed_usd6),
                "claimableUsd6": json_integer(holder.claimable_usd6),
            }
            for holder in end.holders
        ],
        "epochs": [
            {
                "epoch": epoch,
                "startsAt": epoch_start(Epoch(epoch)),
                "energyWh": figures.energy_wh,
                "contractedGpuSeconds": figures.contracted_gpu_seconds,
                "availableGpuSeconds": figures.available_gpu_seconds,
                "busyGpuSeconds": figures.busy_gpu_seconds,
                "billableGpuSeconds": figures.billable_gpu_seconds,
                "requests": len(plan.hours[number]),
            }
            for number, (epoch, figures) in enumerate(sorted(end.figures.items()))
        ],
        "acts": story.acts,
        "restarts": dict(telling.restarts),
        "equations": [
            {
                "text": one.text,
                "expected": one.expected,
                "actual": one.actual,
                "holds": one.holds,
            }
            for one in telling.equations
        ],
    }


def write_summary(telling: Telling, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary_of(telling), indent=2, ensure_ascii=False) + "\n")
