"""A reporter tells its peers different things: they find out, and it costs the bond."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from api.chain import deployments
from api.domain.epochs import epoch_end
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, ROUND_SECONDS
from scripts._lib import cast, disputes, reporters
from scripts._lib.opening import connected
from scripts._lib.record import instance
from tests.support.reporting import (
    CLUSTER,
    FIRST_EPOCH,
    ReporterProcess,
    Stage,
    World,
    epoch_batches,
    opened,
    proposer,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """The proposer of the first epoch equivocates; nobody has heard anything yet."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("equivocation")) as world:
        world.prepare_reporters()
        for reporter in world.reporters:
            if reporter is liar_of(world):
                reporter.start_lying("equivocate")
            else:
                reporter.start()
        await world.ready()
        await world.give_manifests()
        yield world


def liar_of(world: World) -> ReporterProcess:
    return world.reporters[proposer(FIRST_EPOCH, 0)]


def honest(world: World) -> list[ReporterProcess]:
    return [reporter for reporter in world.reporters if reporter is not liar_of(world)]


async def told(world: World, reporter: ReporterProcess) -> list[dict[str, Any]]:
    answer = await world.get(reporter, "/v1/equivocations")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["equivocations"])


async def test_equivocate__different_reports_to_different_peers__everybody_has_the_proof(
    world: World,
) -> None:
    """No peer was told two things: only together they know."""
    await world.move_to(epoch_end(FIRST_EPOCH))
    await world.send(epoch_batches(world.stage, FIRST_EPOCH))
    for reporter in honest(world):

        async def is_told(reporter: ReporterProcess = reporter) -> bool:
            return bool(await told(world, reporter))

        await world.until(is_told, f"proof at {reporter.account.name}")
        (proof,) = await told(world, reporter)
        assert proof["reporter"] == liar_of(world).account.address
        assert proof["first"]["epoch"] == proof["second"]["epoch"] == FIRST_EPOCH
        assert proof["first"]["figures"] != proof["second"]["figures"]
        metrics = (await world.get(reporter, "/metrics")).text
        series = f'rackstream_equivocations_total{{reporter="{proof["reporter"]}"}}'
        (line,) = [line for line in metrics.splitlines() if line.startswith(series)]
        assert float(line.split()[-1]) >= 1


async def test_equivocate__next_round__the_truth_is_counted(world: World) -> None:
    await world.move_to(epoch_end(FIRST_EPOCH) + ROUND_SECONDS)

    async def is_counted() -> bool:
        return await world.oracle.next_epoch(CLUSTER) == FIRST_EPOCH + 1

    await world.until(is_counted, "counted by the others")
    assert all([len(await told(world, reporter)) == 1 for reporter in honest(world)])


async def test_challenge__proof_as_it_is_told__bond_lost_and_reward_paid(world: World) -> None:
    """As `ape run challenge` does it, by somebody who has nothing to do with it."""
    (proof,) = await told(world, honest(world)[0])
    record = deployments.load(world.stage.deployments, LOCAL_CHAIN_ID)
    with connected(world.anvil.url):
        from ape import accounts

        challenger = accounts.test_accounts[cast.KEEPER]
        registry = instance("ReporterRegistry", record.address_of("ReporterRegistry"))
        system: Any = SimpleNamespace(
            reporter_registry=registry,
            disputes=instance("Disputes", record.address_of("Disputes")),
        )
        bond = int(registry.reporter(proof["reporter"]).bondUsd6)
        fault = reporters.prove(system, json.dumps(proof).encode(), challenger)
        assert (fault.operator, fault.forfeited_usd6) == (proof["reporter"], bond)
        assert int(registry.reporter(proof["reporter"]).bondUsd6) == 0
        assert disputes.pay(system, str(challenger.address), challenger) == bond // 2
