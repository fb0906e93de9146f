"""The demo's picture: what the cluster did, what it earned, and who earned it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from api.domain.epochs import epoch_end, epoch_start
from api.types import EPOCH_SECONDS, Epoch
from scripts._lib.money import dollars, percent
from scripts._lib.report import Telling, totals_of

INK, MUTED, GRID = "#1b2733", "#66727f", "#e4e8ec"
TEAL, AMBER, BLUE, PLUM, GREY = "#0f8b8d", "#e08e0b", "#2f5d8a", "#a23b4c", "#c8d0d8"
HOLDER_COLOURS = ("#0f8b8d", "#2f5d8a", "#e08e0b", "#a23b4c", "#6c5b9e", "#5f7a33")

USD = 10**6


def draw(telling: Telling, path: Path) -> None:
    """Write the chart as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    style: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "axes.edgecolor": GRID,
        "axes.labelcolor": MUTED,
        "axes.titlecolor": INK,
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": GRID,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "text.color": INK,
        "legend.frameon": False,
    }
    with mpl.rc_context(style):
        figure, panels = plt.subplots(3, 2, figsize=(14, 12.2), dpi=150)
        figure.subplots_adjust(
            left=0.06, right=0.975, top=0.88, bottom=0.075, hspace=0.42, wspace=0.17
        )
        _headline(figure, telling)
        _utilisation(panels[0][0], telling)
        _availability(panels[0][1], telling)
        _tokens(panels[1][0], telling)
        _prices(panels[1][1], telling)
        _revenue(panels[2][0], telling)
        _income(panels[2][1], telling)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, facecolor="white")
        plt.close(figure)


def _headline(figure: Any, telling: Telling) -> None:
    total, state = totals_of(telling.end), telling.end.waterfall
    opened = telling.story.opened
    figure.text(
        0.06, 0.96, f"{opened.spec.name}: measured, paid, streamed by the second", fontsize=18,
        fontweight="bold",
    )  # fmt: skip
    facts = (
        f"{opened.term('gpuCount')} GPUs   ·   {len(telling.story.epochs)} hours"
        f"   ·   availability {percent(total.available_gpu_seconds, total.contracted_gpu_seconds)}"
        f"   ·   utilisation {percent(total.busy_gpu_seconds, total.contracted_gpu_seconds)}"
        f"   ·   {len(telling.end.sales.bills):,} requests paid"
        f"   ·   income {dollars(state.received)}"
        f"   ·   to holders {dollars(state.holders_assigned)}"
    )
    figure.text(0.06, 0.933, _plain(facts), fontsize=11.5, color=MUTED)
    figure.text(
        0.06,
        0.018,
        f"Telemetry: {telling.trace_words}; requests: {telling.requests_words}. Four reporters,"
        " each with a key of its own, signed every hour; all amounts are read from the contracts.\n"
        "A local test chain, a test stablecoin, invented investors and customers.",
        fontsize=8.5,
        color=MUTED,
    )


def _plain(text: str) -> str:
    """`text` with dollars that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _epochs(telling: Telling) -> list[int]:
    return sorted(telling.end.figures)


def _hours(axes: Any, telling: Telling, *, whole: bool) -> tuple[datetime, datetime]:
    """Time along the bottom: the trace, or until the stream has run out; returns its ends."""
    from matplotlib import dates

    untyped: Any = dates
    epochs = _epochs(telling)
    last = epoch_end(Epoch(epochs[-1]))
    if whole:
        dry = (one.at for one in telling.story.snapshots if not one.rate_usd6_per_hour)
        last = next((at for at in dry if at > last + EPOCH_SECONDS), telling.end.at)
    ends = _time(epoch_start(Epoch(epochs[0]))), _time(last)
    axes.set_xlim(*ends)
    locator = untyped.AutoDateLocator(minticks=4, maxticks=8, tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator, tz=UTC))
    return ends


def _stairs(axes: Any, epochs: list[int], values: list[float], colour: str) -> None:
    edges = [_time(epoch_start(Epoch(epoch))) for epoch in epochs]
    edges.append(_time(epoch_end(Epoch(epochs[-1]))))
    axes.stairs(values, edges, fill=True, color=colour, alpha=0.16)
    axes.stairs(values, edges, baseline=None, color=colour, linewidth=2)


def _utilisation(axes: Any, telling: Telling) -> None:
    epochs = _epochs(telling)
    figures = [telling.end.figures[epoch] for epoch in epochs]
    values = [100 * one.busy_gpu_seconds / max(one.contracted_gpu_seconds, 1) for one in figures]
    _stairs(axes, epochs, values, TEAL)
    axes.set_title("Utilisation, billable, per cent of contracted GPU time")
    axes.set_ylim(0, min(100, max(values) * 1.25 + 1))
    total = totals_of(telling.end)
    mean = 100 * total.busy_gpu_seconds / max(total.contracted_gpu_seconds, 1)
    axes.axhline(mean, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"mean {mean:.1f} %", (1, mean), xycoords=("axes fraction", "data"), xytext=(-4, 4),
        textcoords="offset points", ha="right", color=MUTED, fontsize=9,
    )  # fmt: skip
    _hours(axes, telling, whole=False)


def _availability(axes: Any, telling: Telling) -> None:
    epochs = _epochs(telling)
    figures = [telling.end.figures[epoch] for epoch in epochs]
    values = [
        100 * one.available_gpu_seconds / max(one.contracted_gpu_seconds, 1) for one in figures
    ]
    _stairs(axes, epochs, values, BLUE)
    axes.set_title("Availability, per cent (silence counts as downtime)")
    span = max(100 - min(values), 0.4)
    axes.set_ylim(max(0, 100 - 1.6 * span), 100 + 0.12 * span)
    axes.axhline(100, color=GREY, linewidth=1)
    _hours(axes, telling, whole=False)


def _tokens(axes: Any, telling: Telling) -> None:
    """What went into and came out of the model for customers, in each hour."""
    epochs, hours = _epochs(telling), telling.end.sales.plan.hours
    read = [sum(one.context_tokens for one in hour) / 1_000 for hour in hours]
    made = [sum(one.generated_tokens for one in hour) / 1_000 for hour in hours]
    _stairs(axes, epochs, read, BLUE)
    _stairs(axes, epochs, made, PLUM)
    axes.set_title("Paid tokens an hour, thousands")
    axes.set_ylim(0, max([*read, *made, 1.0]) * 1.25)
    _legend(axes, ("in", BLUE), (f"out ({sum(made):,.1f} in all)", PLUM))
    _hours(axes, telling, whole=False)


def _prices(axes: Any, telling: Telling) -> None:
    """What single requests cost."""
    sales = telling.end.sales
    cents = [bill.charge_usd6 / 10_000 for bill in sales.bills]
    axes.hist(cents, bins=40, color=PLUM, alpha=0.55)
    axes.set_title("Requests by their price, cents")
    axes.set_xlim(0, None)
    median, most = sales.prices_usd6
    axes.axvline(median / 10_000, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        _plain(
            f"median {median / 10_000:,.2f} ¢\nlargest {most / 10_000:,.2f} ¢"
            f"\ngas a request: {sales.by_voucher.gas_per_request:,} by voucher"
            f"\n{sales.by_x402.gas_per_request:,} by x402"
        ),
        (1, 1), xycoords="axes fraction", xytext=(-6, -6), textcoords="offset points", ha="right",
        va="top", color=MUTED, fontsize=9,
    )  # fmt: skip


def _legend(axes: Any, *entries: tuple[str, str]) -> None:
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(color=colour, alpha=0.6, label=name) for name, colour in entries],
        loc="upper right",
        ncols=len(entries),
        fontsize=9,
    )


def _an_hour(totals: list[int]) -> list[float]:
    """Dollars of each hour from 10⁻⁶ dollars so far."""
    return [(now - before) / USD for before, now in pairwise([0, *totals])]


def _revenue(axes: Any, telling: Telling) -> None:
    snapshots = telling.story.snapshots
    counted = [one for one in snapshots if one.epoch is not None]
    leased = _an_hour([one.leased_usd6 for one in counted])
    paid = _an_hour([one.waterfall.received for one in counted])
    epochs = _epochs(telling)
    edges = [_time(epoch_start(Epoch(epoch))) for epoch in epochs]
    edges.append(_time(epoch_end(Epoch(epochs[-1]))))
    axes.stairs(
        paid, edges, baseline=leased, fill=True, color=PLUM, alpha=0.55, label="paid by inference"
    )
    axes.stairs(leased, edges, fill=True, color=AMBER, alpha=0.35, label="paid for leases")
    times = [_time(epoch_end(Epoch(epochs[0])))] + [_time(one.at) for one in snapshots]
    rates = [0.0] + [one.rate_usd6_per_hour / USD for one in snapshots]
    axes.step(times, rates, where="post", color=TEAL, linewidth=2.2, label="streaming to holders")
    axes.set_title("Revenue rate, dollars an hour")
    axes.set_ylim(0, max([*paid, *rates, 1.0]) * 1.18)
    axes.legend(loc="upper right", fontsize=9)
    _, last = _hours(axes, telling, whole=True)
    _run_out(axes, telling, last, height=0.82)


def _income(axes: Any, telling: Telling) -> None:
    first, last = _hours(axes, telling, whole=True)
    snapshots = [one for one in telling.story.snapshots if _time(one.at) <= last]
    times = [first] + [_time(one.at) for one in snapshots]
    ends = []
    for number, (holder, colour) in enumerate(
        zip(telling.end.holders, HOLDER_COLOURS, strict=True)
    ):
        values = [0.0] + [one.earned_usd6[number] / USD for one in snapshots]
        axes.plot(times, values, color=colour, linewidth=2)
        ends.append((values[-1], holder.name, colour))
    axes.set_title("Cumulative income of each holder, dollars")
    top = max(max(value for value, _, _ in ends), 0.01)
    axes.set_ylim(0, top * 1.1)
    _name_lines(axes, sorted(ends), last, top)
    from matplotlib import dates

    untyped: Any = dates
    # The names stand beside the lines' ends.
    axes.set_xticks([one for one in axes.get_xticks() if one <= untyped.date2num(last)])
    axes.set_xlim(first, last + (last - first) * 0.42)
    _run_out(axes, telling, last)


def _run_out(axes: Any, telling: Telling, last: datetime, height: float = 1.0) -> None:
    """Shade the time after the last income; `height` is where in the panel that is said."""
    ended = _time(epoch_end(Epoch(_epochs(telling)[-1])))
    axes.axvspan(ended, last, color=GRID, alpha=0.45, linewidth=0)
    axes.annotate(
        "the stream runs out",
        (ended, height),
        xycoords=("data", "axes fraction"),
        xytext=(6, -4),
        textcoords="offset points",
        va="top",
        fontsize=8.5,
        color=MUTED,
    )


def _name_lines(axes: Any, ends: list[tuple[float, str, str]], end: datetime, top: float) -> None:
    """Each line's name and amount at its end, moved apart where they would overlap."""
    gap = top * 0.07
    placed = -gap
    for value, name, colour in ends:
        at = max(value, placed + gap)
        placed = at
        axes.annotate(
            _plain(f"{name}  ${value:,.2f}"),
            (end, at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            fontweight="bold",
            color=colour,
        )
