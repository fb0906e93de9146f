"""What `python -m api.gateway check` finds, on a real deployment with one thing wrong at a time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.chain import deployments
from api.chain.deployments import Deployment
from api.checking.findings import Finding, Verdict
from api.domain.codec import to_hex
from api.domain.hashing import keccak256
from api.domain.prices import Quote, SignedQuote, gateway_domain
from api.gateway.check import Plan, examine
from api.store.database import Database
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, ClusterId
from scripts._lib.anvil import rpc
from scripts._lib.cast import Account
from scripts._lib.processes import free_ports
from tests.support.reporting import CLUSTER, ROOT
from tests.support.selling import (
    CEILING,
    FLOOR,
    FOREVER,
    MODEL,
    MODEL_OWNER,
    OPERATOR,
    USD,
    Shop,
)

GOOD, BAD, NOTED = Verdict.GOOD, Verdict.BAD, Verdict.NOTED
ACCOUNT = Account(113, "checked")
POOR = Account(114, "poor")
GUARDIAN = Account(1, "guardian")
COLLECTION_GAS = 243_000


def write_fleet(
    path: Path,
    shop: Shop,
    url: str | None = None,
    *,
    cluster: ClusterId = CLUSTER,
    operator: Account = OPERATOR,
    since: int = 0,
    until: int = FOREVER,
    owner: Account | None = None,
) -> Path:
    """A fleet of one quote and one server."""
    domain = gateway_domain(LOCAL_CHAIN_ID, shop.payments)
    model_owner = None if owner is None else owner.address
    asked = Quote(cluster, MODEL, FLOOR, CEILING, since, until, model_owner)
    signature = operator.signer.sign(asked.message(domain).digest)
    quote = SignedQuote(asked, operator.address, signature).to_json()
    server = {
        "clusterId": int(cluster),
        "url": url or shop.upstreams[0].url,
        "slots": 1,
        "models": {MODEL: MODEL},
    }
    path.write_text(json.dumps({"quotes": [quote], "upstreams": [server]}))
    return path


@pytest.fixture(scope="module")
def deployment(shop: Shop) -> Deployment:
    """As recorded by the deployment code: with the hashes of the code that is there."""

    def code(address: str) -> bytes:
        return bytes.fromhex(rpc(shop.anvil.port, "eth_getCode", address, "latest")[2:])

    known = shop.deployment
    return replace(
        known,
        contracts={
            name: replace(one, code_hash=to_hex(keccak256(code(one.address))))
            for name, one in known.contracts.items()
        },
    )


@pytest.fixture(scope="module")
def database_url(postgres: EmbeddedPostgres) -> str:
    return postgres.url("checked")


@pytest.fixture
def plan(shop: Shop, deployment: Deployment, database_url: str, tmp_path: Path) -> Plan:
    """A second gateway's, with nothing wrong."""
    rpc(shop.anvil.port, "anvil_setBalance", ACCOUNT.address, hex(10**20))
    return Plan(
        account=ACCOUNT.address,
        rpc_urls=(shop.anvil.url,),
        chain_id=LOCAL_CHAIN_ID,
        deployment=deployment,
        fleet=write_fleet(tmp_path / "fleet.json", shop),
        database_url=database_url,
        data_dir=tmp_path,
        host="127.0.0.1",
        port=free_ports(1)[0],
        connect_seconds=3,
        uses_chain_clock=True,
        max_fee_per_gas=200 * 10**9,
        refund_day_usd6=USD,
    )


def everything(plan: Plan) -> list[Finding]:
    async def collect() -> list[Finding]:
        return [finding async for finding in examine(plan)]

    return asyncio.run(collect())


def found(plan: Plan, subject: str) -> list[Finding]:
    return [finding for finding in everything(plan) if finding.subject == subject]


def told(plan: Plan, verdict: Verdict, subject: str) -> str:
    """The one finding about a subject with this verdict."""
    (text,) = [one.text for one in found(plan, subject) if one.verdict is verdict]
    return text


def bad_subjects(plan: Plan) -> list[str]:
    return [one.subject for one in everything(plan) if one.verdict is BAD]


def test_examine__nothing_wrong__nothing_bad_and_every_step_told(plan: Plan, shop: Shop) -> None:
    findings = everything(plan)
    assert [finding for finding in findings if finding.verdict is BAD] == []
    assert {finding.subject for finding in findings} == {
        "account", "node", "contracts", "signing", "balance", "clock", "stablecoin", "inflow",
        "refunds", "port", "database", "fleet", "cluster", "quote", "x402", "server",
    }  # fmt: skip
    assert shop.upstreams[0].url.removeprefix("http://") in told(plan, GOOD, "server")


def test_examine__anything__leaves_chain_and_database_as_they_were(plan: Plan, shop: Shop) -> None:
    def state() -> tuple[str, str]:
        port, account = shop.anvil.port, ACCOUNT.address
        return (
            rpc(port, "eth_getTransactionCount", account, "pending"),
            rpc(port, "eth_getBalance", account, "latest"),
        )

    async def revision() -> str | None:
        assert plan.database_url is not None
        database = Database(plan.database_url)
        try:
            return (await database.look()).revision
        finally:
            await database.close()

    before = state()
    everything(plan)
    assert state() == before
    assert asyncio.run(revision()) is None


def test_nodes__dead__bad_and_the_rest_is_still_told(plan: Plan) -> None:
    (dead,) = free_ports(1)
    plan = replace(plan, rpc_urls=(f"http://127.0.0.1:{dead}/key",))
    findings = everything(plan)
    assert [one.subject for one in findings if one.verdict is BAD] == ["node"]
    assert {"port", "database", "fleet", "server"} <= {one.subject for one in findings}
    assert "RACKSTREAM_GATEWAY_RPC_URL" in told(plan, BAD, "node")
    assert not any("/key" in str(one) for one in findings)


def test_contracts__of_another_deployment__bad_where_they_are_asked(plan: Plan) -> None:
    contracts = dict(plan.deployment.contracts)
    contracts["InferencePayments"] = contracts["ClusterRegistry"]
    plan = replace(plan, deployment=replace(plan.deployment, contracts=contracts))
    assert {"signing", "stablecoin"} <= set(bad_subjects(plan))


@pytest.mark.parametrize(
    ("collections", "limit_gwei", "verdict"), [(23, 200, BAD), (30, 200, NOTED), (30, 1, GOOD)]
)
def test_balance__some_collections__counted(
    plan: Plan, shop: Shop, collections: int, limit_gwei: int, verdict: Verdict
) -> None:
    port = shop.anvil.port
    newest = rpc(port, "eth_getBlockByNumber", "latest", False)
    tip = int(rpc(port, "eth_maxPriorityFeePerGas"), 16)
    wei = collections * COLLECTION_GAS * (int(newest["baseFeePerGas"], 16) + tip)
    rpc(port, "anvil_setBalance", POOR.address, hex(wei))
    plan = replace(plan, account=POOR.address, max_fee_per_gas=limit_gwei * 10**9)
    assert f"{collections} collections of ten vouchers" in told(plan, verdict, "balance")


def test_stablecoin__paused__bad(plan: Plan, shop: Shop) -> None:
    with shop.paused():
        assert "is paused" in told(plan, BAD, "stablecoin")
    assert "is not paused" in told(plan, GOOD, "stablecoin")


def test_stablecoin__blacklists_the_gateway_or_where_it_is_paid__bad(
    plan: Plan, shop: Shop
) -> None:
    settler = shop.deployment.address_of("X402Settler")
    stopped = Account(115, "stopped").address
    shop.blacklist(stopped)
    assert f"this gateway, {stopped}" in told(replace(plan, account=stopped), BAD, "stablecoin")
    other = Account(116, "other").address
    pay_to = shop.read("X402Settler", settler, "payTo", CLUSTER, other)
    shop.blacklist(pay_to)
    assert f"cluster 1 is paid at {pay_to}" in told(replace(plan, account=other), BAD, "x402")


def test_stablecoin__tells_nothing_of_itself__noted_and_x402_is_not_offered(
    plan: Plan, shop: Shop
) -> None:
    """Any ERC-20 will do: a cluster's share is one."""
    registry = shop.deployment.address_of("ClusterRegistry")
    share = shop.read("ClusterRegistry", registry, "cluster", CLUSTER)[4]
    plan = replace(plan, deployment=replace(plan.deployment, stablecoin=share))
    assert "does not tell" in told(plan, NOTED, "stablecoin")
    assert "none is offered" in told(plan, NOTED, "x402")


def test_inflow__paused__noted_for_what_stops(plan: Plan, shop: Shop) -> None:
    guardian, waterfall = GUARDIAN.address, shop.deployment.address_of("Waterfall")
    for contract, address in (("InferencePayments", shop.payments), ("Waterfall", waterfall)):
        shop.transact(guardian, contract, address, "pauseInflow", 3_600)
    try:
        stopped = [one for one in found(plan, "inflow") if one.verdict is NOTED]
        assert ["deposits" in one.text for one in stopped] == [True, False]
    finally:
        for contract, address in (("InferencePayments", shop.payments), ("Waterfall", waterfall)):
            shop.transact(guardian, contract, address, "resumeInflow")
    assert "are taken" in told(plan, GOOD, "inflow")


def test_refunds__own_dollars__told_against_what_may_be_given_back(plan: Plan, shop: Shop) -> None:
    assert "$0.000000 of its own" in told(plan, NOTED, "refunds")
    rich = Account(117, "rich").address
    shop.mint(rich, USD)
    assert "$1.000000 of its own" in told(replace(plan, account=rich), GOOD, "refunds")


def test_port_and_database__of_the_running_gateway__noted_and_of_another_bad(
    plan: Plan, shop: Shop
) -> None:
    url = shop.gateway.environment["RACKSTREAM_GATEWAY_DATABASE_URL"]
    same = replace(plan, account=shop.gateway.address, port=shop.gateway.port, database_url=url)
    assert "this gateway is running" in told(same, NOTED, "port")
    assert "the running gateway works on it" in told(same, NOTED, "database")
    other = replace(plan, port=shop.gateway.port, database_url=url)
    assert "RACKSTREAM_GATEWAY_PORT" in told(other, BAD, "port")
    texts = [one.text for one in found(other, "database") if one.verdict is BAD]
    assert "another process works on it" in texts[0]
    assert f"belongs to account {shop.gateway.address}" in texts[1]


def test_database__dead_or_its_own__told(plan: Plan, tmp_path: Path) -> None:
    (dead,) = free_ports(1)
    url = f"postgresql+psycopg://user:hidden@127.0.0.1:{dead}/x"
    words = told(replace(plan, database_url=url), BAD, "database")
    assert "RACKSTREAM_GATEWAY_DATABASE_URL" in words
    assert "hidden" not in words
    plan = replace(plan, database_url=None, data_dir=tmp_path / "new")
    assert "is started in" in told(plan, GOOD, "database")


def test_fleet__cannot_be_read_or_signed_by_somebody_else__bad(
    plan: Plan, shop: Shop, tmp_path: Path
) -> None:
    missing = replace(plan, fleet=tmp_path / "missing.json")
    assert "RACKSTREAM_GATEWAY_FLEET" in told(missing, BAD, "fleet")
    forged = json.loads(plan.fleet.read_text())
    forged["quotes"][0]["operator"] = POOR.address
    plan.fleet.write_text(json.dumps(forged))
    assert f"not by {POOR.address}" in told(plan, BAD, "fleet")


def test_cluster__unknown_or_of_another_operator__bad_and_nobody_is_served(
    plan: Plan, shop: Shop
) -> None:
    write_fleet(plan.fleet, shop, cluster=ClusterId(9))
    texts = [one.text for one in found(plan, "cluster") if one.verdict is BAD]
    assert "cluster 9 is not registered" in texts[0]
    assert "nobody is served" in texts[1]
    write_fleet(plan.fleet, shop, operator=POOR)
    texts = [one.text for one in found(plan, "cluster") if one.verdict is BAD]
    assert f"{POOR.address} has signed a quote and is not its operator" in texts[0]
    assert len(texts) == 2


def test_cluster__suspended__noted_and_nobody_is_served(plan: Plan, shop: Shop) -> None:
    registry = shop.deployment.address_of("ClusterRegistry")
    shop.transact(GUARDIAN.address, "ClusterRegistry", registry, "suspend", CLUSTER)
    try:
        assert "cluster 1 is suspended" in told(plan, NOTED, "cluster")
        assert "nobody is served" in told(plan, BAD, "cluster")
    finally:
        shop.transact(GUARDIAN.address, "ClusterRegistry", registry, "resume", CLUSTER)


def test_quote__over_soon_over_or_not_begun__told(plan: Plan, shop: Shop) -> None:
    newest = rpc(shop.anvil.port, "eth_getBlockByNumber", "latest", False)
    now = int(newest["timestamp"], 16)
    write_fleet(plan.fleet, shop, until=now)
    assert "ended 20" in told(plan, BAD, "quote")
    write_fleet(plan.fleet, shop, until=now + 86_400)
    assert "ends soon, 20" in told(plan, NOTED, "quote")
    write_fleet(plan.fleet, shop, since=now + 86_400)
    assert "begins 20" in told(plan, NOTED, "quote")
    write_fleet(plan.fleet, shop)
    assert "until after the year 9999" in told(plan, GOOD, "quote")


def test_model__named_owner__bad_until_it_has_registered_it(plan: Plan, shop: Shop) -> None:
    write_fleet(plan.fleet, shop, owner=MODEL_OWNER)
    assert "names an owner who has not registered it" in told(plan, BAD, "model")
    shop.register_model(MODEL, 100)
    assert f"is registered by {MODEL_OWNER.address}" in told(plan, GOOD, "model")


@contextmanager
def answering(status: int, content: object) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """A server that says this to everybody; the headers that it was asked with."""
    heard: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append({name.lower(): value for name, value in self.headers.items()})
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing to tell."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://user:hidden@127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.mark.parametrize(
    ("status", "content", "verdicts", "words"),
    [
        (200, {"data": [{"id": MODEL}]}, [GOOD], f"serves {MODEL}"),
        (200, {"data": [{"id": "another"}]}, [NOTED, BAD], f"does not list {MODEL}"),
        (200, ["odd"], [NOTED, BAD], f"does not list {MODEL}"),
        (401, {}, [BAD, BAD], "apiKeyFile"),
        (503, {}, [NOTED, BAD], "answered 503"),
    ],
)
def test_server__answers__told_by_what(
    plan: Plan,
    shop: Shop,
    status: int,
    content: object,
    verdicts: Sequence[Verdict],
    words: str,
) -> None:
    with answering(status, content) as (url, _):
        write_fleet(plan.fleet, shop, url)
        findings = found(plan, "server")
    assert [one.verdict for one in findings] == verdicts
    assert words in findings[0].text
    assert not any("hidden" in one.text for one in findings)


def test_server__wants_a_key__is_asked_with_it(plan: Plan, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    with answering(200, {"data": [{"id": MODEL}]}) as (url, heard):
        plain = url.replace("user:hidden@", "")
        fleet = json.loads(write_fleet(plan.fleet, shop, plain).read_text())
        fleet["upstreams"][0]["apiKeyFile"] = str(tmp_path / "key")
        plan.fleet.write_text(json.dumps(fleet))
        findings = everything(plan)
    assert heard[0]["authorization"] == "Bearer secret"
    assert not any("secret" in one.text for one in findings)


def test_server__does_not_answer__noted_and_its_model_has_none(plan: Plan, shop: Shop) -> None:
    (dead,) = free_ports(1)
    write_fleet(plan.fleet, shop, f"http://127.0.0.1:{dead}")
    assert f"127.0.0.1:{dead} does not answer" in told(plan, NOTED, "server")
    assert MODEL in told(plan, BAD, "server")


# -- the command ----------------------------------------------------------------------------------


def run(environment: Mapping[str, str], **changes: str | None) -> tuple[int, str]:
    """The command itself: its exit status and what it says."""
    changed = dict(environment) | {name: v for name, v in changes.items() if v is not None}
    for name in (name for name, value in changes.items() if value is None):
        changed.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "api.gateway", "check"],
        env=changed,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ACCOUNT.key.hex() not in done.stdout + done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def environment(plan: Plan, shop: Shop, tmp_path: Path) -> Mapping[str, str]:
    """The plan as settings."""
    folder = tmp_path / "deployments"
    folder.mkdir()
    deployments.save(folder, plan.deployment)
    return shop.gateway.environment | {
        "RACKSTREAM_GATEWAY_KEY": "0x" + ACCOUNT.key.hex(),
        "RACKSTREAM_GATEWAY_DEPLOYMENTS_DIR": str(folder),
        "RACKSTREAM_GATEWAY_DATABASE_URL": str(plan.database_url),
        "RACKSTREAM_GATEWAY_PORT": str(plan.port),
        "RACKSTREAM_GATEWAY_FLEET": str(plan.fleet),
    }


def test_main__nothing_wrong__says_so_and_ends_with_0(environment: Mapping[str, str]) -> None:
    status, said = run(environment)
    assert (status, said.splitlines()[-1]) == (0, "nothing stands in the way")
    assert all(line[0] in "✓–" for line in said.splitlines()[:-1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"RACKSTREAM_RPC_URL": None, "RACKSTREAM_CHAIN_ID": None}, "RACKSTREAM_GATEWAY_CHAIN_ID"),
        ({"RACKSTREAM_GATEWAY_FLEET": None}, "RACKSTREAM_GATEWAY_FLEET"),
        ({"RACKSTREAM_GATEWAY_KEY": None}, "either a key"),
        ({"RACKSTREAM_GATEWAY_DEPLOYMENTS_DIR": "/nowhere"}, "nothing is deployed on chain"),
    ],
)
def test_main__settings_wrong__named_and_ends_with_1(
    environment: Mapping[str, str], changes: dict[str, str | None], words: str
) -> None:
    status, said = run(environment, **changes)
    assert status == 1
    assert words in said
    assert all(line.startswith("✗ settings") for line in said.splitlines())


def test_main__something_bad__ends_with_1(environment: Mapping[str, str]) -> None:
    status, said = run(environment, RACKSTREAM_GATEWAY_FLEET="/nowhere.json")
    assert status == 1
    assert said.splitlines()[-1] == "1 to be put right before the start"
