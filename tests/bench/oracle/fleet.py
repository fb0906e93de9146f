"""The agents' side: one process in the place of all agents, quick enough to keep nobody waiting.

Its HTTP client is not the agents' own: httpx goes through its whole pool for every request, which
for a hundred agents in one process would cost more than all that the reporters do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp

from api.domain.samples import SignedBatch
from tests.support.reporting import ReporterProcess


class Fleet:
    """Hands batches to every reporter. An async context manager."""

    def __init__(self, reporters: Sequence[ReporterProcess]) -> None:
        self._urls = [reporter.url + "/v1/samples" for reporter in reporters]
        # As many agents, as many connections; reporters close those that are idle for 5 s.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
        )

    async def send(self, batches: Sequence[SignedBatch]) -> None:
        """Hand them all to all reporters at once; done when every reporter has taken every one."""
        bodies = [batch.to_json() for batch in batches]
        await asyncio.gather(*(self._post(url, body) for body in bodies for url in self._urls))

    async def _post(self, url: str, body: bytes) -> None:
        async with self._http.post(url, data=body) as answer:
            assert answer.status == 200, await answer.text()

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
