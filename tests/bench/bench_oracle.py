"""How soon after an epoch its report is on chain, and what the oracle's operations cost."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from api.store.embedded import EmbeddedPostgres
from api.types import Epoch
from tests.bench.oracle.fleet import Fleet
from tests.bench.oracle.latency import measure_epoch
from tests.bench.oracle.results import Results, publish
from tests.bench.oracle.scene import RACKS, make_hundred_clusters, start_reporters
from tests.support.database import postgres
from tests.support.reporting import World

__all__ = ["postgres"]

EPOCHS = 5


@pytest.fixture
async def world(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    stage = make_hundred_clusters(tmp_path_factory.mktemp("stage"))
    prefix = f"b{secrets.token_hex(4)}_"
    world = await start_reporters(
        stage, tmp_path_factory.mktemp("reporters"), lambda name: postgres.url(prefix + name)
    )
    yield world
    await world.close()


async def test_report__a_hundred_clusters__published(world: World) -> None:
    first = await world.oracle.next_epoch(RACKS[0].cluster_id)
    async with Fleet(world.reporters) as fleet:
        latencies = [
            await measure_epoch(world, fleet, Epoch(first + number)) for number in range(EPOCHS)
        ]
    publish(Results(tuple(latencies)))
