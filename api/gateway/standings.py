"""What the chain says of the clusters and models that are served."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from api.chain.contracts import Authority, ClusterRegistry, MetricsOracle, ModelRegistry
from api.chain.views import ClusterStatus
from api.domain.codec import to_hex
from api.domain.prices import BPS, Quote
from api.domain.work import NO_MODEL
from api.errors import ConfigurationError, ContractReverted, Unavailable
from api.gateway.fleet import Fleet, Standing
from api.types import ClusterId

_log = structlog.get_logger(__name__)

RELIABLE_BPS: Final = 9_500
"""Available time of contracted time, in 1/10,000, from which on a cluster is among the first."""

_PAUSE_SECONDS: Final = 15.0


async def require_registered(models: ModelRegistry, quote: Quote) -> None:
    """Raises ConfigurationError if a quote names an owner who has not registered the model: no
    batch with it could be collected.
    """
    if quote.work.model_id == NO_MODEL:
        return
    try:
        await models.owner_of(quote.work.model_id)
    except ContractReverted as refusal:
        raise ConfigurationError(
            f"the quote of cluster {quote.cluster_id} for {quote.model!r} names an owner who"
            f" has not registered it: {refusal.message}",
            value=to_hex(quote.work.model_id),
        ) from None


class Standings:
    """Keeps a fleet's standings. `run` is its loop."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        registry: ClusterRegistry,
        oracle: MetricsOracle,
        authority: Authority,
    ) -> None:
        self._fleet = fleet
        self._registry = registry
        self._oracle = oracle
        self._authority = authority

    async def run(self) -> None:
        """Read the chain without end."""
        while True:
            with suppress(Unavailable):
                await self.refresh()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def refresh(self) -> None:
        """Read all clusters once. Raises Unavailable or ChainError."""
        for cluster_id in self._fleet.clusters:
            try:
                standing = await self._read(cluster_id)
            except ContractReverted as refusal:
                _log.warning("cluster unknown", cluster=cluster_id, why=refusal.message)
                standing = Standing(is_live=False, is_reliable=False)
            if self._fleet.standings.get(cluster_id) != standing:
                _log.info(
                    "cluster",
                    cluster=cluster_id,
                    live=standing.is_live,
                    reliable=standing.is_reliable,
                )
            self._fleet.standings[cluster_id] = standing

    async def _read(self, cluster_id: ClusterId) -> Standing:
        cluster = await self._registry.cluster(cluster_id)
        for operator in self._fleet.operators(cluster_id):
            if not await self._authority.is_operator(operator, cluster_id):
                # Whoever quoted for it does not run it, or no longer.
                return Standing(is_live=False, is_reliable=False)
        if cluster.status is not ClusterStatus.LIVE:
            return Standing(is_live=False, is_reliable=False)
        reading = await self._oracle.reading(cluster_id)
        contracted = reading.contracted_gpu_seconds
        is_reliable = (
            not await self._oracle.is_stale(cluster_id)
            and reading.available_gpu_seconds * BPS >= contracted * RELIABLE_BPS
        )
        return Standing(is_live=True, is_reliable=is_reliable)
