"""Throughput and latency of the same requests at several servers, in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

import psutil

from tests.bench.gateway.load import Answer, Job, Step
from tests.bench.gateway.official import ENDPOINT
from tests.bench.gateway.scene import CUSTOMERS, Scene, Shape, prompts
from tests.support.selling import Customer

PAID, FREE, OFFICIAL = "by voucher", "for nothing", "x402's own"

WHOLE = Shape("whole", 1_469, 13, is_stream=False)
STREAM = Shape("stream", 1_469, 13, is_stream=True)
"""The middle of the recorded requests, in and out."""

ROUNDS = 5
ROUND_SECONDS = 4.0
LATENCY_SECONDS = 10.0
FEW = (1, 4)
"""Connections at low load."""

# More than one connection sends in a round, or in the time for latencies.
_SIGNED_A_ROUND, _SIGNED_FOR_LATENCY = 60, 3_000


@dataclass(frozen=True)
class Round:
    """One server with CUSTOMERS connections, for a few seconds.

    Attributes:
        per_second: Requests that were paid for and answered.
        cpu_ms: Milliseconds of a core that each of them took, by process.
    """

    shape: str
    server: str
    per_second: float
    failed: int
    cpu_ms: Mapping[str, float]


@dataclass(frozen=True)
class Latency:
    """With few connections, in milliseconds; `first` until the first byte of the answer's body."""

    shape: str
    server: str
    connections: int
    answers: int
    median: float
    p99: float
    first: float


@dataclass(frozen=True)
class Server:
    """One of those that are asked: how it is paid, and whose time it takes."""

    name: str
    port: int
    payments: Callable[[Customer], Iterator[str]]
    processes: Mapping[str, int | None]


def servers(scene: Scene) -> dict[str, Server]:
    others = {
        "model": scene.shop.upstreams[0].pid,
        "database": scene.database.pid,
        "chain": scene.shop.anvil.pid,
    }
    paid, free = scene.shop.gateway, scene.free
    official = {program.name: program.pid for program in scene.official}
    found = (
        Server(PAID, paid.port, scene.vouchers, {"gateway": paid.pid, **others}),
        Server(FREE, free.port, scene.vouchers, {"gateway": free.pid, **others}),
        Server(OFFICIAL, scene.official_port, scene.exact_payments, {**official, **others}),
    )
    return {server.name: server for server in found}


def measure_throughput(scene: Scene, shape: Shape, names: Sequence[str]) -> list[Round]:
    """Each in turn, ROUNDS times."""
    source, known = prompts(), servers(scene)
    bodies = [shape.body(source, number) for number in range(CUSTOMERS)]
    for name in names:
        # Channels and connections are opened, and what is compiled at the first request is.
        _ask(scene, known[name], bodies, ROUND_SECONDS / 2)
    return [_round(scene, shape, known[name], bodies) for _ in range(ROUNDS) for name in names]


def _round(scene: Scene, shape: Shape, server: Server, bodies: Sequence[str]) -> Round:
    before = _cpu_seconds(server.processes)
    answers, load_seconds = _ask(scene, server, bodies, ROUND_SECONDS)
    after = _cpu_seconds(server.processes)
    good = [answer for answer in answers if answer.is_good]
    in_time = sum(answer.last <= ROUND_SECONDS for answer in good)
    took = {name: after[name] - before[name] for name in after} | {"load": load_seconds}
    return Round(
        shape.name,
        server.name,
        in_time / ROUND_SECONDS,
        len(answers) - len(good),
        {name: seconds * 1_000 / max(len(good), 1) for name, seconds in took.items()},
    )


def _ask(
    scene: Scene, server: Server, bodies: Sequence[str], seconds: float
) -> tuple[list[Answer], float]:
    scripts = [
        [
            Step(0, 0, (number + at) % len(bodies), payment)
            for at, payment in enumerate(islice(server.payments(customer), _SIGNED_A_ROUND))
        ]
        for number, customer in enumerate(scene.customers)
    ]
    return Job(ENDPOINT, [server.port], bodies, scripts, seconds).run()


def _cpu_seconds(processes: Mapping[str, int | None]) -> dict[str, float]:
    """That each process and its children have taken since they began."""
    found: dict[str, float] = {}
    for name, pid in processes.items():
        first = psutil.Process(pid)
        family = [first, *first.children(recursive=True)]
        times = [one.cpu_times() for one in family if one.is_running()]
        found[name] = sum(one.user + one.system for one in times)
    return found


def measure_latency(scene: Scene, shape: Shape, connections: int) -> list[Latency]:
    """Paid and free asked request by request in turn, so that both see the same machine."""
    source, known = prompts(), servers(scene)
    asked = [known[PAID], known[FREE]]
    bodies = [shape.body(source, number) for number in range(CUSTOMERS)]
    scripts = [
        [
            Step(0, at % 2, (number + at // 2) % CUSTOMERS, payment)
            for at, payment in enumerate(islice(scene.vouchers(customer), _SIGNED_FOR_LATENCY))
        ]
        for number, customer in enumerate(scene.customers[:connections])
    ]
    answers, _ = Job(
        ENDPOINT, [server.port for server in asked], bodies, scripts, LATENCY_SECONDS
    ).run()
    return [
        _latency(shape, server, connections, [one for one in answers if one.port == place])
        for place, server in enumerate(asked)
    ]


def _latency(shape: Shape, server: Server, connections: int, answers: Sequence[Answer]) -> Latency:
    assert all(answer.is_good for answer in answers), f"{server.name} failed at low load"
    whole = sorted((answer.last - answer.sent) * 1_000 for answer in answers)
    return Latency(
        shape.name,
        server.name,
        connections,
        len(whole),
        median(whole),
        whole[len(whole) * 99 // 100],
        median((answer.first - answer.sent) * 1_000 for answer in answers),
    )
