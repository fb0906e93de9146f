"""How a reporter starts, ends, and says why it cannot."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.chain import deployments
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID
from scripts._lib import cast
from scripts._lib.processes import free_ports
from tests.support.relay import Forward, Message, Relay, honest
from tests.support.reporting import ReporterProcess, Stage, World, opened


@pytest.fixture
async def world(stage: Stage, postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[World]:
    """One reporter, not started."""
    async with opened(stage, postgres, tmp_path) as world:
        world.prepare_reporters(cast.REPORTERS[:1])
        yield world


@pytest.fixture
def reporter(world: World) -> ReporterProcess:
    return world.reporters[0]


async def ended(reporter: ReporterProcess) -> int:
    return await asyncio.to_thread(reporter.ended)


async def test_main__no_database_named__starts_and_ends_one_of_its_own(
    world: World, reporter: ReporterProcess
) -> None:
    # Short, and not below pytest's folder: root's server is another user and listens on a path.
    folder = Path(tempfile.mkdtemp(prefix="rackstream-reporter-"))
    try:
        reporter.set(RACKSTREAM_ORACLE_DATABASE_URL=None, RACKSTREAM_ORACLE_DATA_DIR=str(folder))
        reporter.start()
        await world.ready()
        assert (folder / "postgres" / "postmaster.pid").exists()
        assert await asyncio.to_thread(reporter.end) == 0
        assert not (folder / "postgres" / "postmaster.pid").exists()
    finally:
        shutil.rmtree(folder)


async def test_main__started_before_its_chain__waits_for_it(
    world: World, reporter: ReporterProcess
) -> None:
    await asyncio.to_thread(world.anvil.stop)
    reporter.start()

    async def is_waiting() -> bool:
        answer = await world.get(reporter, "/readyz")
        return answer.status_code == 503 and "cannot be reached" in answer.json()["chain"]

    await world.until(is_waiting, "not ready without a chain")
    assert (await world.get(reporter, "/livez")).status_code == 200
    starting = await world.get(reporter, "/v1/clusters")
    assert (starting.status_code, starting.json()["code"]) == (503, "not-started")
    await asyncio.to_thread(world.anvil.start)
    await world.ready()


async def test_main__started_before_a_node_that_knows_nothing__waits_for_it(
    world: World, reporter: ReporterProcess
) -> None:
    async def ignorant(request: Message, forward: Forward) -> Message:
        answer = await forward(request)
        if b'"eth_call"' in request.body:
            return answer.with_body(b'{"jsonrpc":"2.0","id":1,"result":"0x"}')
        return answer

    relay = Relay(world.anvil.port)
    relay.behaviour = ignorant
    await relay.start()
    reporter.set(RACKSTREAM_RPC_URL=relay.url)
    reporter.start()

    async def has_decided() -> bool:
        return "start waits" in reporter.log() or not reporter.is_alive

    await world.until(has_decided, "the reporter has asked")
    assert reporter.is_alive
    assert "0 bytes are no answer of" in reporter.log()
    relay.become(honest)
    await world.ready()
    await relay.close()


async def test_main__first_of_two_nodes_dead__works_with_the_second(
    world: World, reporter: ReporterProcess
) -> None:
    (dead,) = free_ports(1)
    reporter.set(RACKSTREAM_ORACLE_RPC_URL=f"http://127.0.0.1:{dead}/secret-path,{world.anvil.url}")
    reporter.start()
    await world.ready()

    async def is_told() -> bool:
        metrics = (await world.get(reporter, "/metrics")).text
        return (
            'rackstream_node_usable{node="1"} 0.0' in metrics
            and 'rackstream_node_usable{node="2"} 1.0' in metrics
            and "rackstream_node_switches_total 1.0" in metrics
        )

    await world.until(is_told, "the metrics say which node works")
    assert "node switched" in reporter.log()
    assert f"127.0.0.1:{dead}" in reporter.log()
    assert "secret-path" not in reporter.log()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("RACKSTREAM_ORACLE_KEY", None, "either a key"),
        ("RACKSTREAM_RPC_URL", None, "RACKSTREAM_ORACLE_RPC_URL"),
        ("RACKSTREAM_ORACLE_DEPLOYMENTS_DIR", "/nowhere", "nothing is deployed on chain 31337"),
    ],
)
async def test_main__setting_missing_or_wrong__ends_and_says_which(
    reporter: ReporterProcess, variable: str, value: str | None, words: str
) -> None:
    reporter.set(**{variable: value})
    reporter.start()
    assert await ended(reporter) == 2
    assert words in reporter.log()


@pytest.mark.parametrize("name", ["RelatedParties", "X402Settler", "the stablecoin"])
async def test_main__record_without_what_it_reads__ends_and_says_what(
    world: World, reporter: ReporterProcess, tmp_path: Path, name: str
) -> None:
    known = deployments.load(world.stage.deployments, LOCAL_CHAIN_ID)
    left = {other: record for other, record in known.contracts.items() if other != name}
    stablecoin = None if name == "the stablecoin" else known.stablecoin
    deployments.save(tmp_path / "record", replace(known, contracts=left, stablecoin=stablecoin))
    reporter.set(RACKSTREAM_ORACLE_DEPLOYMENTS_DIR=str(tmp_path / "record"))
    reporter.start()
    assert await ended(reporter) == 2
    assert f"nothing is deployed on chain 31337: {name}" in reporter.log()


async def test_main__database_of_another_reporter__ends_and_says_whose(
    world: World, reporter: ReporterProcess
) -> None:
    reporter.start()
    await world.ready()
    reporter.kill()
    other = cast.REPORTERS[1]
    reporter.set(RACKSTREAM_ORACLE_KEY="0x" + other.key.hex())
    reporter.start()
    assert await ended(reporter) == 2
    assert f"belongs to account {reporter.account.address}" in reporter.log()
    assert other.key.hex() not in reporter.log()


async def test_main__second_process_on_the_database__ends(
    world: World, reporter: ReporterProcess
) -> None:
    reporter.start()
    await world.ready()
    second = ReporterProcess(
        reporter.account, 0, dict(reporter.environment), world.folder / "second.log"
    )
    second.set(RACKSTREAM_ORACLE_PORT="0")
    second.start()
    try:
        assert await ended(second) == 2
        assert "another process works on database" in second.log()
        assert await world.is_ready(reporter)
    finally:
        second.kill()


async def test_main__port_taken__ends_and_says_so(world: World, reporter: ReporterProcess) -> None:
    reporter.start()
    await world.ready()
    second = ReporterProcess(
        reporter.account, 0, dict(reporter.environment), world.folder / "second.log"
    )
    second.start()
    try:
        assert await ended(second) == 2
        assert f"cannot listen on 127.0.0.1:{reporter.url.rpartition(':')[2]}" in second.log()
    finally:
        second.kill()
