"""What of a cluster was busy and not billed, and what related parties paid, for whoever asks.

It is read from the chain at every question.
"""

from __future__ import annotations

import asyncio
from typing import Final

from api.chain.client import ChainClient
from api.chain.deployments import Deployment
from api.chain.quality import QualityReader
from api.domain.quality import Hour
from api.errors import Busy, ChainTimeout
from api.types import ClusterId

MAX_HOURS: Final = 24 * 31

MAX_PAYMENTS: Final = 5_000
"""Collections, settlements and other payments in the hours that are asked for."""

MAX_RELATIONS: Final = 50_000
"""Events of a cluster's related parties: anybody may declare any number of accounts of his own."""

MAX_SECONDS: Final = 30.0
"""For one question: how much there is to read is up to whoever made the events."""


class Quality:
    """Reads it for one at a time: it takes many looks at the chain."""

    def __init__(self, client: ChainClient, deployment: Deployment) -> None:
        self._client = client
        self._deployment = deployment
        self._reading = asyncio.Lock()

    async def hours(self, cluster_id: ClusterId, count: int) -> list[Hour]:
        """The newest hours of a cluster, the running one first.

        Raises as `QualityReader.hours`, Busy while it is read for somebody else, or ChainTimeout
        after MAX_SECONDS.
        """
        if self._reading.locked():
            raise Busy("another cluster's hours are being read; try again")
        async with self._reading:
            reader = QualityReader(self._client, self._deployment, cluster_id)
            try:
                async with asyncio.timeout(MAX_SECONDS):
                    return await reader.hours(
                        count, most_payments=MAX_PAYMENTS, most_relations=MAX_RELATIONS
                    )
            except TimeoutError:
                raise ChainTimeout("all that these hours take", MAX_SECONDS) from None
