"""The investors' console: what `help()` lists.

Each verb prints a table and returns nothing. What goes wrong is said in words with what to do about
it, never as a trace. The record is read and held against the chain at every verb, so that a verb
never speaks of a deployment that is not there.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Final, ParamSpec

import click
from rich.console import Console

from api.chain.views import ClusterStatus
from api.errors import NotFound, UnknownCluster
from api.types import LOCAL_CHAIN_ID
from scripts._lib import following, quality, sweeping, views
from scripts._lib.commands import open_record, signer
from scripts._lib.failures import in_words
from scripts._lib.money import dollars, percent, shares, units
from scripts._lib.operations import claim_many
from scripts._lib.orders import WHOLE
from scripts._lib.share_acts import ShareActs
from scripts._lib.tables import gpu_hours, money, numbers, plain, table_of
from scripts._lib.wallets import account_of, address_of, sender_for

DEPLOYMENTS_VARIABLE = "RACKSTREAM_DEPLOYMENTS_DIR"
EPOCHS_SHOWN = 12
COLLECTIONS_SHOWN = 12

Arguments = ParamSpec("Arguments")

PIPE_COLUMNS: Final = 132


class NothingToClaim(NotFound):
    """The account has earned less than a unit since its last claim, everywhere."""

    code = "nothing-to-claim"


class InvestorConsole:
    """The verbs, over the record in one folder, printing to one console."""

    def __init__(self, directory: Path | None = None, output: Console | None = None) -> None:
        named = os.environ.get(DEPLOYMENTS_VARIABLE)
        self._directory = directory or (Path(named) if named else None)
        self._output = output or standard_output()
        self._acts = ShareActs(self._directory, self._output)

    def verbs(self) -> Mapping[str, Callable[..., None]]:
        """The console's names for what it can do."""
        return {
            "clusters": self._verb(self.clusters),
            "cluster": self._verb(self.cluster),
            "portfolio": self._verb(self.portfolio),
            "claim": self._verb(self.claim),
            "sweep": self._verb(self.sweep),
            "uptime": self._verb(self.uptime),
            "quality": self._verb(self.quality),
            "inference": self._verb(self.inference),
            "trace": self._verb(self.trace),
            **{name: self._verb(function) for name, function in self._acts.verbs().items()},
            "help": self._verb(self.help),
        }

    def clusters(self) -> None:
        """Every cluster: what it is, what it streams to its holders, how available it was."""
        table = table_of("Clusters", "id", "share", "GPUs", "region", "status")
        numbers(table, "shares issued", "to holders a day", "availability")
        for view in views.read_clusters(open_record(self._directory)):
            table.add_row(
                str(view.cluster_id),
                f"{view.name}\n[dim]{view.symbol}[/dim]" if view.share else "–",
                f"{view.gpu_count:,} × {view.gpu_model}",
                view.region,
                view.status.name.capitalize(),
                shares(view.supply),
                money(view.usd6_per_day),
                percent(view.meters.available, view.meters.contracted),
            )
        self._output.print(table)
        if not table.row_count:
            self._output.print("No cluster is registered yet: `ape run register_cluster`.")

    def cluster(self, cluster_id: int) -> None:
        """One cluster: its specification, its income by level of the waterfall, its stream."""
        record = open_record(self._directory)
        view = views.read_cluster(record, cluster_id)
        spec = views.spec_of(record, cluster_id)
        facts = table_of(f"Cluster {cluster_id}: {view.name or 'no share yet'}", "what", "is")
        for name, value in (
            ("status", view.status.name.capitalize()),
            ("GPUs", f"{view.gpu_count:,} × {view.gpu_model}, {view.region}"),
            ("power", f"at most {spec.gpu_max_power_watts} W a GPU, PUE {_pue(spec.pue_bps)}"),
            ("energy", f"{plain(spec.tariff_usd6_per_kwh)} a kWh"),
            ("other cost", f"{plain(spec.contracted_rate_usd6_per_gpu_hour)} a GPU-hour"),
            ("price paid", plain(spec.price_paid_usd6)),
            ("reserve target", plain(spec.reserve_target_usd6)),
            ("shares", f"{shares(view.supply)} issued of {shares(view.authorised)} authorised"),
            ("share contract", view.share or "–"),
            ("to holders a day", plain(view.usd6_per_day)),
        ):
            facts.add_row(name, value)
        self._output.print(facts)
        income = views.read_income(record, cluster_id)
        money = table_of("Income", "level")
        numbers(money, "dollars", "units")
        for name, amount in (
            ("received from customers", income.received),
            ("not yet distributed", income.undistributed),
            ("operator: running cost", income.operator),
            ("  of that in escrow", income.escrowed),
            ("  not yet covered", income.shortfall),
            ("tranches", income.tranches),
            ("replacement reserve", income.reserve),
            ("holders", income.holders),
        ):
            money.add_row(name, dollars(amount), units(amount))
        self._output.print(money)

    def portfolio(self, who: object = None) -> None:
        """What `who` (an address, an alias or an account) holds, earned and can claim."""
        owner = address_of(who)
        holdings = views.read_portfolio(open_record(self._directory), owner)
        if not holdings:
            self._output.print(f"{owner} holds no shares and has earned nothing on this chain.")
            return
        table = table_of(f"Portfolio of {owner}", "cluster", "share")
        numbers(table, "shares", "of supply", "earned", "claimed", "claimable", "a day")
        for holding in holdings:
            table.add_row(
                str(holding.cluster_id),
                holding.symbol,
                _shares_held(holding),
                percent(holding.shares, holding.supply),
                money(holding.earned),
                money(holding.claimed),
                money(holding.claimable),
                money(holding.usd6_per_day),
            )
        if len(holdings) > 1:
            table.add_section()
            table.add_row(
                "all",
                "",
                "",
                "",
                money(sum(holding.earned for holding in holdings)),
                money(sum(holding.claimed for holding in holdings)),
                money(sum(holding.claimable for holding in holdings)),
                money(sum(holding.usd6_per_day for holding in holdings)),
            )
        self._output.print(table)

    def claim(self, who: object = None, sender: object = None) -> None:
        """Pay out what `who` has earned, in every cluster at once, to them or the payee they set.

        `who`'s own account sends it if ape holds it, else `sender` (on the local chain TEST::0).
        """
        owner = address_of(who)
        record = open_record(self._directory)
        account = sender_for(who, owner, sender)
        symbols = {line.cluster_id: line.symbol for line in views.read_portfolio(record, owner)}
        table = table_of(f"Claimed for {owner}", "cluster", "share", "paid to")
        numbers(table, "dollars", "units")
        for claim in claim_many(record.system(), list(symbols), owner, account):
            amount = claim.amount_usd6
            table.add_row(
                str(claim.cluster_id),
                symbols[claim.cluster_id],
                claim.payee,
                dollars(amount),
                units(amount),
            )
        if not table.row_count:
            raise NothingToClaim(f"{owner} has nothing to claim now", value=owner)
        self._output.print(table)

    def sweep(self, cluster_id: int, who: object = None) -> None:
        """Push on what lies on a cluster's way and anybody may push on.

        `who` sends it and pays the gas (on the local chain TEST::0).
        """
        record = open_record(self._directory)
        is_local = who is None and record.chain_id == LOCAL_CHAIN_ID
        sender = signer(None) if is_local else account_of(who)
        found = sweeping.find(record, cluster_id)
        for outcome in sweeping.push(record, found, sender):
            style = "red" if outcome.has_failed else None
            self._output.print(outcome.text, style=style, markup=False, highlight=False)
        if not found:
            self._output.print("Nothing waits.")

    def uptime(self, cluster_id: int, epochs: int = EPOCHS_SHOWN) -> None:
        """How available and how busy a cluster was, in all and in its last hours."""
        record = open_record(self._directory)
        view = views.read_cluster(record, cluster_id)
        meters = view.meters
        total = table_of(f"Uptime of cluster {cluster_id}", "what")
        numbers(total, "is")
        total.add_row("availability", percent(meters.available, meters.contracted))
        total.add_row("billable utilisation", percent(meters.billable, meters.contracted))
        total.add_row("energy, before PUE", _kwh(meters.energy_wh))
        total.add_row("last final hour", _hour(meters.epoch * 3_600) if meters.epoch else "none")
        age = f"{meters.age_seconds:,} s" + (" [red]stale[/red]" if meters.is_stale else "")
        total.add_row("age of the reading", age)
        self._output.print(total)
        rows = list(islice(views.read_epochs(record, cluster_id), max(0, epochs)))
        if not rows:
            self._output.print(_why_no_hours(view))
            return
        table = table_of(f"Last {len(rows)} measured hours", "hour from (UTC)", "epoch")
        numbers(table, "availability", "busy", "billable", "busy, not billed", "energy")
        for row in rows:
            table.add_row(
                _hour(row.start),
                str(row.epoch),
                percent(row.available, row.contracted),
                percent(row.busy, row.contracted),
                percent(row.billable, row.contracted),
                gpu_hours(row.busy - row.billable),
                _kwh(row.energy_wh),
            )
        self._output.print(table)

    def quality(self, cluster_id: int, hours: int = quality.HOURS_SHOWN) -> None:
        """What of a cluster was busy and not billed, and what related parties paid, by the hour."""
        record = open_record(self._directory)
        self._output.print(quality.table(cluster_id, quality.read_hours(record, cluster_id, hours)))

    def inference(self, cluster_id: int, collections: int = COLLECTIONS_SHOWN) -> None:
        """What a cluster was paid by the inference: its last collections, and of which receipts."""
        views_of = views.read_collections(open_record(self._directory), cluster_id)
        rows = list(islice(views_of, max(0, collections)))
        if not rows:
            self._output.print("Nothing was collected for it yet.")
            return
        table = table_of(
            f"Last {len(rows)} collections for cluster {cluster_id}", "when (UTC)", "transaction"
        )
        table.add_column("gateway, receipts' root", overflow="fold")
        numbers(table, "income", "royalties", "platform's fee")
        for row in rows:
            table.add_row(
                f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%d %H:%M:%S}",
                row.tx_hash,
                f"{row.gateway}\n[dim]{row.root}[/dim]",
                money(row.income),
                money(row.royalty),
                money(row.fee),
            )
        self._output.print(table)

    def trace(self, receipt_id: str, gateway: str) -> None:
        """Where one request's dollars went: a receipt's id, and its gateway's URL."""
        record = open_record(self._directory)
        way = following.follow(record, following.fetch(gateway, receipt_id))
        for table in following.tables(way):
            self._output.print(table)

    def help(self, thing: object = None) -> None:
        """These verbs; `help(thing)` is Python's own."""
        if thing is not None and getattr(thing, "__name__", None) not in self.verbs():
            builtins.help(thing)
            return
        table = table_of("What you can ask", "verb", "for")
        for usage, text in (
            ("clusters()", self.clusters),
            ("cluster(1)", self.cluster),
            ("portfolio('0x…')", self.portfolio),
            ("claim('0x…')", self.claim),
            ("sweep(1, who='alias')", self.sweep),
            ("uptime(1)", self.uptime),
            ("quality(1)", self.quality),
            ("inference(1)", self.inference),
            ("trace('…', 'http://…')", self.trace),
            *self._acts.usages(),
            ("help()", self.help),
        ):
            table.add_row(usage, (text.__doc__ or "").partition("\n")[0])
        self._output.print(table)
        self._output.print("Amounts are in dollars, and below them in units of $0.000001.")

    def _verb(self, function: Callable[Arguments, None]) -> Callable[Arguments, None]:
        @wraps(function)
        def guarded(*arguments: Arguments.args, **options: Arguments.kwargs) -> None:
            try:
                function(*arguments, **options)
            except UnknownCluster as error:
                self._fail(f"{error.message}: clusters() lists those there are")
            except click.ClickException as error:
                self._fail(error.format_message())
            except Exception as error:
                words = in_words(error)
                if words is None:
                    raise
                self._fail(words)

        return guarded

    def _fail(self, words: str) -> None:
        # Never markup: words may quote what somebody typed.
        self._output.print(words, style="red", markup=False, highlight=False)


def standard_output() -> Console:
    """The terminal; a file or a pipe, which has no width of its own, takes the widest table."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=PIPE_COLUMNS)


def _why_no_hours(view: views.ClusterView) -> str:
    if view.status in (ClusterStatus.PROPOSED, ClusterStatus.FUNDING):
        return "The cluster is not live yet: nothing is measured before."
    return f"No report yet; the first measured hour begins {_hour(view.first_epoch * 3_600)} UTC."


def _pue(bps: int) -> str:
    return f"{bps // 10_000}.{bps % 10_000:04d}"


def _kwh(watt_hours: int) -> str:
    return f"{watt_hours // 1_000:,}.{watt_hours % 1_000:03d} kWh"


def _hour(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M}"


def _shares_held(holding: views.Holding) -> str:
    """The shares, and below them how many of them cannot be sold."""
    lines = [shares(holding.shares)]
    if holding.encumbered:
        lines.append(f"[dim]{shares(holding.encumbered)} encumbered[/dim]")
    if holding.frozen:
        everything = holding.frozen == WHOLE
        lines.append(
            f"[dim]{'frozen whole' if everything else shares(holding.frozen) + ' frozen'}[/dim]"
        )
    return "\n".join(lines)
