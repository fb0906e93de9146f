"""A connection for a writer who is waited for: a statement that is a transaction by itself goes to
the server and comes back, no more.

A connection of a pool is asked many times instead: whether it is still there, for the begin, for
each statement, for the commit. On a busy machine each of these waits for its turn.

What was sent on a connection that was lost since may still be carried out, at any later moment. So
each connection takes a lock first, which the server keeps until it has done with all that came on
it: nobody can write after it, or hold the lock to read, while something is outstanding.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, LiteralString

import psycopg

LOCK: Final = "pg_advisory_lock(0, 1)"
XACT_LOCK: Final = "pg_advisory_xact_lock(0, 1)"
"""The same lock until the end of a transaction."""


class Pipe:
    """One connection, made when it is first needed and again after it was lost."""

    def __init__(self, connect: Callable[[], Awaitable[psycopg.AsyncConnection]]) -> None:
        """`connect` gives connections that begin no transaction by themselves."""
        self._connect = connect
        self._connection: psycopg.AsyncConnection | None = None
        self._turn = asyncio.Lock()

    async def commit(self, statement: LiteralString, values: Mapping[str, Any]) -> None:
        """Execute it; what it does is durable once this returns.

        Raises psycopg.Error: It may have been committed or not.
        """
        async with self._turn:
            try:
                await (await self._open()).execute(statement, values)
            except BaseException:
                # Left in the middle: what it says next would be the answer to this.
                await self._drop()
                raise

    async def close(self) -> None:
        """Close the connection, if there is one."""
        async with self._turn:
            await self._drop()

    async def _open(self) -> psycopg.AsyncConnection:
        if self._connection is not None and _was_lost(self._connection):
            await self._drop()
        if self._connection is None:
            self._connection = await self._connect()
            await self._connection.execute(f"select {LOCK}")
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _was_lost(connection: psycopg.AsyncConnection) -> bool:
    """Whether there is something to read where nothing was asked: the server's farewell."""
    return bool(select.select([connection.fileno()], [], [], 0)[0])
