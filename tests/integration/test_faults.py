"""Four reporters, and everything that may happen to them: what is measured is counted once.

The tests share the processes; each goes on with the next epoch and leaves all reporters up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.domain.codec import parse_digest, to_hex
from api.domain.epochs import epoch_end, epoch_start
from api.domain.merkle import verify_proof
from api.domain.samples import Sample, sample_leaf
from api.store.embedded import EmbeddedPostgres
from api.types import CLOSE_SECONDS, ROUND_SECONDS, Epoch
from scripts._lib import cast
from scripts._lib.anvil import rpc
from tests.support.reporting import (
    AGENTS,
    BUSY_BPS,
    CLUSTER,
    FIRST_EPOCH,
    GPU_SETS,
    INTERVAL_MS,
    WATTS,
    ReporterProcess,
    Stage,
    World,
    epoch_batches,
    opened,
    proposer,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chaos]

GPU_SECONDS = 3_600 * len(GPU_SETS[CLUSTER])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with opened(stage, postgres, tmp_path_factory.mktemp("faults")) as world:
        await world.up()
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared: World) -> AsyncIterator[World]:
    """All reporters are up, before and after."""
    yield shared
    for reporter in shared.reporters:
        if not reporter.is_alive:
            reporter.start()
    await shared.ready()


async def next_epoch(world: World) -> Epoch:
    return Epoch(await world.oracle.next_epoch(CLUSTER))


def turn_of(world: World, epoch: Epoch, round_: int = 0) -> ReporterProcess:
    return world.reporters[proposer(epoch, round_)]


async def assert_counted_once(world: World, epoch: Epoch) -> None:
    """`epoch` is on chain in one report, and the meters show what the agents measured so far."""
    reading = await world.reported(epoch)
    assert len(await world.reports(epoch)) == 1
    hours = epoch - FIRST_EPOCH + 1
    assert reading.contracted_gpu_seconds == hours * GPU_SECONDS
    assert reading.available_gpu_seconds == hours * GPU_SECONDS
    assert reading.billable_gpu_seconds == hours * GPU_SECONDS * BUSY_BPS // 10_000


async def test_report__all_up__counted_once(world: World) -> None:
    epoch = await next_epoch(world)
    await world.measure(epoch)
    await assert_counted_once(world, epoch)


async def test_get_report__counted__proves_itself_to_the_contract(world: World) -> None:
    epoch = Epoch(await next_epoch(world) - 1)
    (posted,) = await world.reports(epoch)
    gpu = GPU_SETS[CLUSTER].gpus[0]
    at_ms = epoch_end(epoch) * 1_000 - INTERVAL_MS
    for reporter in world.reporters:
        path = f"/v1/clusters/{CLUSTER}/reports/{epoch}"

        async def is_read(reporter: ReporterProcess = reporter, path: str = path) -> bool:
            return (await world.get(reporter, path)).status_code == 200

        await world.until(is_read, "report read back from the chain")
        report = (await world.get(reporter, path, gpu=gpu.uuid, atMs=at_ms)).json()
        assert report["root"] == to_hex(posted["root"])
        assert (report["state"], report["boundFigures"]) == ("final", None)
        assert {entry["reporter"] for entry in report["signatures"]} < {
            account.address for account in cast.REPORTERS
        }
        assert len(report["signatures"]) == 3
        assert await world.oracle.read(
            "verifyFigures",
            posted["root"],
            epoch,
            int(report["packedFigures"]),
            bytes.fromhex(report["sampleRoot"][2:]),
            [bytes.fromhex(node[2:]) for node in report["proof"]],
        )
        (proven,) = report["samples"]
        assert proven["root"] == report["sampleRoot"]
        sample = Sample(gpu.gpu_id, at_ms, BUSY_BPS, BUSY_BPS, WATTS * (at_ms % 10**12), 0)
        assert proven["leaf"] == to_hex(sample_leaf(sample))
        assert verify_proof(
            parse_digest(report["sampleRoot"], "root"),
            sample_leaf(sample),
            [parse_digest(node, "proof") for node in proven["proof"]],
        )
        assert await world.oracle.read(
            "verifySample",
            posted["root"],
            epoch,
            int(report["packedFigures"]),
            [bytes.fromhex(node[2:]) for node in report["proof"]],
            tuple(sample),
            [bytes.fromhex(node[2:]) for node in proven["proof"]],
        )


async def test_get_metrics__one_epoch__adds_up_to_what_was_counted(world: World) -> None:
    epoch = Epoch(await next_epoch(world) - 1)
    answer = await world.get(
        world.reporters[0],
        f"/v1/clusters/{CLUSTER}/metrics",
        **{"from": epoch_start(epoch), "to": epoch_end(epoch), "step": 600},
    )
    points = answer.json()["points"]
    assert len(points) == 6
    assert sum(point["contractedGpuSeconds"] for point in points) == GPU_SECONDS
    assert sum(point["availableGpuSeconds"] for point in points) == GPU_SECONDS
    assert {point["availabilityBps"] for point in points} == {10_000}
    assert {point["utilisationBps"] for point in points} == {BUSY_BPS}


async def test_get_cluster__live__specification_meters_and_agents(world: World) -> None:
    epoch = await next_epoch(world)
    listed = (await world.get(world.reporters[0], "/v1/clusters")).json()
    assert listed["total"] == 2
    assert [one["clusterId"] for one in listed["clusters"]] == [1, 2]
    cluster = (await world.get(world.reporters[0], f"/v1/clusters/{CLUSTER}")).json()
    assert cluster["status"] == "live"
    assert cluster["nextEpoch"] == epoch
    assert cluster["lastEpoch"]["epoch"] == epoch - 1
    assert cluster["lastEpoch"]["availabilityBps"] == 10_000
    assert cluster["meters"]["contractedGpuSeconds"] == str(GPU_SECONDS * (epoch - FIRST_EPOCH))
    assert cluster["specification"]["gpuSetRoot"] == to_hex(GPU_SETS[CLUSTER].root)
    assert cluster["gpusKnown"] == len(GPU_SETS[CLUSTER])
    assert [agent["agent"] for agent in cluster["agents"]] == sorted(
        agent.address for agent in AGENTS[:2]
    )


async def test_report__samples_with_the_proposer_only__the_others_get_them(world: World) -> None:
    epoch = await next_epoch(world)
    await world.measure(epoch, [turn_of(world, epoch)])
    await assert_counted_once(world, epoch)


async def test_report__samples_with_one_other_only__the_proposer_gets_them(world: World) -> None:
    epoch = await next_epoch(world)
    await world.measure(epoch, [turn_of(world, epoch, 2)])
    # The proposer has heard of no agent: it waits for them until their time is over.
    await world.move_to(epoch_end(epoch) + CLOSE_SECONDS)
    await assert_counted_once(world, epoch)


async def test_report__one_killed__the_rest_go_on(world: World) -> None:
    epoch = await next_epoch(world)
    turn_of(world, epoch, 1).kill()
    await world.measure(epoch)
    await assert_counted_once(world, epoch)


async def test_report__proposer_killed__the_next_one_takes_over(world: World) -> None:
    epoch = await next_epoch(world)
    turn_of(world, epoch).kill()
    await world.measure(epoch)
    await world.move_to(epoch_end(epoch) + ROUND_SECONDS)
    await assert_counted_once(world, epoch)
    (report,) = await world.reports(epoch)
    assert report["transmitter"] == turn_of(world, epoch, 1).account.address


async def test_report__two_killed__stops_and_goes_on_when_they_are_back(world: World) -> None:
    epoch = await next_epoch(world)
    killed = [turn_of(world, epoch, 1), turn_of(world, epoch, 2)]
    for reporter in killed:
        reporter.kill()
    await world.measure(epoch)
    await asyncio.sleep(2)
    assert await next_epoch(world) == epoch
    assert "no quorum" in turn_of(world, epoch).log()
    for reporter in killed:
        reporter.start()
    await assert_counted_once(world, epoch)


async def test_report__proposer_killed_at_any_moment__neither_lost_nor_twice(world: World) -> None:
    chance = random.Random(7)
    for _ in range(3):
        epoch = await next_epoch(world)
        await world.measure(epoch)
        await asyncio.sleep(chance.uniform(0, 0.8))
        victim = turn_of(world, epoch)
        victim.kill()
        victim.start()
        await assert_counted_once(world, epoch)
        await world.ready([victim])


async def test_report__killed_between_sending_and_mining__the_same_transaction_is_mined(
    world: World,
) -> None:
    epoch = await next_epoch(world)
    victim = turn_of(world, epoch)
    await world.move_to(epoch_end(epoch))
    await asyncio.to_thread(rpc, world.anvil.port, "evm_setAutomine", False)
    try:
        await world.send(epoch_batches(world.stage, epoch))

        async def waiting() -> list[str]:
            pool = await world.client.request("txpool_content", [])
            return [
                transaction["hash"]
                for sender, by_nonce in pool["pending"].items()
                for transaction in by_nonce.values()
                if sender.lower() == victim.account.address.lower()
            ]

        async def is_sent() -> bool:
            return bool(await waiting())

        await world.until(is_sent, "transaction in the pool")
        (sent,) = await waiting()
        victim.kill()
        victim.start()
        await world.ready([victim])
        assert await waiting() == [sent]
    finally:
        await asyncio.to_thread(rpc, world.anvil.port, "evm_setAutomine", True)
        await asyncio.to_thread(rpc, world.anvil.port, "evm_mine")
    await assert_counted_once(world, epoch)
    receipt = await world.client.receipt(bytes.fromhex(sent[2:]))
    assert receipt is not None
    assert receipt.succeeded


async def test_report__database_restarted__waits_and_goes_on(
    world: World, postgres: EmbeddedPostgres
) -> None:
    epoch = await next_epoch(world)
    await world.move_to(epoch_end(epoch))
    first, *rest = epoch_batches(world.stage, epoch)
    await world.send([first])
    await asyncio.to_thread(postgres.stop)

    async def is_unready() -> bool:
        return not await world.is_ready(world.reporters[0])

    await world.until(is_unready, "not ready without its database")
    refused = await world.post(world.reporters[0], rest[0].to_json())
    assert refused.status_code == 503
    assert refused.json()["code"] == "store-unavailable"
    assert refused.headers["retry-after"] == "1"
    await asyncio.to_thread(postgres.start)
    await world.send(rest)
    await assert_counted_once(world, epoch)


async def test_report__chain_restarted__waits_and_goes_on(world: World) -> None:
    epoch = await next_epoch(world)
    await world.move_to(epoch_end(epoch))
    await asyncio.to_thread(world.anvil.checkpoint)
    await asyncio.to_thread(world.anvil.stop)

    async def is_unready() -> bool:
        return not await world.is_ready(world.reporters[0])

    await world.until(is_unready, "not ready without its chain")
    first, *rest = epoch_batches(world.stage, epoch)
    refused = await world.post(world.reporters[0], first.to_json())
    assert refused.status_code == 503
    await asyncio.to_thread(world.anvil.start)
    await world.send([first, *rest])
    await assert_counted_once(world, epoch)


async def test_report__chain_taken_back_after_the_report__reported_again(world: World) -> None:
    epoch = await next_epoch(world)
    await world.move_to(epoch_end(epoch))
    await asyncio.to_thread(world.anvil.checkpoint)
    await world.send(epoch_batches(world.stage, epoch))
    await assert_counted_once(world, epoch)
    await asyncio.to_thread(world.anvil.stop)
    await asyncio.to_thread(world.anvil.start)
    assert await next_epoch(world) == epoch
    await assert_counted_once(world, epoch)


@pytest.mark.parametrize(("lie", "reason"), [("figures", "differs"), ("omit", "omitted")])
async def test_report__proposer_lies__refused_and_the_truth_counted(
    world: World, lie: str, reason: str
) -> None:
    epoch = await next_epoch(world)
    liar = turn_of(world, epoch)
    liar.kill()
    liar.start_lying(lie)
    await world.ready([liar])
    before = len(liar.log())
    await world.measure(epoch)

    async def is_refused() -> bool:
        lines = [line for line in liar.log()[before:].splitlines() if "proposal refused" in line]
        return all(
            any(one.account.address in line and f"{reason}:" in line for line in lines)
            for one in world.reporters
            if one is not liar
        )

    try:
        await world.until(is_refused, "refused by all three others")
        other = next(one for one in world.reporters if one is not liar)
        metrics = (await world.get(other, "/metrics")).text
        series = (
            f'rackstream_disagreements_total{{peer="{liar.account.address}",reason="{reason}"}}'
        )
        (counted,) = [line for line in metrics.splitlines() if line.startswith(series)]
        assert float(counted.split()[-1]) >= 1
        assert await next_epoch(world) == epoch
        await world.move_to(epoch_end(epoch) + ROUND_SECONDS)
        await assert_counted_once(world, epoch)
    finally:
        liar.kill()
