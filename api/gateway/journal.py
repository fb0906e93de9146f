"""What was served is noted before it is given, for many requests at once.

While one transaction of the store is on its way, what comes meanwhile waits for the next, so that
the time that a commit takes limits no throughput. When one fails it is not known whether it was
made: nobody who waited for it gets an answer, and nothing is written before what the store has is
read again (`on_failure`).
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
_PATIENCE_SECONDS: Final = 10.0

# Of one transaction; what is more waits for the next.
_MOST_ENTRIES: Final = 512

_Waiting = list[tuple[Entry, "asyncio.Future[None]"]]


class Journal:
    """The only writer of charges and receipts. `run` is its loop."""

    def __init__(self, store: JournalStore, on_failure: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._on_failure = on_failure
        self._waiting: _Waiting = []
        self._wake = asyncio.Event()
        # Receipts of answers that are on their way; others that are open were cut off.
        self._live: set[bytes] = set()
        self.failure: StoreUnavailable | None = None

    def require_working(self) -> None:
        """Raises StoreUnavailable while nothing can be noted, so that nothing is begun."""
        if self.failure is not None:
            raise self.failure

    async def write(self, entry: Entry) -> None:
        """Note `entry` durably. Raises StoreUnavailable: it may have been noted or not."""
        self.require_working()
        if entry.receipt.is_open:
            self._live.add(entry.receipt.id)
        noted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, noted))
        self._wake.set()
        await noted

    def ended(self, receipt_id: bytes) -> None:
        """An answer is on its way no longer."""
        self._live.discard(receipt_id)

    async def run(self) -> None:
        """Work without end."""
        if self.failure is not None:
            await self._recover()
        while True:
            await self._wake.wait()
            batch, self._waiting = self._waiting[:_MOST_ENTRIES], self._waiting[_MOST_ENTRIES:]
            if not self._waiting:
                self._wake.clear()
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._store.write([entry for entry, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it was, they must not wait for ever
                self._fail(batch, error)
                await self._recover()
                continue
            for _, noted in batch:
                if not noted.done():
                    noted.set_result(None)

    def _fail(self, batch: _Waiting, error: Exception) -> None:
        _log.error("charges cannot be noted", exc_info=error)
        self.failure = StoreUnavailable(str(error) or type(error).__name__)
        self._wake.clear()
        batch, self._waiting = batch + self._waiting, []
        for _, noted in batch:
            if not noted.done():
                noted.set_exception(self.failure)

    async def _close_open(self) -> None:
        """Close what was cut off, and what was meanwhile."""
        while True:
            live = set(self._live)
            await self._store.close_open(live)
            if live <= self._live:
                return

    async def _recover(self) -> None:
        while self.failure is not None:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._on_failure()
                    await self._close_open()
            except (StoreUnavailable, TimeoutError) as again:
                _log.warning("charges cannot be noted yet", reason=str(again))
            else:
                self.failure = None
        _log.info("charges can be noted again")
