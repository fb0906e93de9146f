"""Reporters as real processes on a real chain and database, with agents that the test plays.

A `Stage` is made once: contracts deployed, two clusters live, reporters named. Each test gets a
`World` of its own on a copy of it: it moves the chain's clock, hands samples in, kills and starts
what it likes.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from api.chain.client import ChainClient
from api.chain.contracts import MetricsOracle
from api.chain.views import MeterReading
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain, agent_domain
from api.domain.epochs import epoch_end, epoch_start
from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.samples import Sample, SampleBatch, SignedBatch, sign_batch
from api.store.embedded import EmbeddedPostgres
from api.types import (
    LOCAL_CHAIN_ID,
    STILL_IN_SERVICE_MS,
    Address,
    ClusterId,
    EnergySource,
    Epoch,
)
from scripts._lib import cast
from scripts._lib.anvil import Anvil, rpc
from scripts._lib.cast import Account
from scripts._lib.processes import Program, service_environment

ROOT = Path(__file__).resolve().parents[2]

GENESIS = 472_222 * 3_600
"""When the stage's chain begins; the clusters go live within the hour."""

FIRST_EPOCH = Epoch(472_223)
CLUSTER, SECOND_CLUSTER = ClusterId(1), ClusterId(2)
AGENTS = cast.agents(3)
INTERVAL_MS = 60_000
GPUS_PER_AGENT = 4
WATTS = 300
BUSY_BPS = 8_000

PATIENCE_SECONDS = 90.0


def gpu_set(cluster_id: ClusterId, agents: Sequence[Account]) -> GpuSet:
    """Four GPUs an agent, in service from the first epoch on, sampled every minute."""
    return GpuSet(
        cluster_id,
        (
            GpuRecord(
                uuid=f"GPU-{cluster_id}-{agent.name}-{number}",
                agent=agent.address,
                from_ms=epoch_start(FIRST_EPOCH) * 1_000,
                until_ms=STILL_IN_SERVICE_MS,
                sample_interval_ms=INTERVAL_MS,
            )
            for agent in agents
            for number in range(GPUS_PER_AGENT)
        ),
    )


GPU_SETS = {
    CLUSTER: gpu_set(CLUSTER, AGENTS[:2]),
    SECOND_CLUSTER: gpu_set(SECOND_CLUSTER, AGENTS[2:]),
}


@dataclass(frozen=True)
class Stage:
    """A chain's state on disk, with the record of what is deployed on it."""

    state: Path
    deployments: Path
    oracle: Address
    newest_time: int
    gpu_sets: Mapping[ClusterId, GpuSet]

    @property
    def domain(self) -> Eip712Domain:
        """Of the agents' signatures."""
        return agent_domain(LOCAL_CHAIN_ID, self.oracle)


def samples_of(
    agent: Account, cluster_id: ClusterId, start_ms: int, end_ms: int, *, busy_bps: int = BUSY_BPS
) -> list[Sample]:
    """A sample a minute of each of the agent's GPUs at [start, end): all busy is billed, 300 W."""
    return [
        Sample(gpu.gpu_id, at_ms, busy_bps, busy_bps, WATTS * (at_ms % 10**12), 0)
        for gpu in GPU_SETS[cluster_id].of_agent(agent.address)
        for at_ms in range(start_ms, end_ms, INTERVAL_MS)
    ]


def batch_of(
    stage: Stage,
    agent: Account,
    sequence: int,
    samples: Iterable[Sample],
    through_ms: int,
    cluster_id: ClusterId = CLUSTER,
) -> SignedBatch:
    """What the agent would send."""
    batch = SampleBatch.of(
        cluster_id, agent.address, sequence, through_ms, EnergySource.METERED, samples
    )
    return sign_batch(batch, agent.signer, stage.domain)


def epoch_batches(
    stage: Stage, epoch: Epoch, agents: Sequence[Account] = AGENTS
) -> list[SignedBatch]:
    """A whole epoch of each agent in one batch, numbered by epochs from 1."""
    start_ms, end_ms = epoch_start(epoch) * 1_000, epoch_end(epoch) * 1_000
    batches = []
    for agent in agents:
        cluster_id = SECOND_CLUSTER if agent in AGENTS[2:] else CLUSTER
        samples = samples_of(agent, cluster_id, start_ms, end_ms)
        sequence = epoch - FIRST_EPOCH + 1
        batches.append(batch_of(stage, agent, sequence, samples, end_ms, cluster_id))
    return batches


def standing_ports(count: int) -> list[int]:
    """Ports that stay free while who listens there is away: no outgoing connection is given one."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.add(port)
    return list(found)


class ReporterProcess:
    """`python -m api.oracle` with a key, a port and a database of its own."""

    def __init__(self, account: Account, port: int, environment: dict[str, str], log: Path) -> None:
        self.account = account
        self.url = f"http://127.0.0.1:{port}"
        self.environment = environment
        self._log = log
        self._program = self._of("api.oracle")

    def start(self) -> None:
        """Start it without waiting."""
        self._program = self._of("api.oracle")
        self._program.launch()

    def start_lying(self, lie: str) -> None:
        """Start, in its place and with its key, one that lies; see `tests.support.liar`."""
        self._program = self._of("tests.support.liar", RACKSTREAM_LIE=lie)
        self._program.launch()

    def kill(self) -> None:
        """End it with SIGKILL: it gets no chance to tidy up."""
        if self._program.pid is not None:
            os.kill(self._program.pid, signal.SIGKILL)
        self._program.stop()

    def end(self) -> int:
        """Tell it to stop, as a service manager does; its exit status."""
        assert self._program.pid is not None
        os.kill(self._program.pid, signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended by itself; its exit status."""
        assert self._program._process is not None
        return self._program._process.wait(PATIENCE_SECONDS)

    def set(self, **environment: str | None) -> None:
        """Change its environment for the next start; None takes a variable away."""
        for name, value in environment.items():
            self.environment.pop(name, None)
            if value is not None:
                self.environment[name] = value

    @property
    def is_alive(self) -> bool:
        return self._program.is_alive()

    @property
    def status(self) -> int | None:
        """With what it ended; None if it runs, or was told to end."""
        process = self._program._process
        return None if process is None else process.poll()

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _of(self, module: str, **environment: str) -> Program:
        return Program(
            self.account.name,
            [sys.executable, "-m", module],
            self.environment | environment,
            self._log,
            lambda: True,
            directory=ROOT,
        )


@dataclass
class World:
    """A chain, a database server and reporters, for one test."""

    stage: Stage
    anvil: Anvil
    folder: Path
    database_url: Callable[[str], str]
    reporters: list[ReporterProcess] = field(default_factory=list)
    _client: ChainClient | None = None
    _http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=10))

    @classmethod
    def on(cls, stage: Stage, folder: Path, database_url: Callable[[str], str]) -> World:
        """A world on a copy of the stage, with a chain and no reporter yet."""
        state = folder / "anvil.json"
        shutil.copyfile(stage.state, state)
        (port,) = standing_ports(1)
        anvil = Anvil(port, state, folder / "anvil.log", genesis_time=stage.newest_time)
        anvil.start()
        return cls(stage, anvil, folder, database_url)

    def add_reporters(
        self, accounts: Sequence[Account] = cast.REPORTERS, urls: dict[Address, str] | None = None
    ) -> None:
        """Start a process for each account. `urls` adds peers that the test plays itself."""
        self.prepare_reporters(accounts, urls)
        for reporter in self.reporters:
            reporter.start()

    def prepare_reporters(
        self, accounts: Sequence[Account] = cast.REPORTERS, urls: dict[Address, str] | None = None
    ) -> None:
        """As `add_reporters`, without starting them."""
        ports = standing_ports(len(accounts))
        peers = {
            account.address: f"http://127.0.0.1:{port}"
            for account, port in zip(accounts, ports, strict=True)
        } | (urls or {})
        for account, port in zip(accounts, ports, strict=True):
            environment = service_environment(
                RACKSTREAM_CHAIN_ID=str(LOCAL_CHAIN_ID),
                RACKSTREAM_RPC_URL=self.anvil.url,
                RACKSTREAM_CLOCK="chain",
                RACKSTREAM_ORACLE_KEY="0x" + account.key.hex(),
                RACKSTREAM_ORACLE_DEPLOYMENTS_DIR=str(self.stage.deployments),
                RACKSTREAM_ORACLE_DATABASE_URL=self.database_url(account.name.replace("-", "_")),
                RACKSTREAM_ORACLE_PORT=str(port),
                RACKSTREAM_ORACLE_PEERS=",".join(
                    f"{address}={url}"
                    for address, url in peers.items()
                    if address != account.address
                ),
                RACKSTREAM_ORACLE_POLL_MS="50",
                RACKSTREAM_ORACLE_PEER_TIMEOUT_S="5",
            )
            process = ReporterProcess(
                account, port, environment, self.folder / f"{account.name}.log"
            )
            self.reporters.append(process)

    async def up(
        self, accounts: Sequence[Account] = cast.REPORTERS, urls: dict[Address, str] | None = None
    ) -> None:
        """Add reporters, wait until they are ready, and give them the GPU sets."""
        self.add_reporters(accounts, urls)
        await self.ready()
        await self.give_manifests()

    async def ready(self, reporters: Sequence[ReporterProcess] | None = None) -> None:
        """Wait until the reporters (all, if none are named) say that they are ready."""
        for reporter in reporters or self.reporters:
            await self.until(partial(self.is_ready, reporter), "ready")

    async def is_ready(self, reporter: ReporterProcess) -> bool:
        return (await self.get(reporter, "/readyz")).status_code == httpx.codes.OK

    async def give_manifests(self, reporters: Sequence[ReporterProcess] | None = None) -> None:
        for reporter in reporters or self.reporters:
            for cluster_id, gpus in self.stage.gpu_sets.items():
                answer = await self.put_gpus(reporter, cluster_id, gpus.to_manifest())
                assert answer.status_code == httpx.codes.OK, answer.text

    async def post(self, reporter: ReporterProcess, body: bytes) -> httpx.Response:
        return await self._http.post(reporter.url + "/v1/samples", content=body)

    async def propose(self, reporter: ReporterProcess, body: bytes) -> httpx.Response:
        return await self._http.post(reporter.url + "/v1/peer/proposals", content=body)

    async def put_gpus(
        self, reporter: ReporterProcess, cluster_id: ClusterId, manifest: str | bytes
    ) -> httpx.Response:
        url = f"{reporter.url}/v1/clusters/{cluster_id}/gpus"
        return await self._http.put(url, content=manifest)

    async def get(self, reporter: ReporterProcess, path: str, **parameters: Any) -> httpx.Response:
        """The answer; 599 if there was none."""
        try:
            return await self._http.get(reporter.url + path, params=parameters or None)
        except httpx.HTTPError as error:
            return httpx.Response(599, text=repr(error))

    async def send(
        self, batches: Sequence[SignedBatch], reporters: Sequence[ReporterProcess] | None = None
    ) -> None:
        """Hand batches to the reporters (all that live, if none are named), as an agent does."""
        targets = reporters or [one for one in self.reporters if one.is_alive]

        async def deliver(reporter: ReporterProcess, body: bytes) -> None:
            async def is_taken() -> bool:
                try:
                    answer = await self.post(reporter, body)
                except httpx.HTTPError:
                    return False
                assert answer.status_code in (200, 503), answer.text
                return answer.status_code == httpx.codes.OK

            await self.until(is_taken, "batch taken")

        bodies = [batch.to_json() for batch in batches]
        await asyncio.gather(*(deliver(one, body) for one in targets for body in bodies))

    async def move_to(self, at: int) -> None:
        """Let the newest block's time be `at`, unless it is later."""
        newest = await asyncio.to_thread(
            rpc, self.anvil.port, "eth_getBlockByNumber", "latest", False
        )
        if int(newest["timestamp"], 16) < at:
            await asyncio.to_thread(rpc, self.anvil.port, "evm_setNextBlockTimestamp", at)
            await asyncio.to_thread(rpc, self.anvil.port, "evm_mine")

    async def set_dispute_window(self, seconds: int) -> None:
        """Let figures that are posted from now on wait so long before they count."""
        await asyncio.to_thread(
            rpc,
            self.anvil.port,
            "eth_sendTransaction",
            {
                "from": Account(cast.ADMIN, "admin").address,
                "to": self.stage.oracle,
                "data": to_hex(self.oracle.encode("setDisputeWindow", seconds)),
            },
        )

        async def is_set() -> bool:
            return await self.oracle.dispute_window_seconds() == seconds

        await self.until(is_set, f"a window of {seconds} s")

    async def posted(self, cluster_id: ClusterId = CLUSTER) -> tuple[Epoch, int]:
        """A cluster's next epoch passes and is posted: the epoch, and when its window is over."""
        epoch = Epoch(await self.oracle.next_epoch(cluster_id))
        await self.measure(epoch)

        async def is_posted() -> bool:
            return await self.oracle.next_epoch(cluster_id) == epoch + 1

        await self.until(is_posted, f"epoch {epoch} posted")
        (report,) = await self.reports(epoch)
        return epoch, report["finalAt"]

    async def measure(
        self, epoch: Epoch, reporters: Sequence[ReporterProcess] | None = None
    ) -> None:
        """Let `epoch` pass and its samples come in."""
        await self.move_to(epoch_end(epoch))
        await self.send(epoch_batches(self.stage, epoch), reporters)

    @property
    def client(self) -> ChainClient:
        if self._client is None:
            self._client = ChainClient(self.anvil.url, chain_id=LOCAL_CHAIN_ID, timeout_seconds=5)
        return self._client

    @property
    def oracle(self) -> MetricsOracle:
        return MetricsOracle(self.client, self.stage.oracle)

    async def reading(self, cluster_id: ClusterId = CLUSTER) -> MeterReading:
        return await self.oracle.reading(cluster_id)

    async def reported(
        self, epoch: Epoch, cluster_id: ClusterId = CLUSTER, seconds: float = PATIENCE_SECONDS
    ) -> MeterReading:
        """Wait until `epoch` is on chain; the meters then."""

        async def is_there() -> bool:
            try:
                return (await self.reading(cluster_id)).epoch >= epoch
            except Exception:  # noqa: BLE001 - the test may have taken the node away for a moment
                return False

        await self.until(is_there, f"epoch {epoch} of cluster {cluster_id} on chain", seconds)
        return await self.reading(cluster_id)

    async def reports(self, epoch: Epoch) -> list[dict[str, Any]]:
        """Every report of `epoch` that is on chain."""
        events = await self.oracle.events(["ReportPosted"], from_block=0)
        return [event.fields for event in events if event.fields["epoch"] == epoch]

    async def until(
        self,
        condition: Callable[[], Awaitable[bool]],
        what: str,
        seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait for a condition. Fails with the reporters' last words."""
        deadline = time.monotonic() + seconds
        while not await condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.last_words()}")
            await asyncio.sleep(0.03)

    def last_words(self, lines: int = 8) -> str:
        """Of each reporter, without the requests that it answered."""
        said = {
            one.account.name: [
                line for line in one.log().splitlines() if '"event": "request"' not in line
            ]
            for one in self.reporters
        }
        return "\n".join(
            "\n".join([f"--- {name}", *of_one[-lines:]]) for name, of_one in said.items()
        )

    async def close(self) -> None:
        await self._http.aclose()
        if self._client is not None:
            await self._client.close()
        for reporter in self.reporters:
            reporter.kill()
        self.anvil.stop()


def proposer(epoch: Epoch, round_: int = 0) -> int:
    """Whose turn it is, as an index into the reporters."""
    return (epoch + round_) % len(cast.REPORTERS)


@asynccontextmanager
async def opened(stage: Stage, postgres: EmbeddedPostgres, folder: Path) -> AsyncIterator[World]:
    """A world without reporters yet, with databases of its own; closed whatever happens in it."""
    prefix = f"w{secrets.token_hex(4)}_"
    world = World.on(stage, folder, lambda name: postgres.url(prefix + name))
    try:
        yield world
    finally:
        await world.close()
