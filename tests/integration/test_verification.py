"""scripts/_lib/verification.py: what a reporter tells is held against the chain."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from api.chain import deployments
from api.domain.epochs import epoch_end
from api.errors import InvalidInput, NotFound
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID
from scripts._lib import verification
from scripts._lib.opening import connected
from scripts._lib.record import instance
from scripts._lib.verification import Check
from tests.support.reporting import (
    CLUSTER,
    FIRST_EPOCH,
    GPU_SETS,
    INTERVAL_MS,
    Stage,
    World,
    opened,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT_MS = epoch_end(FIRST_EPOCH) * 1_000 - INTERVAL_MS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """The first epoch is counted, and every reporter knows it."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("verification")) as world:
        await world.up()
        await world.measure(FIRST_EPOCH)

        async def is_known() -> bool:
            path = f"/v1/clusters/{CLUSTER}/reports/{FIRST_EPOCH}"
            answer = await world.get(world.reporters[0], path)
            return answer.status_code == 200 and answer.json()["proof"] is not None

        await world.until(is_known, "report read back from the chain")
        yield world


@pytest.fixture(scope="module")
def told(world: World) -> Any:
    """What a reporter tells, with a sample."""
    gpu = GPU_SETS[CLUSTER].gpus[0].uuid
    return verification.fetch(world.reporters[0].url, CLUSTER, FIRST_EPOCH, gpu, AT_MS)


def checks(world: World, told: Any) -> list[Check]:
    record = deployments.load(world.stage.deployments, LOCAL_CHAIN_ID)
    with connected(world.anvil.url):
        system: Any = SimpleNamespace(
            oracle=instance("MetricsOracle", record.address_of("MetricsOracle")),
            reporter_registry=instance("ReporterRegistry", record.address_of("ReporterRegistry")),
        )
        return list(verification.verify(system, told))


async def test_verify__as_told__everything_holds(world: World, told: Any) -> None:
    found = checks(world, told)
    assert all(check.holds for check in found), found
    assert [check.what.partition(" ")[0] for check in found] == ["the", "it", "the", "3", "GPU"]


@pytest.mark.parametrize(
    ("place", "value", "wrong"),
    [
        (("packedFigures",), lambda word: str(int(word) - 1), {"it", "the", "GPU"}),
        (("epoch",), lambda epoch: epoch + 1, {"the", "it", "GPU"}),
        (("sampleRoot",), lambda _: "0x" + "11" * 32, {"it"}),
        (("root",), lambda _: "0x" + "11" * 32, {"the", "it", "GPU"}),
        (("samples", 0, "sample", "busyBps"), lambda busy: busy - 1, {"GPU"}),
    ],
)
async def test_verify__one_thing_changed__is_shown(
    world: World, told: Any, place: tuple[str | int, ...], value: Any, wrong: set[str]
) -> None:
    lie = copy.deepcopy(told)
    *way, last = place
    inner = lie
    for name in way:
        inner = inner[name]
    inner[last] = value(inner[last])
    failed = {check.what.partition(" ")[0] for check in checks(world, lie) if not check.holds}
    assert failed == wrong


async def test_fetch__epoch_that_was_never_reported__says_so(world: World) -> None:
    with pytest.raises(NotFound, match="report"):
        verification.fetch(world.reporters[0].url, CLUSTER, FIRST_EPOCH + 7, None, None)


async def test_fetch__nobody_there__says_so() -> None:
    with pytest.raises(InvalidInput, match="tells nothing"):
        verification.fetch("http://127.0.0.1:9", CLUSTER, FIRST_EPOCH, None, None)
