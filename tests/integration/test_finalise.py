"""A dispute window: what was posted counts when it is over, by the reporters' own doing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from api.domain.codec import to_hex
from api.store.embedded import EmbeddedPostgres
from api.types import ROUND_SECONDS, Epoch
from tests.support.reporting import CLUSTER, SECOND_CLUSTER, ReporterProcess, Stage, World, opened

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chaos]

WINDOW_SECONDS = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Four reporters and a window of a minute."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("finalise")) as world:
        await world.set_dispute_window(WINDOW_SECONDS)
        await world.up()
        yield world


def turn_of(world: World, epoch: Epoch, round_: int = 0) -> ReporterProcess:
    """Whose turn it is to make the first cluster's figures final."""
    return world.reporters[(epoch + CLUSTER + round_) % len(world.reporters)]


async def finals_of(world: World, epoch: Epoch) -> dict[int, str]:
    """By cluster, who made its figures of `epoch` final."""
    events = await world.oracle.events(["FiguresFinal"], from_block=0)
    senders = {}
    for event in events:
        if event.fields["epoch"] == epoch:
            call = await world.client.request(
                "eth_getTransactionByHash", [to_hex(event.log.tx_hash)]
            )
            senders[int(event.fields["clusterId"])] = str(call["from"])
    return senders


async def test_finalise__window_over__counted_by_whose_turn_it_is(world: World) -> None:
    epoch, final_at = await world.posted()
    assert (await world.reading()).epoch < epoch
    reporter = world.reporters[0]

    async def is_told(*lines: str) -> bool:
        metrics = (await world.get(reporter, "/metrics")).text.splitlines()
        return all(line in metrics for line in lines)

    lines = [
        f'rackstream_waiting_epochs{{cluster="{CLUSTER}"}} 1.0',
        f'rackstream_final_overdue_seconds{{cluster="{CLUSTER}"}} 0.0',
        "rackstream_epoch_to_chain_seconds_count 1.0",
        "rackstream_nonce_gap 0.0",
        "rackstream_ready 1.0",
    ]
    await world.until(partial(is_told, *lines), "the metrics say what waits")
    await world.move_to(final_at)
    for cluster_id in (CLUSTER, SECOND_CLUSTER):
        await world.reported(epoch, cluster_id)
    assert (await finals_of(world, epoch))[CLUSTER] == (
        turn_of(world, epoch).account.address.lower()
    )

    async def is_final() -> bool:
        answer = await world.get(reporter, f"/v1/clusters/{CLUSTER}/reports/{epoch}")
        return bool(answer.status_code == 200 and answer.json()["state"] == "final")

    await world.until(is_final, "final in the reporters' own words")


async def test_finalise__whose_turn_it_is_killed__the_next_one_takes_over(world: World) -> None:
    epoch, final_at = await world.posted()
    dead = turn_of(world, epoch)
    dead.kill()
    await world.move_to(final_at)
    await asyncio.sleep(2)
    assert (await world.reading()).epoch == epoch - 1
    await world.move_to(final_at + ROUND_SECONDS)
    await world.reported(epoch)
    assert (await finals_of(world, epoch))[CLUSTER] == (
        turn_of(world, epoch, 1).account.address.lower()
    )
    dead.start()
    await world.ready()


async def test_finalise__nobody_was_there__all_epochs_in_one_call(world: World) -> None:
    # Longer than an epoch, so that the first one waits for the second.
    await world.set_dispute_window(7_200)
    epochs = [await world.posted() for _ in range(2)]
    for reporter in world.reporters:
        reporter.kill()
    await world.move_to(epochs[-1][1])
    for reporter in world.reporters:
        reporter.start()
    await world.ready()
    await world.reported(epochs[-1][0])
    events = await world.oracle.events(["FiguresFinal"], from_block=0)
    of_cluster = [
        event.log.tx_hash
        for event in events
        if event.fields["clusterId"] == CLUSTER and event.fields["epoch"] in dict(epochs)
    ]
    assert len(of_cluster) == 2
    assert len(set(of_cluster)) == 1
