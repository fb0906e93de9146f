"""What the agents of a replay measure: drawn from the seed, written as a trace for each cluster."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from api.agent.sources.trace import load_trace
from api.domain.epochs import epoch_start
from api.domain.gpu_set import GpuSet
from api.domain.replay import gpu_set_of_trace
from api.types import ClusterId
from scripts._lib import cast
from scripts._lib.cast import Account
from tests.support.reporting import FIRST_EPOCH
from tests.support.seconds import HOUR, Container

INTERVAL = 60
GPUS_PER_AGENT = 4
IDLE_WATTS, PEAK_WATTS = 100, 700
ANCHOR_MS = epoch_start(FIRST_EPOCH) * 1_000

_AGENTS = cast.agents(3)
AGENTS: Mapping[ClusterId, tuple[Account, ...]] = {
    ClusterId(1): _AGENTS[:2],
    ClusterId(2): _AGENTS[2:],
}


@dataclass(frozen=True)
class Telemetry:
    """One cluster's: the containers, and the file that its agents replay."""

    containers: tuple[Container, ...]
    trace: Path
    gpus: GpuSet


def drawn(seed: int, epochs: int, folder: Path) -> dict[ClusterId, Telemetry]:
    """Of every cluster, over `epochs` hours; the files go to `folder`."""
    dice = random.Random(f"telemetry {seed}")
    return {cluster: _of_cluster(dice, cluster, epochs, folder) for cluster in AGENTS}


def _of_cluster(dice: random.Random, cluster_id: ClusterId, epochs: int, folder: Path) -> Telemetry:
    agents = AGENTS[cluster_id]
    containers = tuple(
        _container(dice, f"GPU-{cluster_id}-{number:02}", epochs)
        for number in range(GPUS_PER_AGENT * len(agents))
    )
    rows = [
        f"{busy / 100:.2f},{at},{one.name}"
        for one in containers
        for at, busy in one.samples.items()
    ]
    path = folder / f"cluster-{cluster_id}.csv"
    path.write_text("\n".join(["value,timestamp_anon,container_ip", *rows, ""]))
    addresses = [agent.address for agent in agents]
    gpus = gpu_set_of_trace(cluster_id, load_trace(path), addresses, anchor_ms=ANCHOR_MS)
    return Telemetry(containers, path, gpus)


def _container(dice: random.Random, name: str, epochs: int) -> Container:
    """In service all the time, silent for up to a quarter of an hour about once in six hours."""
    last = epochs * HOUR
    silent: set[int] = set()
    for at in range(INTERVAL, last, INTERVAL):
        if dice.random() < 1 / 360:
            silent.update(range(at, min(at + INTERVAL * dice.randrange(1, 16), last), INTERVAL))
    samples = {
        at: dice.randrange(10_001) for at in range(0, last + 1, INTERVAL) if at not in silent
    }
    return Container(name, INTERVAL, samples)
