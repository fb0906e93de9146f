"""A reporter tells by the hour what was busy and not billed, and what related parties paid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from api.chain import deployments
from api.chain.abi import contract_abi
from api.chain.deployments import Deployment
from api.chain.quality import QualityReader
from api.domain.codec import address_bytes, to_hex
from api.domain.epochs import epoch_end, epoch_start
from api.domain.hashing import keccak256
from api.oracle.quality import MAX_HOURS
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, Address, ClusterId
from scripts._lib import cast
from scripts._lib.anvil import rpc
from scripts._lib.cast import Account
from tests.support.reporting import (
    AGENTS,
    CLUSTER,
    FIRST_EPOCH,
    SECOND_CLUSTER,
    Stage,
    World,
    batch_of,
    epoch_batches,
    opened,
    samples_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

USD = 10**6
PATH = f"/v1/clusters/{CLUSTER}/quality"
CUSTOMER, RELATED = (one.address for one in cast.CUSTOMERS[:2])
ISSUER = Account(cast.ISSUER, "issuer").address
BUSY, BILLED = 23_040, 14_400
"""Of eight GPUs' hour 80 % and 50 %, in GPU-seconds."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Four reporters. In the first hour two customers paid, of whom one is declared to be related;
    after it the hour was reported."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("quality")) as world:
        await world.up()
        await world.move_to(epoch_start(FIRST_EPOCH) + 60)
        known = deployments.load(stage.deployments, LOCAL_CHAIN_ID)
        for customer, dollars in ((CUSTOMER, 5), (RELATED, 3)):
            await pay(world, known, customer, dollars * USD)
        declaration = contract_abi("RelatedParties").functions["declare"]
        await send(
            world,
            ISSUER,
            known.address_of("RelatedParties"),
            declaration.encode((CLUSTER, RELATED, FIRST_EPOCH, bytes(32))),
        )
        await world.move_to(epoch_end(FIRST_EPOCH))
        await world.send(batches(stage))
        await world.reported(FIRST_EPOCH)
        yield world


def batches(stage: Stage) -> list[Any]:
    """The first hour, of which the first cluster's agents say that not all of it was billed."""
    start_ms, end_ms = epoch_start(FIRST_EPOCH) * 1_000, epoch_end(FIRST_EPOCH) * 1_000
    return [
        *(
            batch_of(
                stage,
                agent,
                1,
                [
                    sample._replace(billable_bps=5_000)
                    for sample in samples_of(agent, CLUSTER, start_ms, end_ms)
                ],
                end_ms,
            )
            for agent in AGENTS[:2]
        ),
        *epoch_batches(stage, FIRST_EPOCH, AGENTS[2:]),
    ]


async def pay(world: World, known: Deployment, customer: Address, amount_usd6: int) -> None:
    """Income of the cluster, with dollars that are made for it."""
    waterfall, stablecoin = known.address_of("Waterfall"), known.stablecoin_address()
    mint = keccak256(b"mint(address,uint256)")[:4] + address_bytes(customer).rjust(32, b"\0")
    deployer = Account(cast.DEPLOYER, "deployer").address
    await send(world, deployer, stablecoin, mint + amount_usd6.to_bytes(32))
    approve = contract_abi("Stablecoin").functions["approve"]
    await send(world, customer, stablecoin, approve.encode((waterfall, amount_usd6)))
    receive = contract_abi("Waterfall").functions["receiveIncome"]
    await send(world, customer, waterfall, receive.encode((CLUSTER, amount_usd6, 1, bytes(32))))


async def send(world: World, sender: Address, to: Address, data: bytes) -> None:
    """A transaction of one of the local chain's accounts, mined."""
    fields = {"from": sender, "to": to, "data": to_hex(data)}
    sent = await asyncio.to_thread(rpc, world.anvil.port, "eth_sendTransaction", fields)
    tx_hash = bytes.fromhex(sent.removeprefix("0x"))

    async def is_mined() -> bool:
        mined = await world.client.receipt(tx_hash)
        assert mined is None or mined.succeeded
        return mined is not None

    await world.until(is_mined, "a transaction mined")


async def told(world: World, path: str = PATH, **parameters: int) -> Any:
    answer = await world.get(world.reporters[0], path, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_get_quality__an_hour_reported_and_paid_in__has_its_figures(world: World) -> None:
    found = await told(world)

    assert found["clusterId"] == CLUSTER
    (hour,) = [one for one in found["hours"] if one["epoch"] == FIRST_EPOCH]
    assert hour == {
        "epoch": FIRST_EPOCH,
        "from": epoch_start(FIRST_EPOCH),
        "to": epoch_end(FIRST_EPOCH),
        "busyGpuSeconds": BUSY,
        "billableGpuSeconds": BILLED,
        "leakedGpuSeconds": BUSY - BILLED,
        "paidUsd6": str(8 * USD),
        "relatedUsd6": str(3 * USD),
        "unknownUsd6": "0",
    }
    running = found["hours"][0]
    assert (running["epoch"], running["busyGpuSeconds"]) == (FIRST_EPOCH + 1, None)


async def test_get_quality__asked_of_the_chain_alone__is_the_same(world: World) -> None:
    known = deployments.load(world.stage.deployments, LOCAL_CHAIN_ID)
    for cluster_id, hours in ((CLUSTER, 24), (CLUSTER, 1), (SECOND_CLUSTER, MAX_HOURS)):
        reader = QualityReader(world.client, known, ClusterId(cluster_id))
        read = [hour.to_json() for hour in await reader.hours(hours)]
        path = f"/v1/clusters/{cluster_id}/quality"
        assert (await told(world, path, hours=hours))["hours"] == read
        assert read


@pytest.mark.parametrize(
    ("path", "hours", "status", "code"),
    [
        ("/v1/clusters/99/quality", 24, 404, "unknown-cluster"),
        (PATH, 0, 422, "invalid-input"),
        (PATH, MAX_HOURS + 1, 422, "invalid-input"),
    ],
)
async def test_get_quality__nothing_to_tell__says_why(
    world: World, path: str, hours: int, status: int, code: str
) -> None:
    answer = await world.get(world.reporters[0], path, hours=hours)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_get_quality__many_at_once__one_is_read_and_the_others_told_to_come_again(
    world: World,
) -> None:
    answers = await asyncio.gather(*(world.get(world.reporters[0], PATH) for _ in range(8)))
    codes = {answer.status_code for answer in answers}
    assert 200 in codes
    assert codes <= {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["code"] == "busy"
            assert answer.headers["Retry-After"] == "1"
