"""What the network between reporters does to them: a relay before one of them is in our hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.store.embedded import EmbeddedPostgres
from scripts._lib import cast
from tests.support.relay import Forward, Message, Relay
from tests.support.reporting import FIRST_EPOCH, SECOND_CLUSTER, Stage, World, opened, proposer

BEHIND = cast.REPORTERS[proposer(FIRST_EPOCH, 1)]
"""The one behind the relay; it is another one's turn."""


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay(0)
    await relay.start()
    yield relay
    await relay.close()


@pytest.fixture
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path: Path, relay: Relay
) -> AsyncIterator[World]:
    async with opened(stage, postgres, tmp_path) as world:
        world.add_reporters(urls={BEHIND.address: relay.url})
        (behind,) = [one for one in world.reporters if one.account == BEHIND]
        relay.target = int(behind.url.rpartition(":")[2])
        await world.ready()
        await world.give_manifests()
        yield world


async def test_report__peer_silent__costs_one_wait_however_many_clusters(
    world: World, relay: Relay
) -> None:
    asked = set()

    async def silent(request: Message, forward: Forward) -> None:
        if request.path.partition("?")[0].endswith("/batches"):
            asked.add(request.path)
        await asyncio.Event().wait()

    relay.become(silent)
    await world.measure(FIRST_EPOCH)
    await world.reported(FIRST_EPOCH)
    await world.reported(FIRST_EPOCH, SECOND_CLUSTER)
    assert len(asked) == 1
