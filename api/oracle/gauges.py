"""What nothing tells by itself: ages, what waits, the account. Looked at now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from api.clock import Clock
from api.domain.epochs import epoch_start
from api.errors import ChainError, Unavailable
from api.oracle.chain_watch import ChainWatch
from api.oracle.metrics import Metrics
from api.store.reports import ReportStore
from api.types import Address

_PAUSE_SECONDS: Final = 15.0


class Gauges:
    """Keeps the gauges of `Metrics` up to date. `run` is its loop."""

    def __init__(
        self,
        *,
        account: Address,
        watch: ChainWatch,
        clock: Clock,
        reports: ReportStore,
        health: Callable[[], Awaitable[object]],
        metrics: Metrics,
    ) -> None:
        """`account` pays for gas. `health` is looked at as well: it tells what it finds."""
        self._account = account
        self._watch = watch
        self._clock = clock
        self._reports = reports
        self._health = health
        self._metrics = metrics

    async def run(self) -> None:
        """Work without end."""
        while True:
            # What is away is told by others; the rest shall be up to date all the same.
            for look in (self._health, self._look_at_clusters, self._look_at_account):
                with suppress(Unavailable, ChainError):
                    await look()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _look_at_clusters(self) -> None:
        now = self._clock.now()
        # The next epoch begins where the newest one on chain ends.
        next_epochs = self._watch.snapshot.next_epochs
        self._metrics.ages(
            {
                cluster_id: max(now - epoch_start(epoch), 0)
                for cluster_id, epoch in next_epochs.items()
            }
        )
        waiting = await self._reports.waiting()
        self._metrics.waiting(
            {one.cluster_id: one.count for one in waiting},
            {one.cluster_id: one.held_count for one in waiting},
            {one.cluster_id: max(now - one.final_at, 0) for one in waiting if not one.is_held},
        )

    async def _look_at_account(self) -> None:
        client = self._watch.client
        mined = await client.nonce_of(self._account)
        waiting = await client.nonce_of(self._account, "pending") - mined
        self._metrics.account(await client.balance_of(self._account), max(waiting, 0))
