"""`make up`: the whole system standing, on one machine, for as long as it is wanted.

1. Start anvil (or take the node at RPC_URL) and PostgreSQL (or take DATABASE_URL), deploy, register
   a cluster of the trace's GPUs, each repeating its series without end.
2. Start the reporters, the agents, a language model's server and the gateway before it. On an anvil
   of our own the chain began some hours ago: catch up with now.
3. Go on in real time: the chain's clock follows the wall's, customers send recorded requests and
   pay for each, and pay their leases for every epoch that becomes Final; what they pay is
   distributed. What dies is started again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from api.agent.sources.trace import load_trace
from api.chain.client import ChainClient
from api.chain.contracts import MetricsOracle, Waterfall
from api.domain.self_made import self_made_trace
from api.domain.trace import Trace
from api.errors import RackstreamError
from api.types import EPOCH_SECONDS, LOCAL_CHAIN_ID
from scripts._lib import cast, opening
from scripts._lib.anvil import Anvil
from scripts._lib.buyers import Buyers
from scripts._lib.commerce import Commerce
from scripts._lib.local_chain import LocalChain
from scripts._lib.money import dollars
from scripts._lib.opening import INFERENCE_FUNDS_USD6, USD, Opened
from scripts._lib.postgres import ExternalPostgres, Postgres
from scripts._lib.processes import (
    ProcessFailure,
    Supervisor,
    require_free,
    run_stopped_by_signals,
)
from scripts._lib.recorded_requests import (
    MAX_TOKENS,
    RequestPlan,
    load_llm_trace,
    plan_requests,
)
from scripts._lib.signposts import signposts
from scripts._lib.stack import Stack, Telemetry, Till
from scripts._lib.workspace import Workspace, claimed

AGENTS = 2
CATCH_UP_EPOCHS = 3
IDLE_WATTS = 100
MAX_WATTS = 700
POLL_MS = 100

_TICK_SECONDS = 2
_CHECKPOINT_SECONDS = 30
_CATCH_UP_SECONDS = 180

CONFIRMATIONS = 32
"""Of a collection: more blocks than are mined from one checkpoint to the next."""
_COLLECT_SECONDS = 15

_BUY_SECONDS = 3
"""Between two requests of the customers."""
REQUESTS = 1_000
"""Which are sent again and again."""

_TRIAL = cast.session_keys(len(cast.DEPOSITORS) + 1)[-1]
"""A session key of the first customer, for whoever wants to try."""
_TRIAL_USD6 = 100 * USD


@dataclass(frozen=True)
class Options:
    """What `make up` was asked for."""

    trace: Path | None
    requests: Path | None
    rpc_url: str | None
    database_url: str | None
    anvil_port: int
    reporter_port: int
    gateway_port: int
    price_usd6: int
    workspace: Workspace
    deployments: Path


class ExternalNode:
    """A node that somebody else runs: its chain is theirs to keep."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.generation = 1

    def checkpoint(self) -> None:
        """Nothing to do."""

    def mine(self, blocks: int) -> None:
        """Nothing to do."""


def stand(options: Options, output: Console) -> None:
    """Bring everything up and keep it up until interrupted. Raises ProcessFailure, PortTaken."""

    def say(words: str) -> None:
        now = datetime.now(UTC).strftime("%H:%M:%S")
        output.print(f"[dim]{now}[/]  {escape(words)}", highlight=False, soft_wrap=True)

    _require_ports(options)
    with claimed(options.workspace), Supervisor(say) as supervisor, ExitStack() as ending:
        trace = load_trace(options.trace) if options.trace else self_made_trace()
        say(f"trace: {trace.name}, {len(trace.series):,} GPUs, each repeating its series")
        plan = plan_requests(load_llm_trace(options.requests), 1, REQUESTS)
        say(f"requests: {plan.name}, {len(plan.requests):,} again and again")
        now = int(time.time())
        node, anchor = _node(options, supervisor, now)
        say(f"chain: {node.url}")
        database_url = _database(options, supervisor, ending, now)
        agents = cast.agents(min(AGENTS, len(trace.series)))
        till = _till(options, node)
        opened = _open(trace, agents, node, anchor, options, till, say)
        # What is measured begins with the cluster's first epoch, wherever the chain's time stands.
        anchor = opened.first_epoch * EPOCH_SECONDS
        stack = Stack(
            opened,
            supervisor,
            rpc_url=node.url,
            deployments=options.deployments,
            folder=options.workspace.state,
            logs=options.workspace.logs,
            reporter_ports=[options.reporter_port + n for n in range(len(cast.REPORTERS))],
            database_url=database_url,
            poll_ms=POLL_MS,
        )
        say("starting four reporters")
        stack.start_reporters(lambda name: say(f"{name} is ready"))
        telemetry = Telemetry(
            trace=options.trace.resolve() if options.trace else None,
            anchor_ms=anchor * 1_000,
            is_repeated=True,
            idle_watts=IDLE_WATTS,
            max_watts=MAX_WATTS,
        )
        stack.start_agents(agents, telemetry, lambda name: say(f"{name} runs"))
        stack.start_selling(till, lambda name: say(f"{name} is ready"))
        run_stopped_by_signals(
            _live(opened, node, supervisor, stack, options, till, plan, output, say)
        )


def _require_ports(options: Options) -> None:
    if options.rpc_url is None:
        require_free("anvil", options.anvil_port, "name another: make up ANVIL_PORT=…")
    for number in range(len(cast.REPORTERS)):
        require_free(
            f"reporter-{number + 1}",
            options.reporter_port + number,
            "name the first of four others: make up REPORTER_PORT=…",
        )
    for what, port in (("gateway", options.gateway_port), ("upstream", options.gateway_port + 1)):
        require_free(what, port, "name the first of two others: make up GATEWAY_PORT=…")


def _till(options: Options, node: Anvil | ExternalNode) -> Till:
    return Till(
        port=options.gateway_port,
        upstream_port=options.gateway_port + 1,
        fleet=options.workspace.state / "fleet.json",
        context_tokens=MAX_TOKENS,
        # Nobody says when a node of others has a new block.
        confirmations=CONFIRMATIONS if isinstance(node, Anvil) else 0,
        collect_seconds=_COLLECT_SECONDS,
        credit_usd6=INFERENCE_FUNDS_USD6,
    )


def _node(
    options: Options, supervisor: Supervisor, now: int
) -> tuple[Anvil | ExternalNode, int | None]:
    """The node, and when the first sample falls; None where the chain's own time decides it."""
    if options.rpc_url is not None:
        run_stopped_by_signals(_require_local(options.rpc_url))
        return ExternalNode(options.rpc_url), None
    anchor = now // EPOCH_SECONDS * EPOCH_SECONDS - CATCH_UP_EPOCHS * EPOCH_SECONDS
    anvil = Anvil(
        options.anvil_port,
        options.workspace.state / "anvil.json",
        options.workspace.logs / "anvil.log",
        genesis_time=anchor - EPOCH_SECONDS // 2,
        confirmations=CONFIRMATIONS,
    )
    anvil.start()
    supervisor.add(anvil)
    return anvil, anchor


async def _require_local(url: str) -> None:
    """Raises WrongChain or ChainUnavailable: only a local chain may see the well-known keys."""
    client = ChainClient(url, chain_id=LOCAL_CHAIN_ID)
    try:
        await client.connect()
    finally:
        await client.close()


def _database(
    options: Options, supervisor: Supervisor, ending: ExitStack, now: int
) -> Callable[[str], str]:
    if options.database_url is not None:
        external = ExternalPostgres(options.database_url, f"rackstream_up_{now}")
        ending.callback(external.drop)
        return external.url
    postgres = Postgres(options.workspace.state / "postgres")
    postgres.start()
    supervisor.add(postgres)
    return postgres.url


def _open(
    trace: Trace,
    agents: tuple[cast.Account, ...],
    node: Anvil | ExternalNode,
    anchor: int | None,
    options: Options,
    till: Till,
    say: Callable[[str], None],
) -> Opened:
    with opening.connected(node.url):
        from ape import accounts

        from scripts._lib.operations import newest_time
        from scripts._lib.record import Record

        if anchor is None:
            anchor = (newest_time() // EPOCH_SECONDS + 1) * EPOCH_SECONDS
        opened = opening.open_cluster(
            trace,
            agents,
            options.deployments,
            anchor_ms=anchor * 1_000,
            is_repeated=True,
            idle_watts=IDLE_WATTS,
            max_watts=MAX_WATTS,
            fleet=till.fleet,
            upstream_url=till.upstream_url,
            on_step=say,
        )
        payer = accounts.test_accounts[cast.CUSTOMERS[0].index]
        opening.authorise(Record(options.deployments).system(), _TRIAL, _TRIAL_USD6, payer)
    node.checkpoint()
    return opened


async def _live(
    opened: Opened,
    node: Anvil | ExternalNode,
    supervisor: Supervisor,
    stack: Stack,
    options: Options,
    till: Till,
    plan: RequestPlan,
    output: Console,
    say: Callable[[str], None],
) -> None:
    client = ChainClient(node.url, chain_id=opened.chain_id)
    chain = LocalChain(client, node, supervisor)
    commerce = Commerce(opened, chain, options.price_usd6)
    oracle, waterfall = MetricsOracle(client, opened.oracle), Waterfall(client, opened.waterfall)
    buyers = Buyers(opened, till.url, supervisor.check, chain.now)
    buying: asyncio.Task[None] | None = None
    counted = opened.first_epoch - 1

    async def settle() -> None:
        """Pay and distribute for what has become Final since the last look."""
        nonlocal counted
        reading = await chain.patiently(lambda: oracle.reading(opened.cluster_id))
        if reading.epoch > counted:
            await commerce.pay(reading)
            await commerce.distribute()
            counted = reading.epoch
            began = datetime.fromtimestamp(counted * EPOCH_SECONDS, UTC)
            state = await chain.patiently(lambda: waterfall.state(opened.cluster_id))
            leased, received = commerce.paid_usd6, state.received
            say(
                f"epoch {counted} ({began:%H:%M} UTC) is Final; paid in {dollars(leased)} for"
                f" leases, {dollars(received - leased)} by the inference"
            )

    try:
        if isinstance(node, Anvil):
            await _catch_up(opened, chain, settle, lambda: counted, say)
        # Lines and no table, so that every address can be copied whole in a narrow terminal.
        posts = signposts(
            opened,
            stack,
            till,
            rpc_url=node.url,
            deployments=options.deployments,
            logs=options.workspace.logs,
            hours=CATCH_UP_EPOCHS,
            trial=_TRIAL,
        )
        for label, value in posts:
            output.print(f"  [bold]{label:26}[/] {escape(value)}", soft_wrap=True, highlight=False)
        began = datetime.fromtimestamp(opened.first_epoch * EPOCH_SECONDS, UTC)
        say(f"measured since {began:%H:%M} UTC by the chain's clock")
        if not isinstance(node, Anvil):
            say("that clock is the node's: without new blocks (anvil --block-time) it stands still")
        buying = asyncio.create_task(_buy(buyers, plan, say))
        say("everything is up; Ctrl-C ends it")
        checkpoint_at = time.monotonic() + _CHECKPOINT_SECONDS
        while True:
            if isinstance(node, Anvil):
                await chain.move_to(int(time.time()))
            await settle()
            if time.monotonic() > checkpoint_at:
                state = await chain.patiently(lambda: waterfall.state(opened.cluster_id))
                if state.undistributed:
                    await commerce.distribute()
                await chain.checkpoint()
                checkpoint_at = time.monotonic() + _CHECKPOINT_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
    finally:
        if buying is not None:
            buying.cancel()
        await buyers.close()
        await client.close()


async def _buy(buyers: Buyers, plan: RequestPlan, say: Callable[[str], None]) -> None:
    """One recorded request after the other, without end."""
    for request in cycle(plan.requests):
        try:
            await buyers.ask([request])
        except (ProcessFailure, RackstreamError) as failure:
            say(str(failure))
        await asyncio.sleep(_BUY_SECONDS)


async def _catch_up(
    opened: Opened,
    chain: LocalChain,
    settle: Callable[[], Awaitable[None]],
    counted: Callable[[], int],
    say: Callable[[str], None],
) -> None:
    """Replay the hours up to now as fast as the reporters can."""
    for epoch in range(opened.first_epoch, int(time.time()) // EPOCH_SECONDS):
        say(f"catching up: epoch {epoch}")
        deadline = time.monotonic() + _CATCH_UP_SECONDS
        while counted() < epoch:
            if time.monotonic() > deadline:
                raise ProcessFailure(
                    f"epoch {epoch} did not become Final within {_CATCH_UP_SECONDS} seconds"
                )
            # A node that died has gone back to before the epoch's end.
            await chain.move_to((epoch + 1) * EPOCH_SECONDS + 1)
            await settle()
            await asyncio.sleep(0.1)
        await chain.checkpoint()
    await chain.move_to(int(time.time()))
    await chain.checkpoint()
