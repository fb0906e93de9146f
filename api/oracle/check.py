"""`python -m api.oracle check`: what stands in the way of a reporter, before it runs.

It reads and asks; it writes to neither chain nor database. The chain comes first: without it the
rest can be told only in part. A step that fails is a finding, and the next one is taken.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from api.chain.client import ChainClient
from api.chain.contracts import ClusterRegistry, MetricsOracle
from api.chain.deployments import Deployment
from api.clock import SystemClock
from api.domain.codec import parse_json
from api.domain.reports import quorum
from api.errors import (
    ConfigurationError,
    Malformed,
    PortTaken,
    RackstreamError,
    StoreUnavailable,
    host_of,
)
from api.oracle import check_chain
from api.oracle.findings import Finding, Verdict, bad, good, noted
from api.sending.signers import SigningAccount
from api.serving.listening import listen
from api.store.batches import BatchStore
from api.store.database import HEAD, Database, DatabaseIdentity, DatabaseState, revisions
from api.types import Address, ClusterId, Digest

LATELY_SECONDS: Final = 600
"""An agent that has told nothing for longer is silent."""

_NODE_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A reporter as it would be started. `database_url` is None if it starts its own server."""

    signer: SigningAccount
    transmitter: SigningAccount
    rpc_urls: tuple[str, ...]
    chain_id: int
    deployment: Deployment
    database_url: str | None
    data_dir: Path
    host: str
    port: int
    peers: Mapping[Address, str]
    peer_timeout_seconds: float
    uses_chain_clock: bool
    max_fee_per_gas: int

    @property
    def account(self) -> Address:
        """The reporter's, which signs the reports."""
        return self.signer.address


async def examine(plan: Plan) -> AsyncIterator[Finding]:
    """Everything that is found, in the order in which it should be put right."""
    client = ChainClient(
        *plan.rpc_urls, chain_id=plan.chain_id, timeout_seconds=_NODE_TIMEOUT_SECONDS
    )
    async with httpx.AsyncClient(timeout=plan.peer_timeout_seconds) as http:
        try:
            is_chain_there = False
            async for finding in check_chain.nodes(client):
                is_chain_there = is_chain_there or finding.verdict is Verdict.GOOD
                yield finding
            if is_chain_there:
                async for finding in _on_chain(plan, client):
                    yield finding
            reporters = await _reporters(plan, client) if is_chain_there else ()
            async for finding in _keys(plan, reporters):
                yield finding
            is_running, finding = await _port(plan, http)
            yield finding
            async for finding in _database(plan, client if is_chain_there else None, is_running):
                yield finding
            async for finding in _peers(plan, http, reporters):
                yield finding
        finally:
            await client.close()
            await plan.signer.close()
            await plan.transmitter.close()


async def _on_chain(plan: Plan, client: ChainClient) -> AsyncIterator[Finding]:
    oracle, registry = _contracts(plan, client)
    try:
        async for finding in check_chain.contracts(client, plan.deployment):
            yield finding
    except RackstreamError as error:
        yield bad("contracts", error.message)
    steps: Mapping[str, Callable[[], Awaitable[Finding]]] = {
        "signing": lambda: check_chain.signing(oracle),
        "reporter": lambda: check_chain.reporter(oracle, plan.account),
        "balance": lambda: check_chain.balance(
            client, registry, plan.transmitter.address, plan.max_fee_per_gas
        ),
        "clock": lambda: check_chain.clock(client, uses_chain_clock=plan.uses_chain_clock),
    }
    for subject, step in steps.items():
        try:
            yield await step()
        except RackstreamError as error:
            yield bad(subject, error.message)


def _contracts(plan: Plan, client: ChainClient) -> tuple[MetricsOracle, ClusterRegistry]:
    deployment = plan.deployment
    return (
        MetricsOracle(client, deployment.address_of("MetricsOracle")),
        ClusterRegistry(client, deployment.address_of("ClusterRegistry")),
    )


async def _reporters(plan: Plan, client: ChainClient) -> tuple[Address, ...]:
    try:
        return await _contracts(plan, client)[0].reporters()
    except RackstreamError:
        # Told by the step that is about the contract.
        return ()


async def _keys(plan: Plan, reporters: Sequence[Address]) -> AsyncIterator[Finding]:
    """Who signs, who transmits, and whether whoever has the keys is there. Nothing is signed."""
    signer, transmitter = plan.signer, plan.transmitter
    if transmitter.address == signer.address:
        yield good("keys", f"{signer.address} signs the reports and pays for transactions")
    else:
        yield good(
            "keys",
            f"{signer.address} signs the reports, {transmitter.address} pays for transactions",
        )
        if transmitter.address in reporters:
            yield bad(
                "keys",
                f"{transmitter.address} is another reporter's, which must be used by that one"
                " alone: set RACKSTREAM_ORACLE_TRANSMITTER_… to another account",
            )
    for account in (signer,) if transmitter is signer else (signer, transmitter):
        try:
            await account.check()
        except RackstreamError as error:
            yield bad(
                "keys",
                f"{error.message}; start it, give it the key or set RACKSTREAM_ORACLE_SIGNER_URL",
            )
        else:
            yield good("keys", f"{account.place} has the key of {account.address}")


async def _port(plan: Plan, http: httpx.AsyncClient) -> tuple[bool, Finding]:
    """Whether this very reporter runs already, and what that means for its port."""
    place = f"{plan.host}:{plan.port}"
    try:
        listen(plan.host, plan.port).close()
    except PortTaken as taken:
        if await _who(http, f"http://{place}") == plan.account:
            return True, noted("port", f"this reporter is running at {place}")
        return False, bad(
            "port", f"{taken.message}; end what listens there or set RACKSTREAM_ORACLE_PORT"
        )
    return False, good("port", f"{place} is free" if plan.port else "any free one is taken")


async def _database(
    plan: Plan, client: ChainClient | None, is_running: bool
) -> AsyncIterator[Finding]:
    if plan.database_url is None:
        yield _own_server(plan.data_dir)
        return
    database = Database(plan.database_url)
    try:
        state = await database.look()
        yield _tables(state)
        yield _lease(state, is_running)
        if client is not None:
            yield await _owner(plan, client, state)
            if state.revision is not None:
                async for finding in _agents(plan, client, database):
                    yield finding
    except StoreUnavailable as error:
        yield bad("database", f"{error.message}; set RACKSTREAM_ORACLE_DATABASE_URL")
    except RackstreamError as error:
        yield bad("database", error.message)
    finally:
        await database.close()


def _own_server(folder: Path) -> Finding:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return bad(
            "database",
            f"{nearest} cannot be written to, PostgreSQL would be started in {folder};"
            " set RACKSTREAM_ORACLE_DATA_DIR or _DATABASE_URL",
        )
    return good("database", f"PostgreSQL is started in {folder}; what is in it is not looked at")


def _tables(state: DatabaseState) -> Finding:
    if state.revision is None:
        return good("database", f"reachable and empty: the start makes the tables, version {HEAD}")
    if state.revision == HEAD:
        return good("database", f"reachable, its tables are of version {HEAD}")
    if state.revision in revisions():
        return noted(
            "database", f"its tables are of version {state.revision}: the start makes them {HEAD}"
        )
    return bad(
        "database",
        f"its tables are of version {state.revision}, which this release ({HEAD}) does not know:"
        " a newer one has worked on it",
    )


def _lease(state: DatabaseState, is_running: bool) -> Finding:
    if not state.is_leased:
        return good("database", "no other process works on it")
    if is_running:
        return noted("database", "the running reporter works on it")
    return bad("database", "another process works on it: end that one, or use another database")


async def _owner(plan: Plan, client: ChainClient, state: DatabaseState) -> Finding:
    if state.identity is None:
        return good("database", "it belongs to nobody yet")
    record = plan.deployment.contracts["MetricsOracle"]
    origin = await client.block(record.block)
    own = DatabaseIdentity(plan.account, plan.chain_id, record.address, Digest(origin.hash))
    if state.identity != own:
        return bad(
            "database",
            f"it belongs to {state.identity}, this would be {own}: use a database of its own",
        )
    return good("database", "it belongs to this reporter")


async def _agents(plan: Plan, client: ChainClient, database: Database) -> AsyncIterator[Finding]:
    oracle, registry = _contracts(plan, client)
    now = (await client.block()).time if plan.uses_chain_clock else SystemClock().now()
    store = BatchStore(database)
    for number in range(1, await registry.cluster_count() + 1):
        if not await oracle.next_epoch(number):
            continue
        known = await store.progress(ClusterId(number), now * 1_000)
        silent = sum(one.through_ms < (now - LATELY_SECONDS) * 1_000 for one in known.values())
        subject, cluster = "agents", f"cluster {number}"
        if not known:
            yield noted(
                subject, f"{cluster}: none has sent lately; give them this reporter's address"
            )
        elif silent:
            yield noted(
                subject,
                f"{cluster}: {silent} of {len(known)} silent for more than {LATELY_SECONDS} s",
            )
        else:
            yield good(subject, f"{cluster}: all {len(known)} have sent lately")


async def _peers(
    plan: Plan, http: httpx.AsyncClient, reporters: Sequence[Address]
) -> AsyncIterator[Finding]:
    others = {address: url for address, url in plan.peers.items() if address != plan.account}
    answers = await asyncio.gather(*(_who(http, url) for url in others.values()))
    for (address, url), who in zip(others.items(), answers, strict=True):
        if who is None:
            yield noted("peers", f"{address} does not answer at {host_of(url)}")
        elif who != address:
            yield bad(
                "peers",
                f"{host_of(url)} is {who}, not {address}: put RACKSTREAM_ORACLE_PEERS right",
            )
        elif reporters and address not in reporters:
            yield noted("peers", f"{address} answers and is no reporter (any more)")
        else:
            yield good("peers", f"{address} answers at {host_of(url)}")
    if not reporters:
        return
    unknown = [one for one in reporters if one != plan.account and one not in others]
    if len(reporters) - len(unknown) < quorum(len(reporters)):
        yield bad(
            "peers",
            f"of {len(unknown)} reporters no address is known, so no quorum can be asked:"
            f" name them in RACKSTREAM_ORACLE_PEERS ({', '.join(unknown)})",
        )
    elif unknown:
        yield noted("peers", f"no address is known of {', '.join(unknown)}")


async def _who(http: httpx.AsyncClient, url: str) -> Address | None:
    """Which reporter answers at a URL, as it says; None if none does."""
    try:
        answer = parse_json((await http.get(f"{url}/readyz")).content, "answer")
    except (httpx.HTTPError, Malformed):
        return None
    told = answer.get("reporter") if isinstance(answer, Mapping) else None
    return Address(told) if isinstance(told, str) else None


async def report(findings: AsyncIterator[Finding]) -> int:
    """Print each as it comes; the exit status: 0 if nothing stands in the way, else 1."""
    stands = 0
    async for finding in findings:
        print(finding, flush=True)
        stands += finding.verdict is Verdict.BAD
    print(
        "nothing stands in the way" if not stands else f"{stands} to be put right before the start"
    )
    return min(stands, 1)


def refuse(error: ConfigurationError) -> int:
    """Print what is wrong with the settings, without which nothing else can be told."""
    problems = error.value if isinstance(error.value, list) else [error.message]
    for problem in problems:
        print(bad("settings", str(problem)))
    return 1
