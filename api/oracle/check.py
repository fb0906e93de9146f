"""`python -m api.oracle check`: what stands in the way of a reporter, before it runs.

It reads and asks; it writes to neither chain nor database. The chain comes first: without it the
rest can be told only in part. A step that fails is a finding, and the next one is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from api.chain.client import ChainClient
from api.chain.contracts import ClusterRegistry, MetricsOracle
from api.chain.deployments import Deployment
from api.checking import chain, place
from api.checking.findings import Finding, Verdict, bad, good, noted, taken
from api.clock import SystemClock
from api.domain.eip712 import oracle_domain
from api.domain.reports import quorum
from api.errors import RackstreamError, StoreUnavailable, host_of
from api.oracle import check_chain
from api.oracle.health import MAX_CLOCK_LAG_SECONDS
from api.sending.signers import SigningAccount
from api.store.batches import BatchStore
from api.store.database import Database
from api.types import Address, ClusterId

LATELY_SECONDS: Final = 600
"""An agent that has told nothing for longer is silent."""

_SERVICE: Final = "reporter"
_PREFIX: Final = "RACKSTREAM_ORACLE_"


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
        *plan.rpc_urls, chain_id=plan.chain_id, timeout_seconds=chain.NODE_TIMEOUT_SECONDS
    )
    async with httpx.AsyncClient(timeout=plan.peer_timeout_seconds) as http:
        try:
            is_chain_there = False
            async for finding in chain.nodes(client, _PREFIX):
                is_chain_there = is_chain_there or finding.verdict is Verdict.GOOD
                yield finding
            if is_chain_there:
                async for finding in _on_chain(plan, client):
                    yield finding
            reporters = await _reporters(plan, client) if is_chain_there else ()
            async for finding in _keys(plan, reporters):
                yield finding
            is_running, finding = await place.port(
                http, plan.host, plan.port, plan.account, _SERVICE, _PREFIX
            )
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
        async for finding in chain.contracts(client, plan.deployment):
            yield finding
    except RackstreamError as error:
        yield bad("contracts", error.message)
    steps: Mapping[str, Callable[[], Awaitable[Finding]]] = {
        "signing": lambda: chain.signing(oracle, oracle_domain(plan.chain_id, oracle.address)),
        "reporter": lambda: check_chain.reporter(oracle, plan.account),
        "balance": lambda: check_chain.balance(
            client, registry, plan.transmitter.address, plan.max_fee_per_gas
        ),
        "clock": lambda: chain.clock(
            client,
            uses_chain_clock=plan.uses_chain_clock,
            max_lag_seconds=MAX_CLOCK_LAG_SECONDS,
        ),
    }
    async for finding in taken(steps):
        yield finding


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


async def _database(
    plan: Plan, client: ChainClient | None, is_running: bool
) -> AsyncIterator[Finding]:
    if plan.database_url is None:
        yield place.own_server(plan.data_dir, _PREFIX)
        return
    database = Database(plan.database_url)
    try:
        state = await database.look()
        for finding in place.database(state, _SERVICE, is_running=is_running):
            yield finding
        if client is not None:
            oracle = plan.deployment.contracts["MetricsOracle"]
            yield await place.owner(state, client, plan.account, oracle, _SERVICE)
            if state.revision is not None:
                async for finding in _agents(plan, client, database):
                    yield finding
    except StoreUnavailable as error:
        yield bad("database", f"{error.message}; set RACKSTREAM_ORACLE_DATABASE_URL")
    except RackstreamError as error:
        yield bad("database", error.message)
    finally:
        await database.close()


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
    answers = await asyncio.gather(*(place.who(http, url, _SERVICE) for url in others.values()))
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
