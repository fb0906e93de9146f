"""What a reporter does with an epoch of a thousand GPUs sampled every minute."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from api.domain.eip712 import agent_domain
from api.domain.figures import epoch_figures
from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.merkle import merkle_root
from api.domain.samples import Sample, SampleBatch, sample_leaf
from api.domain.signing import Signer, require_signer
from api.types import (
    LOCAL_CHAIN_ID,
    STILL_IN_SERVICE_MS,
    Address,
    ClusterId,
    EnergySource,
    Epoch,
)

GPUS = 1_000
EPOCH = Epoch(480_000)
START_MS = EPOCH * 3_600_000
AGENT = Signer(b"\x01" * 32)
CONTRACT = Address("0x" + "0" * 39 + "1")


@pytest.fixture(scope="module")
def gpus() -> GpuSet:
    return GpuSet(
        ClusterId(1),
        (
            GpuRecord(f"GPU-{number:05}", AGENT.address, 0, STILL_IN_SERVICE_MS, 60_000)
            for number in range(GPUS)
        ),
    )


@pytest.fixture(scope="module")
def samples(gpus: GpuSet) -> list[Sample]:
    return [
        Sample(gpu.gpu_id, START_MS + minute * 60_000, 5_000, 5_000, (minute + 5) * 24_000_000, 0)
        for gpu in gpus
        for minute in range(-5, 60)
    ]


def timed(what: str, count: int, work: Callable[[], object]) -> None:
    """Say how long the best of three took, for each of `count`."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    print(f"\n{what}: {best * 1_000:.1f} ms, {best / count * 1e6:.2f} µs each of {count:,}", end="")


def test_epoch_figures__a_thousand_gpus__time(gpus: GpuSet, samples: list[Sample]) -> None:
    timed("figures", len(samples), lambda: epoch_figures(gpus, EPOCH, samples, 700))


def test_sample_leaf__an_epochs_samples__time(samples: list[Sample]) -> None:
    timed("leaves", len(samples), lambda: [sample_leaf(sample) for sample in samples])


def test_merkle_root__an_epochs_samples__time(samples: list[Sample]) -> None:
    leaves = [sample_leaf(sample) for sample in samples]
    timed("root", len(leaves), lambda: merkle_root(leaves))


def test_require_signer__a_batch__time(samples: list[Sample]) -> None:
    domain = agent_domain(LOCAL_CHAIN_ID, CONTRACT)
    batch = SampleBatch.of(
        ClusterId(1), AGENT.address, 1, START_MS, EnergySource.METERED, samples[:5_000]
    )
    digest = batch.digest(domain)
    signature = AGENT.sign(digest)
    timed("signature", 1, lambda: require_signer(digest, signature, AGENT.address))
