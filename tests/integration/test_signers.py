"""Reporters whose keys are elsewhere, and others that pay with another key than they sign with.

The first reporter's two keys are in an anvil of their own, which is asked through a relay. The
second has both keys itself, apart; the others sign and pay with one.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from functools import partial

import pytest
import pytest_asyncio

from api.domain.codec import to_hex
from api.domain.eip712 import reporter_registry_domain
from api.domain.reports import possession_message
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, Address, Epoch
from scripts._lib import cast
from tests.support.own_node import Node
from tests.support.relay import Forward, Message, Relay, honest
from tests.support.reporting import (
    CLUSTER,
    FIRST_EPOCH,
    ROOT,
    ReporterProcess,
    Stage,
    World,
    opened,
    proposer,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chaos]

FIRST = proposer(FIRST_EPOCH)
"""Whose keys are elsewhere: it proposes the first epoch."""

SECOND = (FIRST + 1) % len(cast.REPORTERS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anvil() -> AsyncIterator[Node]:
    """The signer, which has the keys of all that are cast."""
    node = Node()
    await start(node)
    yield node
    node.kill()


async def start(anvil: Node) -> None:
    await asyncio.to_thread(anvil.start, accounts=40)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay(anvil: Node) -> AsyncIterator[Relay]:
    """On the way to the signer."""
    relay = Relay(anvil.port)
    await relay.start()
    yield relay
    await relay.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage,
    postgres: EmbeddedPostgres,
    relay: Relay,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    async with opened(stage, postgres, tmp_path_factory.mktemp("signers")) as world:
        world.prepare_reporters()
        remote, apart = world.reporters[FIRST], world.reporters[SECOND]
        remote.set(
            RACKSTREAM_ORACLE_KEY=None,
            RACKSTREAM_ORACLE_SIGNER_URL=relay.url.replace("//", "//reporter:hidden@"),
            RACKSTREAM_ORACLE_SIGNER_ADDRESS=remote.account.address,
            RACKSTREAM_ORACLE_TRANSMITTER_SIGNER_ADDRESS=payer_of(FIRST),
            RACKSTREAM_ORACLE_SIGNER_TIMEOUT_S="1",
        )
        key = cast.TRANSMITTERS[SECOND].key
        apart.set(RACKSTREAM_ORACLE_TRANSMITTER_KEY="0x" + key.hex())
        for reporter in world.reporters:
            reporter.start()
        await world.ready()
        await world.give_manifests()
        yield world


def payer_of(number: int) -> Address:
    return cast.TRANSMITTERS[number].address


async def next_epoch(world: World) -> Epoch:
    return Epoch(await world.oracle.next_epoch(CLUSTER))


async def transmitter(world: World, epoch: Epoch) -> str:
    """Who sent the only report of an epoch."""
    (report,) = await world.reports(epoch)
    return str(report["transmitter"])


async def readiness(world: World, reporter: ReporterProcess) -> Mapping[str, object]:
    answer: Mapping[str, object] = (await world.get(reporter, "/readyz")).json()
    return answer


async def is_told(world: World, reporter: ReporterProcess, *lines: str) -> bool:
    metrics = (await world.get(reporter, "/metrics")).text.splitlines()
    return all(line in metrics for line in lines)


async def test_report__remote_signer__signed_and_paid_by_its_two_accounts(world: World) -> None:
    remote = world.reporters[FIRST]
    nonce = await world.client.nonce_of(remote.account.address)
    await world.measure(FIRST_EPOCH)
    await world.reported(FIRST_EPOCH)
    assert await transmitter(world, FIRST_EPOCH) == payer_of(FIRST)
    # The key that signs has sent nothing.
    assert await world.client.nonce_of(remote.account.address) == nonce

    async def is_read() -> bool:
        path = f"/v1/clusters/{CLUSTER}/reports/{FIRST_EPOCH}"
        answer = await world.get(remote, path)
        return answer.status_code == 200 and remote.account.address in {
            entry["reporter"] for entry in answer.json()["signatures"]
        }

    await world.until(is_read, "the report has the remote signer's signature")
    told = await readiness(world, remote)
    assert (told["reporter"], told["transmitter"]) == (remote.account.address, payer_of(FIRST))
    assert (told["signer"], told["isReady"]) == ("ok", True)


async def test_report__keys_apart_in_one_process__paid_by_the_other(world: World) -> None:
    epoch = await next_epoch(world)
    assert proposer(epoch) == SECOND
    apart = world.reporters[SECOND].account.address
    nonce = await world.client.nonce_of(apart)
    await world.measure(epoch)
    await world.reported(epoch)
    assert await transmitter(world, epoch) == payer_of(SECOND)
    assert await world.client.nonce_of(apart) == nonce


async def test_report__signer_dies_and_comes_back__waits_and_goes_on(
    world: World, anvil: Node
) -> None:
    epoch = await next_epoch(world)
    remote, dead = world.reporters[FIRST], world.reporters[(FIRST + 3) % 4]
    # With one reporter dead, there is no quorum without the remote signer.
    dead.kill()
    anvil.kill()

    async def is_unready() -> bool:
        told = await readiness(world, remote)
        return not told["isReady"] and "cannot be asked" in str(told["signer"])

    await world.until(is_unready, "not ready without its signer")
    usable = 'rackstream_signer_usable{signs="reports"}'
    lines = (f"{usable} 0.0", "rackstream_ready 0.0")
    await world.until(partial(is_told, world, remote, *lines), "told by the metrics")
    await world.measure(epoch)

    async def is_without_quorum() -> bool:
        return "no quorum" in world.reporters[proposer(epoch)].log()

    await world.until(is_without_quorum, "no quorum without the signer")
    assert await next_epoch(world) == epoch
    await start(anvil)
    await world.reported(epoch)
    assert len(await world.reports(epoch)) == 1
    await world.until(partial(is_told, world, remote, f"{usable} 1.0"), "usable again")
    log = remote.log()
    assert "signer lost" in log
    assert "signer is back" in log
    assert "hidden" not in log
    dead.start()
    await world.ready()


async def test_report__signer_dies_before_the_transaction__sent_once_when_it_is_back(
    world: World, relay: Relay
) -> None:
    while proposer(epoch := await next_epoch(world)) != FIRST:
        await world.measure(epoch)
        await world.reported(epoch)
    remote = world.reporters[FIRST]
    refused: list[str] = []

    async def paying_nothing(request: Message, forward: Forward) -> Message | None:
        method = json.loads(request.body)["method"]
        if method != "eth_signTransaction":
            return await forward(request)
        refused.append(method)
        return None

    relay.become(paying_nothing)
    before = len(remote.log())
    await world.measure(epoch)

    async def is_waiting() -> bool:
        return "transmission waits" in remote.log()[before:] and len(refused) > 1

    await world.until(is_waiting, "the transaction waits for its signature")
    assert '"event": "agreed"' in remote.log()[before:]
    assert await next_epoch(world) == epoch
    remote.kill()
    remote.start()
    relay.become(honest)
    await world.reported(epoch)
    assert await transmitter(world, epoch) == payer_of(FIRST)


async def test_report__signer_signs_something_else__not_used_and_told(
    world: World, relay: Relay
) -> None:
    while proposer(epoch := await next_epoch(world)) != SECOND:
        await world.measure(epoch)
        await world.reported(epoch)
    remote = world.reporters[FIRST]

    async def of_another(request: Message, forward: Forward) -> Message:
        call = json.loads(request.body)
        if call["method"].startswith("eth_signTypedData"):
            call["params"][0] = payer_of(FIRST)
        return await forward(request.with_body(json.dumps(call).encode()))

    relay.become(of_another)
    # The others are a quorum without it.
    await world.measure(epoch)
    await world.reported(epoch)

    async def is_said() -> bool:
        told = await readiness(world, remote)
        return f"signed by {payer_of(FIRST)}, not by {remote.account.address}" in str(
            told["signer"]
        )

    await world.until(is_said, "the reporter says what came back")
    relay.become(honest)
    epoch = await next_epoch(world)
    await world.measure(epoch)
    await world.reported(epoch)
    await world.ready()


async def test_possession__remote_signer__proves_the_key(world: World, relay: Relay) -> None:
    remote = world.reporters[FIRST]
    operator = payer_of(SECOND)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "api.oracle", "possession", "--operator", operator],
        env=remote.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    deployments = json.loads((world.stage.deployments / f"{LOCAL_CHAIN_ID}.json").read_text())
    registry = Address(deployments["contracts"]["ReporterRegistry"]["address"])
    domain = reporter_registry_domain(LOCAL_CHAIN_ID, registry)
    message = possession_message(domain, operator, remote.account.address)
    assert done.stdout.strip() == to_hex(remote.account.signer.sign(message.digest))
