"""A hundred live clusters with an agent each, as reporters see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from eth_utils.crypto import keccak

from api.domain.epochs import epoch_end, epoch_start
from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.samples import Sample, SampleBatch, SignedBatch, sign_batch
from api.domain.signing import Signer
from api.types import STILL_IN_SERVICE_MS, ClusterId, EnergySource, Epoch
from tests.support.bulk import live_clusters
from tests.support.reporting import GENESIS, WATTS, Stage, World
from tests.support.scenario import Scenario, default_spec
from tests.support.stage import make_stage

CLUSTERS = 100
GPUS = 4
INTERVAL_MS = 300_000
"""Between two samples of a GPU: the longest that may be registered."""

BATCHES = 3_600_000 // INTERVAL_MS
"""An agent's in an epoch: it sends what it has sampled within a second."""


@dataclass(frozen=True)
class Rack:
    """One cluster's GPUs and the agent that speaks for them."""

    cluster_id: ClusterId
    signer: Signer = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signer", Signer(keccak(text=f"agent of {self.cluster_id}")))

    @cached_property
    def gpus(self) -> GpuSet:
        return GpuSet(
            self.cluster_id,
            (
                GpuRecord(
                    uuid=f"GPU-{self.cluster_id}-{number}",
                    agent=self.signer.address,
                    from_ms=GENESIS * 1_000,
                    until_ms=STILL_IN_SERVICE_MS,
                    sample_interval_ms=INTERVAL_MS,
                )
                for number in range(GPUS)
            ),
        )

    def batch(self, stage: Stage, epoch: Epoch, number: int) -> SignedBatch:
        """The samples of one instant of the epoch; its last batch declares it complete."""
        at_ms = epoch_start(epoch) * 1_000 + number * INTERVAL_MS
        is_last = number == BATCHES - 1
        batch = SampleBatch.of(
            self.cluster_id,
            self.signer.address,
            epoch * BATCHES + number,
            epoch_end(epoch) * 1_000 if is_last else at_ms,
            EnergySource.METERED,
            (
                Sample(gpu.gpu_id, at_ms, 8_000, 8_000, WATTS * (at_ms % 10**12), 0)
                for gpu in self.gpus
            ),
        )
        return sign_batch(batch, self.signer, stage.domain)


RACKS = tuple(Rack(ClusterId(number)) for number in range(1, CLUSTERS + 1))


def make_hundred_clusters(folder: Path) -> Stage:
    """The stage: all clusters live from one epoch on."""

    def open_clusters(scenario: Scenario, gpu_sets: Mapping[ClusterId, GpuSet]) -> None:
        specs = [
            default_spec(gpuSetRoot=gpus.root, gpuCount=len(gpus)) for gpus in gpu_sets.values()
        ]
        live_clusters(scenario.system, scenario.registrar, scenario.issuer, specs)

    return make_stage(folder, {rack.cluster_id: rack.gpus for rack in RACKS}, open_clusters)


async def start_reporters(stage: Stage, folder: Path, database_url: Callable[[str], str]) -> World:
    """Four reporter processes, timed as they are by default, that have every manifest."""
    world = World.on(stage, folder, database_url)
    world.prepare_reporters()
    for reporter in world.reporters:
        reporter.set(RACKSTREAM_ORACLE_POLL_MS=None, RACKSTREAM_ORACLE_PEER_TIMEOUT_S=None)
        reporter.start()
    await world.ready()
    await world.give_manifests()
    return world
