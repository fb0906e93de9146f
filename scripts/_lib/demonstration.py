"""The demo from its first process to its last line.

1. Read the traces; a file that breaks a rule is refused before anything is started.
2. Start anvil and PostgreSQL, deploy, register, admit, issue, go live, quote prices.
3. Start reporters, agents, a language model's server and a gateway, replay the traces epoch by
   epoch, let the stream run out.
4. End every process, check the equations, write the chart and the summary.

Exit status: 0 all equations hold, 1 one fails or a process cannot be kept alive, 2 the input is
refused, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from api.agent.sources.trace import load_trace
from api.chain import deployments
from api.chain.client import ChainClient
from api.chain.following import Follower
from api.domain.self_made import self_made_trace
from api.domain.trace import Trace
from api.domain.way import Way
from api.errors import TraceRefused
from api.types import EPOCH_SECONDS
from scripts._lib import cast, opening
from scripts._lib.anvil import Anvil
from scripts._lib.buyers import Buyers
from scripts._lib.command_failures import failure_words
from scripts._lib.equations import Ending, ending_of, equations_of
from scripts._lib.expected import EpochFigures, expected_figures, last_epoch
from scripts._lib.local_chain import LocalChain
from scripts._lib.money import dollars, exact_dollars, percent
from scripts._lib.opening import Opened
from scripts._lib.postgres import Postgres
from scripts._lib.processes import (
    Supervisor,
    free_ports,
    run_stopped_by_signals,
    stopped_by_signals,
)
from scripts._lib.recorded_requests import (
    MAX_TOKENS,
    RequestPlan,
    load_llm_trace,
    plan_requests,
)
from scripts._lib.report import Telling, hour, print_report, write_summary
from scripts._lib.stack import Stack, Telemetry, Till
from scripts._lib.story import CONFIRMATIONS, Snapshot, Story, StoryFailure
from scripts._lib.workspace import Workspace, claimed

IDLE_WATTS = 100
MAX_WATTS = 700

AGENTS = 4
SET_UP_SECONDS = 1_800
"""How long before the first sample the chain begins: within the hour before the first epoch."""

SERVICE_POLL_MS = 50
COLLECT_SECONDS = 1


@dataclass(frozen=True)
class Demand:
    """What the demo was asked for.

    Attributes:
        trace, requests: Files of GPU telemetry and of requests; None is a self-made series.
        epochs: Replay at most so many.
        an_hour: Requests in each of them, on average.
        price_usd6: 10⁻⁶ dollars that customers pay for a leased GPU-hour that was busy.
    """

    trace: Path | None
    requests: Path | None
    epochs: int | None
    an_hour: int
    price_usd6: int


class Narrator:
    """Progress bars and lines on one console."""

    def __init__(self, output: Console) -> None:
        self.output = output
        self.progress = Progress(
            TextColumn("{task.description}", table_column=Column(min_width=33, no_wrap=True)),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(
                "[dim]{task.fields[note]}",
                table_column=Column(no_wrap=True, overflow="ellipsis"),
            ),
            console=output,
        )

    def task(self, words: str, total: int) -> TaskID:
        return self.progress.add_task(words, total=total, note="")

    def step(self, task: TaskID, note: str = "", advance: int = 1) -> None:
        self.progress.update(task, advance=advance, note=escape(note))

    def say(self, words: str) -> None:
        """A line above the bars."""
        self.progress.console.print(f"[yellow]{escape(words)}[/]", highlight=False)


def read(trace: Path | None) -> Trace:
    """The trace, or the self-made series. Raises TraceRefused."""
    return load_trace(trace) if trace is not None else self_made_trace()


def run(demand: Demand, output: Path) -> int:
    """The whole demo; returns its exit status."""
    console = Console()
    errors = Console(stderr=True)
    started = time.monotonic()
    try:
        with stopped_by_signals():
            telling = _tell(demand, Workspace(output.resolve()), console, started)
    except _Refused as refusal:
        errors.print(escape(str(refusal)), style="bold red", highlight=False)
        return 2
    except KeyboardInterrupt:
        errors.print("interrupted; everything that was started has ended", highlight=False)
        return 130
    except Exception as error:
        words = failure_words(error)
        if words is None:
            raise
        errors.print(escape(words), style="bold red", highlight=False)
        return 1
    _conclude(telling, output, console)
    return 0 if telling.succeeded else 1


class _Refused(Exception):
    """A trace is refused; the message names the file."""


@contextmanager
def _named(path: Path | None) -> Iterator[None]:
    try:
        yield
    except TraceRefused as refusal:
        raise _Refused(f"{path}: {refusal}") from refusal


def _tell(demand: Demand, workspace: Workspace, console: Console, started: float) -> Telling:
    narrator = Narrator(console)
    with claimed(workspace), narrator.progress, Supervisor(narrator.say) as supervisor:
        task = narrator.task("reading the traces", 2)
        with _named(demand.trace):
            trace = read(demand.trace)
        narrator.step(task, f"{len(trace.series):,} GPUs, {trace.samples:,} samples")
        anchor = _anchor(trace)
        first_epoch = anchor // EPOCH_SECONDS
        all_epochs = last_epoch(trace, first_epoch) - first_epoch + 1
        epochs = min(demand.epochs or all_epochs, all_epochs)
        with _named(demand.requests):
            plan = plan_requests(load_llm_trace(demand.requests), epochs, demand.an_hour)
        narrator.step(task, f"{len(trace.series):,} GPUs, {len(plan.requests):,} requests")

        task = narrator.task("starting chain and database", 2)
        anvil = Anvil(
            free_ports(1)[0],
            workspace.state / "anvil.json",
            workspace.logs / "anvil.log",
            genesis_time=anchor - SET_UP_SECONDS,
            confirmations=CONFIRMATIONS,
        )
        anvil.start()
        supervisor.add(anvil)
        narrator.step(task, "anvil")
        postgres = Postgres(workspace.state / "postgres")
        postgres.start()
        supervisor.add(postgres)
        narrator.step(task, "PostgreSQL")

        gateway_port, upstream_port = free_ports(2)
        till = Till(
            port=gateway_port,
            upstream_port=upstream_port,
            fleet=workspace.state / "fleet.json",
            context_tokens=MAX_TOKENS,
            confirmations=CONFIRMATIONS,
            collect_seconds=COLLECT_SECONDS,
            # These customers have no other gateway that could take their balance first.
            credit_usd6=opening.INFERENCE_FUNDS_USD6,
        )
        opened = _open(trace, anvil, anchor, workspace, till, narrator)
        stack = Stack(
            opened,
            supervisor,
            rpc_url=anvil.url,
            deployments=workspace.state / "deployments",
            folder=workspace.state,
            logs=workspace.logs,
            reporter_ports=free_ports(len(cast.REPORTERS)),
            database_url=postgres.url,
            poll_ms=SERVICE_POLL_MS,
        )
        _start_services(stack, trace, demand.trace, anchor, till, narrator)
        story, end, expected, way = run_stopped_by_signals(
            _perform(
                opened,
                anvil,
                supervisor,
                stack,
                narrator,
                trace,
                range(first_epoch, first_epoch + epochs),
                demand.price_usd6,
                till,
                plan,
            )
        )
        return Telling(
            story=story,
            trace=trace,
            skipped_epochs=all_epochs - epochs,
            end=end,
            equations=equations_of(story, end, expected),
            way=way,
            restarts=dict(supervisor.restarts),
            seconds=time.monotonic() - started,
        )


def _anchor(trace: Trace) -> int:
    """The start of the epoch in which the first sample is to fall, so that the last one is not
    later than now."""
    length = (trace.end_ms - trace.start_ms + 999) // 1_000
    return (int(time.time()) - length) // EPOCH_SECONDS * EPOCH_SECONDS


def _open(
    trace: Trace, anvil: Anvil, anchor: int, workspace: Workspace, till: Till, narrator: Narrator
) -> Opened:
    task = narrator.task("setting the cluster up", opening.STEPS + 1)
    narrator.step(task, "connecting", advance=0)
    with opening.connected(anvil.url):
        narrator.step(task)
        opened = opening.open_cluster(
            trace,
            cast.agents(min(AGENTS, len(trace.series))),
            workspace.state / "deployments",
            anchor_ms=anchor * 1_000,
            is_repeated=False,
            idle_watts=IDLE_WATTS,
            max_watts=MAX_WATTS,
            fleet=till.fleet,
            upstream_url=till.upstream_url,
            on_step=_announcing(narrator, task),
        )
    narrator.step(task, f"cluster {opened.cluster_id} is Live", advance=0)
    if opened.first_epoch != anchor // EPOCH_SECONDS:
        raise StoryFailure(
            f"the cluster went live for epoch {opened.first_epoch}, the trace begins in"
            f" {anchor // EPOCH_SECONDS}: setting up took longer than its half hour"
        )
    anvil.checkpoint()
    return opened


def _announcing(narrator: Narrator, task: TaskID) -> Callable[[str], None]:
    return lambda words: narrator.step(task, words)


def _start_services(
    stack: Stack,
    trace: Trace,
    trace_path: Path | None,
    anchor: int,
    till: Till,
    narrator: Narrator,
) -> None:
    agents = cast.agents(min(AGENTS, len(trace.series)))
    task = narrator.task("starting the services", len(cast.REPORTERS) + len(agents) + 2)
    announce = _announcing(narrator, task)
    stack.start_reporters(announce)
    telemetry = Telemetry(
        trace=trace_path.resolve() if trace_path is not None else None,
        anchor_ms=anchor * 1_000,
        is_repeated=False,
        idle_watts=IDLE_WATTS,
        max_watts=MAX_WATTS,
    )
    stack.start_agents(agents, telemetry, announce)
    stack.start_selling(till, announce)


async def _perform(
    opened: Opened,
    anvil: Anvil,
    supervisor: Supervisor,
    stack: Stack,
    narrator: Narrator,
    trace: Trace,
    epochs: range,
    price_usd6: int,
    till: Till,
    plan: RequestPlan,
) -> tuple[Story, Ending, Mapping[int, EpochFigures], Way]:
    client = ChainClient(anvil.url, chain_id=opened.chain_id)
    chain = LocalChain(client, anvil, supervisor)
    buyers = Buyers(opened, till.url, supervisor.check, chain.now)
    try:
        replaying = narrator.task("replaying, epoch by epoch", len(epochs))
        story = Story(
            opened=opened,
            chain=chain,
            buyers=buyers,
            plan=plan,
            price_usd6=price_usd6,
            epochs=epochs,
            samples=trace.samples,
            on_epoch=lambda snapshot: narrator.step(replaying, _note(snapshot)),
        )
        await story.replay()
        await asyncio.to_thread(stack.stop)
        running_out = narrator.task("two more days: the stream runs out", story.run_out_steps)
        await story.run_out(lambda: narrator.step(running_out))
        checking = narrator.task("checking against the traces", 3)
        end = await story.chain.patiently(lambda: ending_of(story))
        narrator.step(checking, "read from the chain")
        follower = Follower(client, deployments.load(stack.deployments, opened.chain_id))
        way = await story.chain.patiently(lambda: follower.follow(end.sales.dearest))
        narrator.step(checking, "one request followed")
        expected = expected_figures(trace, epochs[0], len(epochs), IDLE_WATTS, MAX_WATTS)
        narrator.step(checking, "computed from the trace")
        return story, end, expected, way
    finally:
        await buyers.close()
        await client.close()


def _note(snapshot: Snapshot) -> str:
    reading = snapshot.reading
    available = percent(reading.available_gpu_seconds, reading.contracted_gpu_seconds, decimals=1)
    return (
        f"{hour(snapshot.at)[-5:]}  available {available}"
        f"  paid in {dollars(snapshot.waterfall.received)}"
        f"  to holders {dollars(snapshot.waterfall.holders_assigned)}"
    )


def _conclude(telling: Telling, output: Path, console: Console) -> None:
    from scripts._lib.chart import draw

    draw(telling, output / "chart.png")
    write_summary(telling, output / "summary.json")
    print_report(telling, console)
    if telling.skipped_epochs:
        console.print(
            f"Only the first {len(telling.story.epochs)} hours were replayed;"
            f" {telling.skipped_epochs} were left out, as asked."
        )
    if telling.trace.left_out:
        console.print(
            f"{len(telling.trace.left_out)} containers with a single sample were left out."
        )
    sales = telling.end.sales
    if sales.plan.left_out:
        console.print(
            f"{sales.plan.left_out:,} requests of more than {MAX_TOKENS:,} tokens were left out."
        )
    repeats = sales.by_voucher.repeats + sales.by_x402.repeats
    if repeats:
        cut_off = sales.by_voucher.cut_off_usd6 + sales.by_x402.cut_off_usd6
        console.print(
            f"Customers asked {repeats}× again, as a process was away;"
            f" {exact_dollars(cut_off)} were charged for answers that were cut off."
        )
    for name, count in telling.restarts.items():
        console.print(f"{name} died and was started again {count}×; nothing was lost.")
    verdict = (
        f"[bold green]All {len(telling.equations)} equations hold.[/]"
        if telling.succeeded
        else "[bold red]At least one equation does not hold.[/]"
    )
    console.print(
        f"{verdict}  {telling.seconds:.0f} seconds."
        f"  {output / 'chart.png'}  {output / 'summary.json'}",
        soft_wrap=True,
    )
