"""All processes of a replay, with a relay on each way between them, and what keeps them running.

    agents ──▶ door of each reporter ──▶ reporters ◀── a link for each two ──▶ reporters
    each agent, each reporter ──▶ a relay of its own ──▶ Anvil

A reporter has a seat, which is named like who had it first; doors, links and relays are the seat's,
and lead to whoever has it. The doors write down what reporters acknowledged: what the end is held
against.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.domain.codec import parse_uint
from api.types import LOCAL_CHAIN_ID, ClusterId
from scripts._lib import cast
from scripts._lib.cast import Account
from scripts._lib.postgres import Postgres
from scripts._lib.processes import service_environment
from tests.chaos.registry import Registry
from tests.chaos.schedule import ACCOUNTS, REPORTERS, Schedule
from tests.chaos.telemetry import AGENTS, ANCHOR_MS, IDLE_WATTS, PEAK_WATTS, Telemetry
from tests.support.agent import AgentProcess
from tests.support.relay import Behaviour, Forward, Message, Relay
from tests.support.reporting import ReporterProcess, Stage, World

# Between two looks of the service manager, and before it starts again what ended by itself.
_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.5

# For a newcomer's start.
_UP_SECONDS = 60.0


@dataclass(frozen=True)
class Ending:
    """A process that ended though nobody killed it."""

    name: str
    status: int | None
    last_line: str


@dataclass
class Acknowledged:
    """What reporters answered 200 for: bodies by reporter, and how far each agent has got.

    Reporters are named for themselves here, not for their seats.
    """

    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    through_ms: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, reporter: str, body: bytes) -> None:
        self.bodies[reporter].add(body)
        batch = json.loads(body)
        way = reporter, batch["agent"].lower()
        through_ms = parse_uint(batch["throughMs"], "throughMs")
        self.through_ms[way] = max(self.through_ms[way], through_ms)


class System:
    """Everything that runs, by name; `reporters` and `operators` by seat. Made by `running`.

    `newcomers` have had their seat only since some moment of the epoch, `forfeited` are the
    operators who lost their bond. `disputed` is the cluster of this epoch's dispute, `verdicts` say
    of each cluster and epoch that was disputed whether the challenger was right, in their order.
    """

    def __init__(self, world: World, postgres: Postgres, schedule: Schedule) -> None:
        self.world = world
        self.postgres = postgres
        self.schedule = schedule
        self.registry = Registry(world)
        self.operators: dict[str, Account] = {one.name: one for one in cast.REPORTERS}
        self.forfeited: set[str] = set()
        self.disputed = ClusterId(0)
        self.verdicts: dict[tuple[ClusterId, int], bool] = {}
        self.reporters: dict[str, ReporterProcess] = {}
        self.newcomers: set[str] = set()
        self.agents: dict[str, AgentProcess] = {}
        self.nodes: dict[str, Relay] = {}
        self.links: dict[tuple[str, str], Relay] = {}
        self.doors: dict[str, Relay] = {}
        self.acknowledged = Acknowledged()
        self.endings: list[Ending] = []
        self._lie: str | None = schedule.lie
        self._processes: dict[str, ReporterProcess] = {}
        self._seats = {name: name for name in REPORTERS} | {
            notice.newcomer: notice.seat for notice in schedule.notices
        }
        self._leaving: dict[str, ReporterProcess] = {}
        self._in_hand: set[str] = set()

    def honest(self) -> dict[str, ReporterProcess]:
        """Who has the other seats than the liar's, by its own name."""
        return {
            process.account.name: process
            for seat, process in self.reporters.items()
            if seat != self.schedule.liar
        }

    def seated(self, seat: str) -> list[Account]:
        """Who has or had the seat, or will have it."""
        return [ACCOUNTS[name] for name, of_name in self._seats.items() if of_name == seat]

    async def kill(self, name: str, pause_seconds: float) -> None:
        """SIGKILL, and after a pause start it again."""
        if name == "anvil":
            assert self.world.anvil.pid is not None
            os.kill(self.world.anvil.pid, signal.SIGKILL)
            await asyncio.to_thread(self.world.anvil.stop)
            await asyncio.sleep(pause_seconds)
            await asyncio.to_thread(self.world.anvil.start)
        elif name == "postgresql":
            assert self.postgres.pid is not None
            os.kill(self.postgres.pid, signal.SIGKILL)
            await asyncio.sleep(pause_seconds)
            await self.world.until(self._is_postgres_gone, "PostgreSQL gone")
            await asyncio.to_thread(self.postgres.stop)
            await asyncio.to_thread(self.postgres.start)
        else:
            self._in_hand.add(name)
            await asyncio.to_thread(self._process(name).kill)
            await asyncio.sleep(pause_seconds)
            self._start(name)
            self._in_hand.discard(name)

    async def _is_postgres_gone(self) -> bool:
        return not self.postgres.is_alive()

    async def restart_postgres(self) -> None:
        """As an administrator does."""
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.to_thread(self.postgres.start)

    async def let_liar(self, lie: str | None) -> None:
        """Let the liar lie in this way, or not at all."""
        self._lie = lie
        await self.kill(self.schedule.liar, 0)

    async def prepare(self, newcomer: str) -> None:
        """Start a newcomer; all that it lacks is a seat."""
        process = self._processes[newcomer]
        self._launch(self._seats[newcomer], process)

        async def is_up() -> bool:
            answer = await self.world.get(process, "/readyz")
            if "registered" not in answer.text:
                return False
            told = answer.json()
            return all(told[part] == "ok" for part in ("database", "chain", "clock"))

        await self.world.until(is_up, f"{newcomer} up", _UP_SECONDS)

    def hand_over(self, seat: str, newcomer: str) -> None:
        """Let all ways to the seat lead to the newcomer; whoever had it goes on without it."""
        self._leaving[seat] = self.reporters[seat]
        self.reporters[seat] = process = self._processes[newcomer]
        self.newcomers.add(newcomer)
        for relay in (self.doors[seat], *(self.links[way] for way in self.links if way[1] == seat)):
            relay.target = _port(process)
            relay.drop()

    def dismiss(self, seat: str) -> None:
        """End who had the seat before."""
        self._leaving.pop(seat).kill()

    async def keep_running(self) -> None:
        """The service manager: what ended by itself is started again, and told of at the end."""
        while True:
            for name in (*self.reporters, *self.agents):
                process = self._process(name)
                if name not in self._in_hand and not process.is_alive:
                    said = process.log().splitlines()[-1:]
                    self.endings.append(Ending(name, process.status, "".join(said)))
                    await asyncio.sleep(_PAUSE_SECONDS)
                    if name not in self._in_hand:
                        self._start(name)
            await asyncio.sleep(_LOOK_SECONDS)

    def _process(self, name: str) -> ReporterProcess | AgentProcess:
        return self.reporters[name] if name in self.reporters else self.agents[name]

    def _start(self, name: str) -> None:
        if name in self.reporters:
            self._launch(name, self.reporters[name])
        else:
            self.agents[name].start()

    def _launch(self, seat: str, process: ReporterProcess) -> None:
        """Whoever has the liar's seat lies."""
        if seat == self.schedule.liar and self._lie is not None:
            process.start_lying(self._lie)
        else:
            process.start()

    async def _relay(self, target: int) -> Relay:
        relay = Relay(target)
        await relay.start()
        return relay

    async def _open(self, telemetry: Mapping[ClusterId, Telemetry]) -> None:
        """Relays first, then everything behind and before them."""
        world = self.world
        world.prepare_reporters([ACCOUNTS[name] for name in self._seats])
        self._processes = {one.account.name: one for one in world.reporters}
        self.reporters = {seat: self._processes[seat] for seat in REPORTERS}
        for seat, reporter in self.reporters.items():
            self.doors[seat] = await self._relay(_port(reporter))
            self.doors[seat].behaviour = self._written_down(seat)
            self.nodes[seat] = await self._relay(world.anvil.port)
            for other in REPORTERS:
                if other != seat:
                    self.links[seat, other] = await self._relay(_port(self.reporters[other]))
        for name, process in self._processes.items():
            seat = self._seats[name]
            process.set(
                RACKSTREAM_RPC_URL=self.nodes[seat].url,
                RACKSTREAM_ORACLE_POLL_MS="100",
                RACKSTREAM_ORACLE_PEER_TIMEOUT_S="2",
                # Of whoever will have a seat too: a notice says in good time whom to add.
                RACKSTREAM_ORACLE_PEERS=",".join(
                    f"{ACCOUNTS[other].address}={self.links[seat, others].url}"
                    for other, others in self._seats.items()
                    if others != seat
                ),
            )
        for cluster_id, accounts in AGENTS.items():
            for part, account in enumerate(accounts):
                self.nodes[account.name] = await self._relay(world.anvil.port)
                self.agents[account.name] = AgentProcess(
                    account,
                    service_environment(
                        RACKSTREAM_CHAIN_ID=str(LOCAL_CHAIN_ID),
                        RACKSTREAM_ORACLE=world.stage.oracle,
                        RACKSTREAM_CLOCK="chain",
                        RACKSTREAM_RPC_URL=self.nodes[account.name].url,
                        RACKSTREAM_AGENT_KEY="0x" + account.key.hex(),
                        RACKSTREAM_AGENT_REPORTERS=",".join(d.url for d in self.doors.values()),
                        RACKSTREAM_AGENT_CLUSTER_ID=str(cluster_id),
                        RACKSTREAM_AGENT_SOURCE="trace",
                        RACKSTREAM_AGENT_TRACE=str(telemetry[cluster_id].trace),
                        RACKSTREAM_AGENT_ANCHOR_MS=str(ANCHOR_MS),
                        RACKSTREAM_AGENT_PARTITION=str(part),
                        RACKSTREAM_AGENT_PARTITIONS=str(len(accounts)),
                        RACKSTREAM_AGENT_IDLE_WATTS=str(IDLE_WATTS),
                        RACKSTREAM_AGENT_PEAK_WATTS=str(PEAK_WATTS),
                        RACKSTREAM_AGENT_FLUSH_MS="300",
                        RACKSTREAM_AGENT_REQUEST_TIMEOUT_S="5",
                        RACKSTREAM_AGENT_RETRY_MAX_S="1",
                    ),
                    world.folder,
                )
        for name in (*self.reporters, *self.agents):
            self._start(name)
        seated = list(self.reporters.values())
        await world.ready(seated)
        await world.give_manifests(seated)

    def _written_down(self, seat: str) -> Behaviour:
        async def door(request: Message, forward: Forward) -> Message:
            name = self.reporters[seat].account.name
            answer = await forward(request)
            if request.path == "/v1/samples" and answer.status == 200:
                self.acknowledged.add(name, request.body)
            return answer

        return door

    async def _close(self) -> None:
        for agent in self.agents.values():
            agent.kill()
        await self.world.close()
        for relay in (*self.nodes.values(), *self.links.values(), *self.doors.values()):
            await relay.close()


def _port(reporter: ReporterProcess) -> int:
    return int(reporter.url.rpartition(":")[2])


@asynccontextmanager
async def running(
    stage: Stage,
    telemetry: Mapping[ClusterId, Telemetry],
    schedule: Schedule,
    postgres: Postgres,
    folder: Path,
) -> AsyncIterator[System]:
    """The system up, ready and kept running; all of it ended afterwards."""
    world = World.on(stage, folder, postgres.url)
    system = System(world, postgres, schedule)
    try:
        await system._open(telemetry)
        manager = asyncio.create_task(system.keep_running())
        try:
            yield system
        finally:
            manager.cancel()
            await asyncio.gather(manager, return_exceptions=True)
    finally:
        await system._close()
