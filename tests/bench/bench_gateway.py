"""What it costs to be paid by the request: beside the same gateway for nothing, and beside x402's
own server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from api.store.embedded import EmbeddedPostgres
from tests.bench.gateway.paying_out import measure_paying_out
from tests.bench.gateway.replay import recorded, replay
from tests.bench.gateway.results import Results, publish
from tests.bench.gateway.scene import Scene
from tests.bench.gateway.speed import (
    FEW,
    FREE,
    OFFICIAL,
    PAID,
    STREAM,
    WHOLE,
    measure_latency,
    measure_throughput,
)
from tests.support.database import postgres
from tests.support.reporting import GPU_SETS
from tests.support.stage import make_stage

__all__ = ["postgres"]

SYNCS = 200


@pytest.fixture
def scene(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    stage = make_stage(tmp_path_factory.mktemp("stage"), GPU_SETS)
    scene = Scene.open(stage, tmp_path_factory.mktemp("shop"), postgres)
    yield scene
    scene.close()


def test_gateway__paid_free_and_official__published(
    scene: Scene, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seconds, pace = (
        float(request.config.getoption(name)) for name in ("--replay-seconds", "--replay-pace")
    )
    sync_ms = _sync_ms(tmp_path / "synced")
    latencies = [
        latency
        for connections in FEW
        for shape in (WHOLE, STREAM)
        for latency in measure_latency(scene, shape, connections)
    ]
    rounds = [
        *measure_throughput(scene, WHOLE, (PAID, FREE, OFFICIAL)),
        *measure_throughput(scene, STREAM, (PAID, FREE)),
    ]
    replayed = replay(scene, recorded(seconds), pace)
    paying_out = measure_paying_out(scene)
    publish(Results(sync_ms, tuple(rounds), tuple(latencies), replayed, paying_out))
    assert replayed.is_exact


def _sync_ms(path: Path) -> float:
    """Milliseconds that the disk takes to keep a few bytes, in the middle."""
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(bytes(512))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1_000)
    return median(taken)
