"""What a check sees of a fleet: its clusters and quotes on chain, its servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import httpx

from api.chain.client import ChainClient
from api.chain.contracts import Authority, ClusterRegistry, MetricsOracle, ModelRegistry
from api.chain.deployments import Deployment
from api.chain.views import ClusterStatus
from api.checking.findings import Finding, Verdict, bad, good, noted
from api.domain.codec import parse_json
from api.domain.prices import BPS, SignedQuote
from api.errors import ConfigurationError, ContractReverted, Malformed
from api.gateway.fleet import Fleet, Seat
from api.gateway.standings import RELIABLE_BPS, Standings, require_registered
from api.gateway.upstream import Upstream
from api.types import ClusterId

SOON_SECONDS: Final = 7 * 86_400
"""A quote that ends within that should be renewed."""

_LAST_DATE: Final = 253_402_300_799


async def clusters(
    fleet: Fleet, client: ChainClient, deployment: Deployment
) -> AsyncIterator[Finding]:
    """Whether each cluster is live, and run by whoever signed its quotes."""
    registry = ClusterRegistry(client, deployment.address_of("ClusterRegistry"))
    authority = Authority(client, deployment.address_of("Authority"))
    oracle = MetricsOracle(client, deployment.address_of("MetricsOracle"))
    await Standings(fleet=fleet, registry=registry, oracle=oracle, authority=authority).refresh()
    for cluster_id in fleet.clusters:
        yield await _cluster(fleet, registry, authority, cluster_id)
    if not any(standing.is_live for standing in fleet.standings.values()):
        yield bad("cluster", "none is live and run by whoever signed its quotes: nobody is served")


async def _cluster(
    fleet: Fleet, registry: ClusterRegistry, authority: Authority, cluster_id: ClusterId
) -> Finding:
    subject, name = "cluster", f"cluster {cluster_id}"
    try:
        status = (await registry.cluster(cluster_id)).status
    except ContractReverted:
        status = ClusterStatus.NONE
    if status is ClusterStatus.NONE:
        return bad(subject, f"{name} is not registered: take it out of the fleet")
    for operator in fleet.operators(cluster_id):
        if not await authority.is_operator(operator, cluster_id):
            return bad(
                subject,
                f"{name}: {operator} has signed a quote and is not its operator; nothing is served"
                " there until its operator signs (`ape run quote`) or is appointed"
                " (`ape run appoint`)",
            )
    if status is not ClusterStatus.LIVE:
        return noted(subject, f"{name} is {status.name.lower()}: nothing is served there now")
    if not fleet.standings[cluster_id].is_reliable:
        return noted(
            subject,
            f"{name} is live, and asked last: its measurements are stale, or it was available for"
            f" less than {RELIABLE_BPS * 100 // BPS} % of its time",
        )
    return good(subject, f"{name} is live")


async def quotes(
    fleet: Fleet, client: ChainClient, deployment: Deployment, now: int
) -> AsyncIterator[Finding]:
    """Whether each quote is in force at the Unix second `now`, and its model's owner registered."""
    models = ModelRegistry(client, deployment.address_of("ModelRegistry"))
    for signed in fleet.quotes:
        yield _in_force(signed, now)
        if signed.quote.model_owner is None:
            continue
        try:
            await require_registered(models, signed.quote)
        except ConfigurationError as error:
            yield bad("model", f"{error.message}; `ape run models --register`")
        else:
            yield good(
                "model", f"{signed.quote.model!r} is registered by {signed.quote.model_owner}"
            )


def _in_force(signed: SignedQuote, now: int) -> Finding:
    quote = signed.quote
    text = f"{quote.model!r} on cluster {quote.cluster_id}, signed by {signed.operator}"
    if quote.valid_until <= now:
        return bad("quote", f"{text}, ended {_utc(quote.valid_until)}: `ape run quote` signs anew")
    if quote.valid_from > now:
        return noted("quote", f"{text}, begins {_utc(quote.valid_from)}: not sold before")
    if quote.valid_until - now < SOON_SECONDS:
        return noted("quote", f"{text}, ends soon, {_utc(quote.valid_until)}")
    return good("quote", f"{text}, until {_utc(quote.valid_until)}")


async def servers(fleet: Fleet, http: httpx.AsyncClient) -> AsyncIterator[Finding]:
    """Whether each server answers and lists what is asked of it; whether each model has one."""
    seats: dict[int, list[Seat]] = {}
    for of_model in fleet.models.values():
        for seat in of_model:
            seats.setdefault(id(seat.upstream), []).append(seat)
    findings = await asyncio.gather(*(_server(http, one) for one in seats.values()))
    answering: set[str] = set()
    for finding, one in zip(findings, seats.values(), strict=True):
        yield finding
        if finding.verdict is Verdict.GOOD:
            answering.update(seat.quote.model for seat in one)
    for model in fleet.models:
        if model not in answering:
            yield bad("server", f"none that is known to serve {model!r} answers")


async def _server(http: httpx.AsyncClient, seats: Sequence[Seat]) -> Finding:
    upstream = seats[0].upstream
    subject, host = "server", upstream.host
    asked = {seat.upstream_model for seat in seats}
    try:
        answer = await _models_of(http, upstream)
    except httpx.HTTPError as error:
        return noted(subject, f"{host} does not answer: {str(error) or type(error).__name__}")
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return bad(
            subject, f"{host} refuses the key ({answer.status_code}): put its apiKeyFile right"
        )
    if answer.status_code != httpx.codes.OK:
        return noted(subject, f"{host} answered {answer.status_code} when asked for its models")
    unknown = asked - _listed(answer.content)
    if unknown:
        return noted(subject, f"{host} answers and does not list {', '.join(sorted(unknown))}")
    return good(subject, f"{host} serves {', '.join(sorted(asked))}")


async def _models_of(http: httpx.AsyncClient, upstream: Upstream) -> httpx.Response:
    return await http.get(f"{upstream.url}/v1/models", headers=dict(upstream.headers))


def _listed(content: bytes) -> set[str]:
    """The names in a server's list of models, as OpenAI's protocol has it."""
    try:
        told = parse_json(content, "models")
    except Malformed:
        return set()
    entries = told.get("data") if isinstance(told, Mapping) else None
    if not isinstance(entries, list):
        return set()
    return {str(entry.get("id")) for entry in entries if isinstance(entry, Mapping)}


def _utc(second: int) -> str:
    if second > _LAST_DATE:
        return "after the year 9999"
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M UTC")
