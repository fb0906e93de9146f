"""What `python -m api.oracle check` finds, on a real deployment with one thing wrong at a time."""

from __future__ import annotations

import asyncio
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from api.chain import deployments
from api.chain.deployments import Deployment, PendingRecord
from api.checking.findings import Finding, Verdict
from api.domain.codec import to_hex
from api.domain.eip712 import oracle_domain
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.oracle.check import Plan, examine
from api.sending.remote_signer import RemoteSigner
from api.sending.signers import LocalSigner
from api.store.database import Database, DatabaseIdentity, migrate
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, Address, Digest
from scripts._lib import cast
from scripts._lib.anvil import rpc
from scripts._lib.processes import free_ports
from tests.support.own_node import Node
from tests.support.reporting import ROOT, ReporterProcess, Stage, World, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD, BAD, NOTED = Verdict.GOOD, Verdict.BAD, Verdict.NOTED
STRANGER = LocalSigner(Signer(b"\x33" * 32))
POOR = LocalSigner(Signer(b"\x44" * 32))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Four reporters: the last one runs, the first is the one that is checked."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("check")) as world:
        world.prepare_reporters()
        world.reporters[-1].start()
        await world.ready(world.reporters[-1:])
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(world: World) -> Deployment:
    """As recorded by the deployment code: with the hashes of the code that is there."""
    known = deployments.load(world.stage.deployments, LOCAL_CHAIN_ID)
    return replace(
        known,
        contracts={
            name: replace(
                record, code_hash=to_hex(keccak256(await world.client.code_at(record.address)))
            )
            for name, record in known.contracts.items()
        },
    )


@pytest.fixture
def plan(world: World, deployment: Deployment, tmp_path: Path) -> Plan:
    """The first reporter's, with nothing wrong."""
    reporter = world.reporters[0]
    account = LocalSigner(reporter.account.signer)
    return Plan(
        signer=account,
        transmitter=account,
        rpc_urls=(world.anvil.url,),
        chain_id=LOCAL_CHAIN_ID,
        deployment=deployment,
        database_url=reporter.environment["RACKSTREAM_ORACLE_DATABASE_URL"],
        data_dir=tmp_path,
        host="127.0.0.1",
        port=int(reporter.url.rpartition(":")[2]),
        peers={one.account.address: one.url for one in world.reporters[1:]},
        peer_timeout_seconds=2,
        uses_chain_clock=True,
        max_fee_per_gas=200 * 10**9,
    )


async def found(plan: Plan, subject: str) -> list[Finding]:
    return [finding async for finding in examine(plan) if finding.subject == subject]


async def told(plan: Plan, verdict: Verdict, subject: str) -> str:
    """The one finding about a subject with this verdict."""
    (text_,) = [one.text for one in await found(plan, subject) if one.verdict is verdict]
    return text_


async def test_examine__nothing_wrong__nothing_bad_and_every_step_told(plan: Plan) -> None:
    findings = [finding async for finding in examine(plan)]
    assert [finding for finding in findings if finding.verdict is BAD] == []
    assert {finding.subject for finding in findings} == {
        "node", "contracts", "signing", "reporter", "balance", "clock", "keys", "port", "database",
        "peers",
    }  # fmt: skip


async def test_examine__anything__leaves_chain_and_database_as_they_were(
    plan: Plan, world: World
) -> None:
    assert plan.database_url is not None
    before = await world.client.block()
    async for _ in examine(plan):
        pass
    assert await world.client.block() == before
    database = Database(plan.database_url)
    assert (await database.look()).revision is None
    await database.close()


async def test_nodes__dead__bad_and_the_rest_is_still_told(plan: Plan) -> None:
    (dead,) = free_ports(1)
    plan = replace(plan, rpc_urls=(f"http://127.0.0.1:{dead}/key",))
    findings = [finding async for finding in examine(plan)]
    assert [one.subject for one in findings if one.verdict is BAD] == ["node"]
    assert {"port", "database", "peers"} <= {one.subject for one in findings}
    assert not any("/key" in str(one) for one in findings)


async def test_nodes__one_of_two_dead__noted(plan: Plan) -> None:
    (dead,) = free_ports(1)
    plan = replace(plan, rpc_urls=(f"http://127.0.0.1:{dead}", *plan.rpc_urls))
    assert "cannot be reached" in await told(plan, NOTED, "node")
    assert "as it should" in await told(plan, GOOD, "node")


async def test_nodes__another_chain__bad(plan: Plan) -> None:
    assert "serves chain 31337, expected is 5" in await told(replace(plan, chain_id=5), BAD, "node")


async def test_contracts__no_code__bad(plan: Plan) -> None:
    record = replace(plan.deployment.contracts["MetricsOracle"], address=STRANGER.address)
    contracts = dict(plan.deployment.contracts) | {"Gone": record}
    plan = replace(plan, deployment=replace(plan.deployment, contracts=contracts))
    assert f"Gone: no code at {STRANGER.address}" in await told(plan, BAD, "contracts")


async def test_contracts__other_code__bad_with_both_hashes(plan: Plan) -> None:
    record = plan.deployment.contracts["MetricsOracle"]
    contracts = dict(plan.deployment.contracts)
    contracts["MetricsOracle"] = replace(record, code_hash="0x" + "5d" * 32)
    plan = replace(plan, deployment=replace(plan.deployment, contracts=contracts))
    words = await told(plan, BAD, "contracts")
    assert record.code_hash in words
    assert "0x" + "5d" * 32 in words


async def test_contracts__deployment_died__noted(plan: Plan) -> None:
    pending = PendingRecord(STRANGER.address, 3, 2)
    plan = replace(plan, deployment=replace(plan.deployment, pending=pending))
    assert "ape run deploy" in await told(plan, NOTED, "contracts")


async def test_signing__another_contract__bad(plan: Plan) -> None:
    contracts = dict(plan.deployment.contracts)
    contracts["MetricsOracle"] = contracts["ClusterRegistry"]
    plan = replace(plan, deployment=replace(plan.deployment, contracts=contracts))
    await told(plan, BAD, "signing")


async def test_signing__another_version__bad_with_both(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = oracle_domain

    def newer(chain_id: int, oracle: Address) -> object:
        return replace(own(chain_id, oracle), version="2")

    monkeypatch.setattr("api.oracle.check.oracle_domain", newer)
    words = await told(plan, BAD, "signing")
    assert "MetricsOracle 1" in words
    assert "MetricsOracle 2" in words


async def test_reporter__not_registered__bad(plan: Plan) -> None:
    words = await told(replace(plan, signer=STRANGER), BAD, "reporter")
    assert f"{STRANGER.address} is none of the 4 reporters" in words
    assert "number 1 of 4; 3 have to sign" in await told(plan, GOOD, "reporter")


@pytest.mark.parametrize(
    ("reports", "limit_gwei", "verdict"), [(23, 200, BAD), (30, 200, NOTED), (30, 1, GOOD)]
)
async def test_balance__some_reports__counted(
    plan: Plan, world: World, reports: int, limit_gwei: int, verdict: Verdict
) -> None:
    fees, newest = await world.client.fees(), await world.client.block()
    price = newest.base_fee + fees.max_priority_fee
    wei = reports * (94_400 + 8_900) * price
    await asyncio.to_thread(rpc, world.anvil.port, "anvil_setBalance", POOR.address, hex(wei))
    plan = replace(plan, transmitter=POOR, max_fee_per_gas=limit_gwei * 10**9)
    assert f"{reports} reports of 2 clusters" in await told(plan, verdict, "balance")


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [(0, GOOD, "ahead of"), (-120, BAD, "behind the newest"), (1_000, BAD, "not synchronised")],
)
async def test_clock__against_the_newest_block__told(
    plan: Plan, ahead: int, verdict: Verdict, words: str
) -> None:
    node = Node()
    node.start()
    try:
        node.rpc("anvil_setTime", int(time.time()) - ahead)
        node.rpc("anvil_mine", "0x1")
        plan = replace(plan, rpc_urls=(node.url,), uses_chain_clock=False)
        assert words in await told(plan, verdict, "clock")
    finally:
        node.kill()


async def test_keys__one_for_both__told_with_the_account(plan: Plan) -> None:
    signs, has = [one.text for one in await found(plan, "keys")]
    assert f"{plan.account} signs the reports and pays" in signs
    assert f"this process has the key of {plan.account}" in has


async def test_keys__apart__told_who_is_who(plan: Plan) -> None:
    plan = replace(plan, transmitter=POOR)
    texts = [one.text for one in await found(plan, "keys") if one.verdict is GOOD]
    assert f"{plan.account} signs the reports, {POOR.address} pays" in texts[0]
    assert len(texts) == 3


async def test_keys__transmitter_is_another_reporter__bad(plan: Plan, world: World) -> None:
    other = LocalSigner(world.reporters[1].account.signer)
    words = await told(replace(plan, transmitter=other), BAD, "keys")
    assert f"{other.address} is another reporter's" in words


async def test_keys__remote_signer_has_it__good_with_its_host(plan: Plan) -> None:
    node = Node()
    node.start(accounts=25)
    try:
        url = node.url.replace("//", "//user:hidden@")
        plan = replace(plan, signer=RemoteSigner(url, plan.account, timeout_seconds=2))
        texts = [one.text for one in await found(plan, "keys") if one.verdict is GOOD]
        assert f"the signer at 127.0.0.1:{node.port} has the key of {plan.account}" in texts
    finally:
        node.kill()


async def test_keys__remote_signer_dead__bad_without_its_password(plan: Plan) -> None:
    (dead,) = free_ports(1)
    url = f"http://user:hidden@127.0.0.1:{dead}/token"
    plan = replace(plan, signer=RemoteSigner(url, plan.account, timeout_seconds=2))
    words = await told(plan, BAD, "keys")
    assert f"127.0.0.1:{dead} cannot be asked" in words
    assert "RACKSTREAM_ORACLE_SIGNER_URL" in words
    assert not any(secret in words for secret in ("hidden", "token"))


async def test_keys__remote_signer_without_the_account__bad(plan: Plan) -> None:
    node = Node()
    node.start(accounts=5)
    try:
        signer = RemoteSigner(node.url, plan.account, timeout_seconds=2)
        words = await told(replace(plan, signer=signer), BAD, "keys")
        assert f"has no account {plan.account}" in words
    finally:
        node.kill()


async def test_port__taken_by_somebody__bad(plan: Plan) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        plan = replace(plan, port=taken.getsockname()[1])
        assert "RACKSTREAM_ORACLE_PORT" in await told(plan, BAD, "port")


async def test_port__taken_by_the_reporter_itself__noted_as_is_its_database(
    plan: Plan, world: World
) -> None:
    running = world.reporters[-1]
    plan = replace(
        plan,
        signer=LocalSigner(running.account.signer),
        port=int(running.url.rpartition(":")[2]),
        database_url=running.environment["RACKSTREAM_ORACLE_DATABASE_URL"],
    )
    assert "this reporter is running" in await told(plan, NOTED, "port")
    assert "the running reporter works on it" in await told(plan, NOTED, "database")
    assert [one.verdict for one in await found(plan, "database")].count(BAD) == 0
    # Nobody has sent to it.
    assert {one.verdict for one in await found(plan, "agents")} == {NOTED}


async def test_database__another_reporters_at_work__bad_for_both_reasons(
    plan: Plan, world: World
) -> None:
    running = world.reporters[-1]
    plan = replace(plan, database_url=running.environment["RACKSTREAM_ORACLE_DATABASE_URL"])
    texts = [one.text for one in await found(plan, "database") if one.verdict is BAD]
    assert len(texts) == 2
    assert "another process works on it" in texts[0]
    assert f"belongs to account {running.account.address}" in texts[1]


async def test_database__dead__bad_without_its_password(plan: Plan) -> None:
    (dead,) = free_ports(1)
    url = f"postgresql+psycopg://user:hidden@127.0.0.1:{dead}/x"
    words = await told(replace(plan, database_url=url), BAD, "database")
    assert "RACKSTREAM_ORACLE_DATABASE_URL" in words
    assert "hidden" not in words


@pytest.mark.parametrize(
    ("revision", "verdict", "words"),
    [("0010", GOOD, "of version 0010"), ("0009", NOTED, "of version 0009"), ("9", BAD, "newer")],
)
async def test_database__tables_of_a_version__told(
    plan: Plan, postgres: EmbeddedPostgres, revision: str, verdict: Verdict, words: str
) -> None:
    url = postgres.url(f"v{secrets.token_hex(6)}")
    await asyncio.to_thread(migrate, url)
    database = Database(url)
    async with database.writing() as connection:
        await connection.execute(
            text("update alembic_version set version_num = :revision"), {"revision": revision}
        )
    await database.close()
    findings = await found(replace(plan, database_url=url), "database")
    assert any(one.verdict is verdict and words in one.text for one in findings)


async def test_database__own_and_of_another_chain__told_apart(
    plan: Plan, world: World, postgres: EmbeddedPostgres
) -> None:
    url = postgres.url(f"v{secrets.token_hex(6)}")
    await asyncio.to_thread(migrate, url)
    record = plan.deployment.contracts["MetricsOracle"]
    origin = Digest((await world.client.block(record.block)).hash)
    database = Database(url)
    await database.bind(DatabaseIdentity(plan.account, LOCAL_CHAIN_ID, record.address, origin))
    await database.close()
    plan = replace(plan, database_url=url)
    texts = [one.text for one in await found(plan, "database")]
    assert "it belongs to this reporter" in texts
    words = await told(replace(plan, signer=POOR), BAD, "database")
    assert "belongs to account" in words


async def test_database__own_server__folder_looked_at(plan: Plan, tmp_path: Path) -> None:
    plan = replace(plan, database_url=None, data_dir=tmp_path / "new")
    assert "is started in" in await told(plan, GOOD, "database")
    (tmp_path / "file").touch()
    plan = replace(plan, data_dir=tmp_path / "file" / "new")
    assert "cannot be written" in await told(plan, BAD, "database")
    assert not (tmp_path / "new").exists()


async def test_peers__some_answer__each_told(plan: Plan, world: World) -> None:
    findings = await found(plan, "peers")
    assert [one.verdict for one in findings] == [NOTED, NOTED, GOOD]
    assert world.reporters[-1].account.address in findings[-1].text


async def test_peers__another_than_named__bad_with_both(plan: Plan, world: World) -> None:
    running, named = world.reporters[-1], world.reporters[1].account.address
    peers = dict(plan.peers) | {named: running.url}
    words = await told(replace(plan, peers=peers), BAD, "peers")
    assert named in words
    assert running.account.address in words


async def test_peers__too_few_named_for_a_quorum__bad_with_who_is_missing(
    plan: Plan, world: World
) -> None:
    missing = [one.account.address for one in world.reporters[2:]]
    peers = {address: url for address, url in plan.peers.items() if address not in missing}
    words = await told(replace(plan, peers=peers), BAD, "peers")
    assert all(address in words for address in missing)
    # One may be missing.
    peers[missing[0]] = plan.peers[missing[0]]
    assert not [
        one for one in await found(replace(plan, peers=peers), "peers") if one.verdict is BAD
    ]


def run(reporter: ReporterProcess, **environment: str | None) -> tuple[int, str]:
    """The command itself: its exit status and what it says."""
    changed = reporter.environment | {k: v for k, v in environment.items() if v is not None}
    for name in (name for name, value in environment.items() if value is None):
        changed.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "api.oracle", "check"],
        env=changed,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert changed.get("RACKSTREAM_ORACLE_KEY", "0xnothing")[2:] not in done.stdout + done.stderr
    return done.returncode, done.stdout


async def test_main__nothing_wrong__says_so_and_ends_with_0(
    world: World, deployment: Deployment, tmp_path: Path
) -> None:
    deployments.save(tmp_path, deployment)
    status, said = await asyncio.to_thread(
        run, world.reporters[0], RACKSTREAM_ORACLE_DEPLOYMENTS_DIR=str(tmp_path)
    )
    assert (status, said.splitlines()[-1]) == (0, "nothing stands in the way")
    assert all(line[0] in "✓–" for line in said.splitlines()[:-1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"RACKSTREAM_RPC_URL": None, "RACKSTREAM_CHAIN_ID": None}, "RACKSTREAM_ORACLE_CHAIN_ID"),
        ({"RACKSTREAM_ORACLE_KEY": None}, "either a key"),
        ({"RACKSTREAM_ORACLE_KEY": "0x1234"}, "✗ settings"),
        ({"RACKSTREAM_ORACLE_DEPLOYMENTS_DIR": "/nowhere"}, "nothing is deployed on chain"),
    ],
)
async def test_main__settings_wrong__named_and_ends_with_1(
    world: World, changes: dict[str, str | None], words: str
) -> None:
    status, said = await asyncio.to_thread(run, world.reporters[0], **changes)
    assert status == 1
    assert words in said
    assert all(line.startswith("✗ settings") for line in said.splitlines())


async def test_main__something_bad__ends_with_1(world: World) -> None:
    # The stage's record has no hashes.
    status, said = await asyncio.to_thread(run, world.reporters[0])
    assert status == 1
    recorded = deployments.load(world.stage.deployments, LOCAL_CHAIN_ID).contracts
    assert f"{len(recorded)} to be put right before the start" in said
    assert cast.REPORTERS[0].address in said
