"""Figures are disputed while real reporters go on: what is counted, who pays, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from ape.exceptions import ContractLogicError

from api.chain import deployments
from api.domain.codec import to_hex
from api.domain.eip712 import oracle_domain
from api.domain.epochs import epoch_end, epoch_window_ms
from api.domain.figures import ClusterFigures, epoch_figures
from api.domain.reports import ClusterReport, Report
from api.domain.samples import SampleSet
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, ROUND_SECONDS, Epoch
from scripts._lib import cast, disputes, verification
from scripts._lib.anvil import rpc
from scripts._lib.disputes import DisputeState
from scripts._lib.opening import connected
from scripts._lib.posted import Subject
from scripts._lib.record import instance
from scripts._lib.verification import Check
from tests.support.reporting import (
    CLUSTER,
    GPU_SETS,
    SECOND_CLUSTER,
    Stage,
    World,
    epoch_batches,
    opened,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

WINDOW_SECONDS = 3_600
USD = 10**6
MAX_WATTS = 700
"""Of each GPU on the stage."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Four reporters and a window of an hour."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("disputes")) as world:
        await world.set_dispute_window(WINDOW_SECONDS)
        await world.up()
        yield world


@contextmanager
def system_of(world: World) -> Iterator[Any]:
    """The contracts, and who acts."""
    record = deployments.load(world.stage.deployments, LOCAL_CHAIN_ID)
    names = {
        "oracle": "MetricsOracle",
        "registry": "ClusterRegistry",
        "reporter_registry": "ReporterRegistry",
        "disputes": "Disputes",
    }
    with connected(world.anvil.url):
        from ape import accounts

        actors = accounts.test_accounts
        yield SimpleNamespace(
            **{field: instance(name, record.address_of(name)) for field, name in names.items()},
            stablecoin=instance("TestUsd", str(record.stablecoin)),
            deployer=actors[cast.DEPLOYER],
            challenger=actors[cast.KEEPER],
            arbiter=actors[cast.ADMIN],
        )


def subject_of(epoch: Epoch) -> Subject:
    return Subject(CLUSTER, epoch, 0)


def challenge(world: World, epoch: Epoch) -> None:
    with system_of(world) as system:
        bond = int(system.disputes.CHALLENGE_BOND_USD6())
        system.stablecoin.mint(system.challenger, bond, sender=system.deployer)
        disputes.challenge(system, subject_of(epoch), "GPU 3 was down", system.challenger)
        told = list(disputes.in_words(system, subject_of(epoch)))
        assert f"challenged by {system.challenger.address}, with a bond of $1,000.00" in told[0]
        assert told[1].endswith("says: GPU 3 was down")
        assert told[-1].startswith("  the arbiter has until ")


async def counted(world: World, epoch: Epoch) -> int:
    """Wait until the cluster's epoch is counted; its figures then."""
    await world.reported(epoch)
    (event,) = [
        event
        for event in await world.oracle.events(["FiguresFinal"], from_block=0)
        if (event.fields["clusterId"], event.fields["epoch"]) == (CLUSTER, epoch)
    ]
    return int(event.fields["figures"])


async def go_to(world: World, at: int) -> None:
    """Let time pass to `at`; every epoch that ends before it is posted with its samples."""
    while epoch_end(Epoch(await world.oracle.next_epoch(CLUSTER))) <= at:
        await world.posted()
    await world.move_to(at)


async def until_told(world: World, epoch: Epoch, state: str) -> dict[str, Any]:
    """Wait until every reporter says that of the epoch; the last one's words."""
    told: dict[str, Any] = {}
    for reporter in world.reporters:

        async def is_told(reporter: Any = reporter) -> bool:
            path = f"/v1/clusters/{CLUSTER}/reports/{epoch}"
            answer = await world.get(reporter, path)
            told.update(answer.json() if answer.status_code == 200 else {})
            return bool(
                answer.status_code == 200 and told["state"] == state and told["proof"] is not None
            )

        await world.until(is_told, f"epoch {epoch} {state} by {reporter.account.name}")
    return told


def checks(world: World, epoch: Epoch) -> list[Check]:
    with system_of(world) as system:
        told = verification.fetch(world.reporters[0].url, CLUSTER, epoch, None, None)
        return list(verification.verify(system, told))


async def is_cluster_disputed(world: World) -> bool:
    meters = (await world.get(world.reporters[0], f"/v1/clusters/{CLUSTER}")).json()["meters"]
    assert meters["isStale"] or not meters["isDisputed"]
    return bool(meters["isDisputed"])


async def has_line(world: World, line: str) -> bool:
    return line in (await world.get(world.reporters[0], "/metrics")).text.splitlines()


async def test_challenge__figures_stand__counted_late_and_the_bond_lost(world: World) -> None:
    epoch, _ = await world.posted()
    before = await world.reading()
    challenge(world, epoch)
    told = await until_told(world, epoch, "held")
    assert await is_cluster_disputed(world)
    line = f'rackstream_held_epochs{{cluster="{CLUSTER}"}} 1.0'
    await world.until(partial(has_line, world, line), "the metrics say what is held")
    assert "the figures are disputed" in checks(world, epoch)[2].what

    # The reporters go on: the next epoch is posted, and its window passes.
    following, final_at = await world.posted()
    await go_to(world, final_at + ROUND_SECONDS)
    await asyncio.sleep(2)
    assert await world.reading() == before

    with system_of(world) as system:
        disputes.stand(system, subject_of(epoch), system.arbiter)
        bond = int(system.disputes.CHALLENGE_BOND_USD6())
        assert disputes.pay(system, str(system.arbiter.address), system.deployer) == bond
        assert disputes.pay(system, str(system.challenger.address), system.deployer) == 0
    await world.reported(following)
    assert await counted(world, epoch) == int(told["packedFigures"])
    final = await until_told(world, epoch, "final")
    assert (final["packedFigures"], final["boundFigures"]) == (told["packedFigures"], None)
    assert not await is_cluster_disputed(world)
    found = checks(world, epoch)
    assert all(check.holds for check in found), found
    assert found[2].what.endswith("a dispute left them standing")


async def test_challenge__figures_corrected__these_are_counted_and_the_signers_pay(
    world: World,
) -> None:
    epoch, final_at = await world.posted()
    challenge(world, epoch)
    posted = ClusterFigures.unpack(int((await until_told(world, epoch, "held"))["packedFigures"]))
    changes = {"billableGpuSeconds": 0, "busyGpuSeconds": 7, "availableGpuSeconds": 11}
    with system_of(world) as system:
        disputes.correct(system, subject_of(epoch), changes, True, system.arbiter)
        paid = list(disputes.penalise(system, subject_of(epoch), system.deployer))
        assert {one.signer for one in paid} < {one.address for one in cast.REPORTERS}
        assert [one.amount_usd6 for one in paid] == [1_000 * USD] * 3
        assert list(disputes.penalise(system, subject_of(epoch), system.deployer)) == []
        told = list(disputes.in_words(system, subject_of(epoch)))
        assert "  settled by the arbiter; whoever signed is to blame" in told
        assert len([line for line in told if line.endswith(" paid $1,000.00")]) == 3
        owed = disputes.pay(system, str(system.challenger.address), system.deployer)
        assert owed == (1_000 + 3 * 500) * USD
    await go_to(world, final_at)
    correct = replace(posted, available_gpu_seconds=11, busy_gpu_seconds=7, billable_gpu_seconds=0)
    assert await counted(world, epoch) == correct.pack()
    final = await until_told(world, epoch, "final")
    assert final["boundFigures"] == str(posted.pack())
    assert final["packedFigures"] == str(correct.pack())
    found = checks(world, epoch)
    assert all(check.holds for check in found), found
    assert "a dispute was settled: " in found[2].what


async def test_refute__quorum_understated_energy__shown_by_what_honest_reporters_hold(
    world: World,
) -> None:
    """A quorum signs a watt-hour figure that the samples contradict, and tells no one about it."""
    previous, _ = await world.posted()
    epoch = Epoch(previous + 1)
    await world.move_to(epoch_end(epoch) - 30)
    await world.send(epoch_batches(world.stage, epoch))
    truth = await post_lie(world, epoch, energy_wh=100)
    assert (await until_told(world, epoch, "waiting"))["figures"]["energyWh"] == 100
    with system_of(world) as system:
        url, gpu = world.reporters[0].url, GPU_SETS[CLUSTER].gpus[0].uuid
        disputes.refute_by_energy(system, subject_of(epoch), url, gpu, system.challenger)
        assert disputes.of(system, subject_of(epoch)).state is DisputeState.REFUTED
        with pytest.raises(ContractLogicError) as refused:
            disputes.stand(system, subject_of(epoch), system.arbiter)
        assert type(refused.value).__name__ == "Disputes_Refuted"
        changes = {"energyWh": truth.energy_wh}
        disputes.correct(system, subject_of(epoch), changes, False, system.arbiter)
        assert len(list(disputes.penalise(system, subject_of(epoch), system.deployer))) == 3
        owed = disputes.pay(system, str(system.challenger.address), system.deployer)
        assert owed == 3 * 500 * USD
    following, final_at = await world.posted()
    await go_to(world, final_at + ROUND_SECONDS)
    await world.reported(following)
    assert await counted(world, epoch) == truth.pack()
    final = await until_told(world, epoch, "final")
    assert final["packedFigures"] == str(truth.pack())
    found = checks(world, epoch)
    assert all(check.holds for check in found), found


async def post_lie(world: World, epoch: Epoch, energy_wh: int) -> ClusterFigures:
    """A quorum's keys sign and post it, in the very block that ends the epoch; the true figures."""
    start_ms, end_ms = epoch_window_ms(epoch)
    batches = chain.from_iterable(
        epoch_batches(world.stage, Epoch(one)) for one in (epoch - 1, epoch)
    )
    samples = SampleSet(
        chain.from_iterable(
            one.batch.samples for one in batches if one.batch.cluster_id == CLUSTER
        ),
        start_ms,
        end_ms,
    )
    truth = epoch_figures(GPU_SETS[CLUSTER], epoch, samples.samples, MAX_WATTS)
    words = {name: getattr(truth, name) for name in truth.__slots__} | {"energy_wh": energy_wh}
    lie = ClusterReport(ClusterFigures(**words), samples.root)
    report = Report(await world.oracle.reporter_set_id(), epoch, 0, [lie])
    domain = oracle_domain(LOCAL_CHAIN_ID, world.stage.oracle)
    signatures = b"".join(
        account.signer.sign(report.digest(domain)) for account in cast.REPORTERS[:3]
    )
    header = (report.reporter_set_id, epoch, 0, report.root)
    with system_of(world) as system:
        transaction = {
            "from": str(system.challenger.address),
            "to": world.stage.oracle,
            "data": to_hex(world.oracle.encode("postReport", header, report.figures, signatures)),
            "gas": hex(2_000_000),
        }
    # A reporter's own transaction would end the epoch before the lie is there, were it mined first.
    port = world.anvil.port
    rpc(port, "evm_setAutomine", False)
    hash_ = rpc(port, "eth_sendTransaction", transaction)
    rpc(port, "evm_setNextBlockTimestamp", epoch_end(epoch))
    rpc(port, "evm_mine")
    rpc(port, "evm_setAutomine", True)
    assert rpc(port, "eth_getTransactionReceipt", hash_)["status"] == "0x1"

    async def is_other_reported() -> bool:
        return await world.oracle.next_epoch(SECOND_CLUSTER) == epoch + 1

    await world.until(is_other_reported, "the other cluster's epoch, by honest reporters")
    return truth


async def test_lapse__arbiter_says_nothing__counted_as_posted_and_the_bond_back(
    world: World,
) -> None:
    epoch, _ = await world.posted()
    challenge(world, epoch)
    told = await until_told(world, epoch, "held")
    # A week would be 168 epochs of silence to them.
    for reporter in world.reporters:
        reporter.kill()
    with system_of(world) as system:
        deadline_at = disputes.of(system, subject_of(epoch)).deadline_at
    await world.move_to(deadline_at)
    with system_of(world) as system:
        assert (
            "anybody may settle it (--lapse)"
            in list(disputes.in_words(system, subject_of(epoch)))[-1]
        )
        disputes.lapse(system, subject_of(epoch), system.deployer)
        said = list(disputes.in_words(system, subject_of(epoch)))
        assert said[-1].startswith("  settled by the deadline, which passed; whoever signed is not")
        owed = disputes.pay(system, str(system.challenger.address), system.deployer)
        assert owed == int(system.disputes.CHALLENGE_BOND_USD6())
        system.oracle.finalize(CLUSTER, 9, sender=system.deployer)
    assert await counted(world, epoch) == int(told["packedFigures"])
