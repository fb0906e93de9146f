"""From the end of an epoch to its report on chain, an epoch after another."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.domain.epochs import epoch_end
from api.types import Epoch
from scripts._lib.anvil import rpc
from tests.bench.oracle.fleet import Fleet
from tests.bench.oracle.scene import BATCHES, GPUS, RACKS
from tests.support.reporting import World, proposer

LOOK_SECONDS = 0.01
"""Between two looks at the newest block."""


@dataclass(frozen=True)
class Latency:
    """Seconds of one epoch.

    Attributes:
        taken: From the end of the epoch until every reporter had taken every closing batch.
        agreeing: The proposer's own work: gathering, computing, signing, a quorum's signatures.
        mined: From the end of the epoch until the report was mined.
    """

    epoch: Epoch
    taken: float
    agreeing: float
    mined: float


async def measure_epoch(world: World, fleet: Fleet, epoch: Epoch) -> Latency:
    """Let an epoch pass and its report be mined.

    1. A second before its end everything is handed in but each agent's last batch.
    2. A block at the first second after it is the end of the epoch, for all who go by the chain.
    3. At once every agent hands in its last batch, with which it declares the epoch complete.
    4. The first block with a transaction has the report: nothing else is sent to this chain.
    """
    stage = world.stage
    await world.move_to(epoch_end(epoch) - 1)
    for number in range(BATCHES - 1):
        await fleet.send([rack.batch(stage, epoch, number) for rack in RACKS])
    closing = [rack.batch(stage, epoch, BATCHES - 1) for rack in RACKS]
    ended = time.perf_counter()
    await world.move_to(epoch_end(epoch))
    watching = asyncio.create_task(_first_transaction(world))
    await fleet.send(closing)
    taken = time.perf_counter()
    mined = await watching
    await _check_figures(world, epoch)
    return Latency(epoch, taken - ended, _agreeing(world, epoch), mined - ended)


async def _first_transaction(world: World) -> float:
    """When the newest block has a transaction."""
    found = 0.0

    async def is_there() -> bool:
        nonlocal found
        newest = await asyncio.to_thread(
            rpc, world.anvil.port, "eth_getBlockByNumber", "latest", False
        )
        found = time.perf_counter()
        await asyncio.sleep(LOOK_SECONDS)
        return bool(newest["transactions"])

    await world.until(is_there, "a report on chain", seconds=300)
    return found


async def _check_figures(world: World, epoch: Epoch) -> None:
    """All clusters are reported, and were available for the whole epoch."""
    readings = [await world.reading(rack.cluster_id) for rack in RACKS]
    assert {reading.epoch for reading in readings} == {epoch}
    assert all(
        reading.available_gpu_seconds == reading.contracted_gpu_seconds > 0
        and reading.available_gpu_seconds % (GPUS * 3_600) == 0
        for reading in readings
    )


def _agreeing(world: World, epoch: Epoch) -> float:
    """What the proposer's log says."""
    for line in _log(world, epoch):
        if (line.get("event"), line.get("epoch")) == ("agreed", epoch):
            return float(line["seconds"])
    raise AssertionError(f"nobody says that epoch {epoch} was agreed on")


def _log(world: World, epoch: Epoch) -> Iterator[dict[str, Any]]:
    for line in world.reporters[proposer(epoch)].log().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
