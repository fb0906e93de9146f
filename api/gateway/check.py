"""`python -m api.gateway check`: what stands in the way of a gateway, before it runs.

It reads and asks; it writes to neither chain nor database, and signs nothing. A step that fails is
a finding, and the next one is taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.chain.deployments import Deployment
from api.checking import chain, place
from api.checking.findings import Finding, Verdict, bad, good, taken
from api.clock import SystemClock
from api.domain.prices import gateway_domain
from api.domain.vouchers import payments_domain
from api.errors import ConfigurationError, RackstreamError, StoreUnavailable
from api.gateway import check_dollars, check_fleet
from api.gateway.fleet import Fleet, load_fleet
from api.store.database import Database
from api.types import Address

MAX_CLOCK_LAG_SECONDS: Final = 60
"""A clock that is further behind the newest block is wrong: what is over would still be taken."""

LEAST_COLLECTIONS: Final = 24

# Of ten vouchers for one cluster: contracts/payments/README.md.
_COLLECTION_GAS: Final = 243_000

_SERVICE: Final = "gateway"
_PREFIX: Final = "RACKSTREAM_GATEWAY_"


@dataclass(frozen=True, slots=True)
class Plan:
    """A gateway as it would be started. `database_url` is None if it starts its own server."""

    account: Address
    rpc_urls: tuple[str, ...]
    chain_id: int
    deployment: Deployment
    fleet: Path
    database_url: str | None
    data_dir: Path
    host: str
    port: int
    connect_seconds: float
    uses_chain_clock: bool
    max_fee_per_gas: int
    refund_day_usd6: int


async def examine(plan: Plan) -> AsyncIterator[Finding]:
    """Everything that is found, in the order in which it should be put right."""
    client = ChainClient(
        *plan.rpc_urls, chain_id=plan.chain_id, timeout_seconds=chain.NODE_TIMEOUT_SECONDS
    )
    async with httpx.AsyncClient(timeout=plan.connect_seconds) as http:
        try:
            yield good("account", f"{plan.account} signs receipts, collects and pays for that")
            is_chain_there = False
            async for finding in chain.nodes(client, _PREFIX):
                is_chain_there = is_chain_there or finding.verdict is Verdict.GOOD
                yield finding
            if is_chain_there:
                async for finding in _on_chain(plan, client):
                    yield finding
            is_running, finding = await place.port(
                http, plan.host, plan.port, plan.account, _SERVICE, _PREFIX
            )
            yield finding
            async for finding in _database(plan, client if is_chain_there else None, is_running):
                yield finding
            async for finding in _fleet(plan, client if is_chain_there else None, http):
                yield finding
        finally:
            await client.close()


async def _on_chain(plan: Plan, client: ChainClient) -> AsyncIterator[Finding]:
    payments = InferencePayments(client, plan.deployment.address_of("InferencePayments"))
    try:
        async for finding in chain.contracts(client, plan.deployment):
            yield finding
    except RackstreamError as error:
        yield bad("contracts", error.message)
    domain = payments_domain(plan.chain_id, payments.address)
    steps: Mapping[str, Callable[[], Awaitable[Finding]]] = {
        "signing": lambda: chain.signing(payments, domain),
        "balance": lambda: chain.gas_money(
            client,
            plan.account,
            "collections of ten vouchers",
            _COLLECTION_GAS,
            LEAST_COLLECTIONS,
            plan.max_fee_per_gas,
        ),
        "clock": lambda: chain.clock(
            client,
            uses_chain_clock=plan.uses_chain_clock,
            max_lag_seconds=MAX_CLOCK_LAG_SECONDS,
        ),
    }
    async for finding in taken(steps):
        yield finding
    dollars = check_dollars.Dollars(client, plan.deployment, plan.account)
    async for finding in dollars.examine(plan.refund_day_usd6):
        yield finding


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
            payments = plan.deployment.contracts["InferencePayments"]
            yield await place.owner(state, client, plan.account, payments, _SERVICE)
    except StoreUnavailable as error:
        yield bad("database", f"{error.message}; set {_PREFIX}DATABASE_URL")
    except RackstreamError as error:
        yield bad("database", error.message)
    finally:
        await database.close()


async def _fleet(
    plan: Plan, client: ChainClient | None, http: httpx.AsyncClient
) -> AsyncIterator[Finding]:
    payments = plan.deployment.address_of("InferencePayments")
    try:
        fleet = load_fleet(plan.fleet, gateway_domain(plan.chain_id, payments))
    except ConfigurationError as error:
        yield bad("fleet", f"{error.message}; put {_PREFIX}FLEET right, `ape run quote` signs")
        return
    yield good(
        "fleet",
        f"{plan.fleet}: {len(fleet.models)} models on {len(fleet.clusters)} clusters, each quote"
        " signed as it says",
    )
    if client is not None:
        async for finding in _on_chain_of(plan, client, fleet):
            yield finding
    async for finding in check_fleet.servers(fleet, http):
        yield finding


async def _on_chain_of(plan: Plan, client: ChainClient, fleet: Fleet) -> AsyncIterator[Finding]:
    """What the chain says of the fleet."""
    try:
        now = (await client.block()).time if plan.uses_chain_clock else SystemClock().now()
        async for finding in check_fleet.clusters(fleet, client, plan.deployment):
            yield finding
        async for finding in check_fleet.quotes(fleet, client, plan.deployment, now):
            yield finding
        dollars = check_dollars.Dollars(client, plan.deployment, plan.account)
        async for finding in dollars.exact(fleet.clusters):
            yield finding
    except RackstreamError as error:
        yield bad("fleet", error.message)
