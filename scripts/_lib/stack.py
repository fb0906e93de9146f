"""Everything that runs beside the chain: the reporters, the GPU node agents, and the gateway with a
language model's server behind it.

Each is a real process with its own key; reporters and gateway have a database each, and reporters
another key that pays for their transactions. They take their time from the chain.
"""

from __future__ import annotations

import http.client
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts._lib import cast
from scripts._lib.cast import Account
from scripts._lib.opening import Opened
from scripts._lib.processes import ProcessFailure, Program, Supervisor, service_environment

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]

_READY_PATIENCE_SECONDS = 90.0
_MANIFEST_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Telemetry:
    """What the agents replay: a trace's file (None: the self-made series), from when, and how."""

    trace: Path | None
    anchor_ms: int
    is_repeated: bool
    idle_watts: int
    max_watts: int


@dataclass(frozen=True)
class Till:
    """How inference is sold.

    Attributes:
        fleet: The gateway's file: the operator's signed quote, and the server behind it.
        context_tokens: Most that a request and its answer have together.
        confirmations: Blocks on top of a collection before it counts. More than are mined between
            two checkpoints of the node: what counts then outlives it.
        collect_seconds: Between two collections.
        credit_usd6: Most that a payer may owe, in 10⁻⁶ dollars.
    """

    port: int
    upstream_port: int
    fleet: Path
    context_tokens: int
    confirmations: int
    collect_seconds: int
    credit_usd6: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def upstream_url(self) -> str:
        return f"http://{HOST}:{self.upstream_port}"


@dataclass(frozen=True)
class Endpoint:
    """Where a reporter answers."""

    account: Account
    transmitter: Account
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def is_answering(url: str) -> bool:
    """Whether a GET of `url` is answered with a success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - http, ours
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


class Stack:
    """The services of one cluster on one chain, kept alive by `supervisor`."""

    def __init__(
        self,
        opened: Opened,
        supervisor: Supervisor,
        *,
        rpc_url: str,
        deployments: Path,
        folder: Path,
        logs: Path,
        reporter_ports: Sequence[int],
        database_url: Callable[[str], str],
        poll_ms: int,
    ) -> None:
        """`database_url` gives the address of a reporter's database by its name."""
        self.opened = opened
        self.reporters = tuple(map(Endpoint, cast.REPORTERS, cast.TRANSMITTERS, reporter_ports))
        self._supervisor = supervisor
        self._rpc_url = rpc_url
        self.deployments = deployments
        self._folder = folder
        self._logs = logs
        self._database_url = database_url
        self._poll_ms = poll_ms
        self._programs: list[Program] = []

    def start_reporters(self, on_ready: Callable[[str], None]) -> None:
        """Start all reporters, wait for each, and give each the GPU set. Raises ProcessFailure."""
        programs = [self._reporter(endpoint) for endpoint in self.reporters]
        self._start(programs)
        for endpoint in self.reporters:
            self._until_working(endpoint.account.name, endpoint.url)
            self._give_manifest(endpoint)
            on_ready(endpoint.account.name)

    def start_agents(
        self, agents: Sequence[Account], telemetry: Telemetry, on_ready: Callable[[str], None]
    ) -> None:
        """Start the agents, the GPUs split among them. Raises ProcessFailure."""
        self._start([self._agent(number, agents, telemetry) for number in range(len(agents))])
        for agent in agents:
            on_ready(agent.name)

    def start_selling(self, till: Till, on_ready: Callable[[str], None]) -> None:
        """Start the language model's server and the gateway. Raises ProcessFailure."""
        self._start([self._upstream(till), self._gateway(till)])
        on_ready("upstream")
        self._until_working(cast.GATEWAY.name, till.url)
        on_ready(cast.GATEWAY.name)

    def stop(self) -> None:
        """End all services."""
        self._supervisor.release(self._programs)
        self._programs.clear()

    def _start(self, programs: Sequence[Program]) -> None:
        for program in programs:
            program.launch()
            self._programs.append(program)
        try:
            for program in programs:
                program.wait_until_ready()
        finally:
            # Also those that failed, so that closing the supervisor ends them.
            for program in programs:
                self._supervisor.add(program)

    def _reporter(self, endpoint: Endpoint) -> Program:
        name = endpoint.account.name
        peers = ",".join(
            f"{other.account.address}={other.url}"
            for other in self.reporters
            if other is not endpoint
        )
        environment = self._environment(
            endpoint.account,
            "ORACLE",
            {
                "DEPLOYMENTS_DIR": str(self.deployments),
                "DATABASE_URL": self._database_url(name.replace("-", "_")),
                "DATA_DIR": str(self._folder / name),
                "HOST": HOST,
                "PORT": str(endpoint.port),
                "PEERS": peers,
                "TRANSMITTER_KEY": "0x" + endpoint.transmitter.key.hex(),
                "POLL_MS": str(self._poll_ms),
                "LOG_LEVEL": "info",
            },
        )
        # Started again, a reporter waits for chain and database itself: that it lives is enough.
        return self._program(
            name, "api.oracle", environment, lambda: is_answering(f"{endpoint.url}/livez")
        )

    def _agent(self, number: int, agents: Sequence[Account], telemetry: Telemetry) -> Program:
        agent = agents[number]
        values = {
            "REPORTERS": ",".join(endpoint.url for endpoint in self.reporters),
            "ORACLE": self.opened.oracle,
            "CLUSTER_ID": str(self.opened.cluster_id),
            "DATA_DIR": str(self._folder / agent.name),
            "SOURCE": "self-made" if telemetry.trace is None else "trace",
            "ANCHOR_MS": str(telemetry.anchor_ms),
            "LOOP": "true" if telemetry.is_repeated else "false",
            "PARTITION": str(number),
            "PARTITIONS": str(len(agents)),
            "IDLE_WATTS": str(telemetry.idle_watts),
            "PEAK_WATTS": str(telemetry.max_watts),
            "POLL_MS": str(self._poll_ms),
            "RETRY_MAX_S": "2",
        }
        if telemetry.trace is not None:
            values["TRACE"] = str(telemetry.trace)
        environment = self._environment(agent, "AGENT", values)
        # An agent serves nobody, so there is nothing to ask; it waits for the reporters itself.
        return self._program(agent.name, "api.agent", environment, lambda: True)

    def _upstream(self, till: Till) -> Program:
        environment = service_environment(
            RACKSTREAM_NGRAM_HOST=HOST,
            RACKSTREAM_NGRAM_PORT=str(till.upstream_port),
            RACKSTREAM_NGRAM_CONTEXT_TOKENS=str(till.context_tokens),
        )
        return self._program(
            "upstream",
            "api.ngram",
            environment,
            lambda: is_answering(f"{till.upstream_url}/health"),
        )

    def _gateway(self, till: Till) -> Program:
        environment = self._environment(
            cast.GATEWAY,
            "GATEWAY",
            {
                "DEPLOYMENTS_DIR": str(self.deployments),
                "DATABASE_URL": self._database_url(cast.GATEWAY.name),
                "FLEET": str(till.fleet),
                "HOST": HOST,
                "PORT": str(till.port),
                "POLL_MS": str(self._poll_ms),
                "CREDIT_USD6": str(till.credit_usd6),
                "CONFIRMATIONS": str(till.confirmations),
                "COLLECT_S": str(till.collect_seconds),
                "LOG_LEVEL": "info",
            },
        )
        return self._program(
            cast.GATEWAY.name, "api.gateway", environment, lambda: is_answering(f"{till.url}/livez")
        )

    def _environment(
        self, account: Account, service: str, values: Mapping[str, str]
    ) -> dict[str, str]:
        prefix = f"RACKSTREAM_{service}_"
        return service_environment(
            RACKSTREAM_CHAIN_ID=str(self.opened.chain_id),
            RACKSTREAM_RPC_URL=self._rpc_url,
            RACKSTREAM_CLOCK="chain",
            **{f"{prefix}KEY": "0x" + account.key.hex()},
            **{f"{prefix}{name}": value for name, value in values.items()},
        )

    def _program(
        self, name: str, module: str, environment: dict[str, str], is_ready: Callable[[], bool]
    ) -> Program:
        return Program(
            name,
            [sys.executable, "-m", module],
            environment,
            self._logs / f"{name}.log",
            is_ready,
            ready_seconds=90,
            directory=ROOT,
        )

    def _until_working(self, name: str, url: str) -> None:
        deadline = time.monotonic() + _READY_PATIENCE_SECONDS
        while not is_answering(f"{url}/readyz"):
            self._supervisor.check()
            if time.monotonic() > deadline:
                raise ProcessFailure(
                    f"{name} was not ready within {_READY_PATIENCE_SECONDS:.0f} seconds;"
                    f" {url}/readyz says why"
                )
            time.sleep(0.1)

    def _give_manifest(self, endpoint: Endpoint) -> None:
        """Hand the GPU set in; a reporter takes it from anybody, as the chain has its root."""
        request = urllib.request.Request(  # noqa: S310 - http, ours
            f"{endpoint.url}/v1/clusters/{self.opened.cluster_id}/gpus",
            data=self.opened.gpus.to_manifest().encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        deadline = time.monotonic() + _MANIFEST_PATIENCE_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request, timeout=30):  # noqa: S310
                    return
            except urllib.error.HTTPError as error:
                if error.code < 500 or time.monotonic() > deadline:
                    reason = error.read().decode(errors="replace")
                    raise ProcessFailure(
                        f"{endpoint.account.name} refused the GPU set: {reason}"
                    ) from error
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ProcessFailure(
                        f"{endpoint.account.name} did not take the GPU set: {error}"
                    ) from error
            time.sleep(0.2)
