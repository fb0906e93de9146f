"""What was served is noted before it is given, for many requests at once.

While one transaction of the store is on its way, what comes meanwhile waits for the next, so that
the time that a commit takes limits no throughput. When a commit fails it is not known whether it
was made: nobody who waited for it gets an answer, and nothing is written before what the store
has is read again (`on_failure`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from api.errors import StoreUnavailable
from api.store.journal import Entry, JournalStore

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 0.5

# Of one transaction; what is more waits for the next.
_MOST_ENTRIES: Final = 512


class Journal:
    """The only writer of charges and receipts. `run` is its loop."""

    def __init__(self, store: JournalStore, on_failure: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._on_failure = on_failure
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self.failure: StoreUnavailable | None = None

    def require_working(self) -> None:
        """Raises StoreUnavailable while nothing can be noted, so that nothing is begun."""
        if self.failure is not None:
            raise self.failure

    async def write(self, entry: Entry) -> None:
        """Note `entry` durably. Raises StoreUnavailable: it may have been noted or not."""
        self.require_working()
        noted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, noted))
        self._wake.set()
        await noted

    async def run(self) -> None:
        """Work without end."""
        while True:
            await self._wake.wait()
            batch, self._waiting = self._waiting[:_MOST_ENTRIES], self._waiting[_MOST_ENTRIES:]
            if not self._waiting:
                self._wake.clear()
            try:
                await self._store.write([entry for entry, _ in batch])
            except StoreUnavailable as error:
                await self._recover(error, batch)
                continue
            for _, noted in batch:
                if not noted.done():
                    noted.set_result(None)

    async def _recover(
        self, error: StoreUnavailable, batch: list[tuple[Entry, asyncio.Future[None]]]
    ) -> None:
        _log.warning("charges cannot be noted", reason=error.message)
        self.failure = error
        self._wake.clear()
        batch, self._waiting = batch + self._waiting, []
        for _, noted in batch:
            if not noted.done():
                noted.set_exception(error)
        while self.failure is not None:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self._on_failure()
            except StoreUnavailable as again:
                self.failure = again
            else:
                self.failure = None
        _log.info("charges can be noted again")
