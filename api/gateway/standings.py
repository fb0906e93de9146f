"""What the chain says of the clusters that are served, for the routing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from api.chain.contracts import Authority, ClusterRegistry, MetricsOracle
from api.chain.views import ClusterStatus
from api.domain.prices import BPS
from api.errors import ContractReverted, Unavailable
from api.gateway.fleet import Fleet, Standing
from api.types import ClusterId

_log = structlog.get_logger(__name__)

RELIABLE_BPS: Final = 9_500
"""Available time of contracted time, in 1/10,000, from which on a cluster is among the first."""

_PAUSE_SECONDS: Final = 15.0


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
        operators = {
            seat.signed.operator
            for seats in self._fleet.models.values()
            for seat in seats
            if seat.cluster_id == cluster_id
        }
        for operator in operators:
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
