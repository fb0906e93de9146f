"""One process a database, from its start to its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from api.errors import DatabaseBusy, StoreUnavailable
from api.store.database import Database

_log = structlog.get_logger(__name__)

# Between two looks whether the database is still there and still this process's.
_PAUSE_SECONDS: Final = 1.0

# The server may take a moment to see that a process was killed; another one stays.
_TRIES: Final = 5


class Lease:
    """A process's right to a database. `failure` is why the database cannot be reached, None while
    it can.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.failure: StoreUnavailable | None = None

    async def hold(self) -> None:
        """Take the lease, or see that it is still held.

        Raises:
            DatabaseBusy: Another process holds it for longer than a dead one could.
            StoreUnavailable: The server is away.
        """
        for _ in range(_TRIES):
            with suppress(DatabaseBusy):
                await self._database.check_lease()
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        await self._database.check_lease()

    async def keep(self) -> None:
        """Hold it without end. Raises DatabaseBusy when another process has the database."""
        while True:
            try:
                await self.hold()
            except StoreUnavailable as error:
                if self.failure is None:
                    _log.warning("database lost", reason=error.message)
                self.failure = error
            else:
                self.failure = None
            await asyncio.sleep(_PAUSE_SECONDS)
