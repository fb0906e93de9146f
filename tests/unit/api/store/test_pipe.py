"""Statements that are transactions: all or nothing, and none that comes to light later."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import text

from api.errors import StoreUnavailable
from api.store.database import Database

INSERT = "insert into noted (name) select unnest(%(names)s::text[])"


@pytest.fixture
async def noting(url: str) -> AsyncIterator[Database]:
    """A database with one table, of names that are there once."""
    database = Database(url)
    async with database.writing() as connection:
        await connection.execute(text("create table noted (name text primary key)"))
    yield database
    await database.close()


async def names(database: Database) -> set[str]:
    async with database.reading() as connection:
        return set(await connection.scalars(text("select name from noted")))


async def settled_names(database: Database) -> set[str]:
    async with database.settled() as connection:
        return set(await connection.scalars(text("select name from noted")))


async def backend(database: Database) -> int:
    """The server's process for what is committed."""
    async with database.reading() as connection:
        pid = await connection.scalar(
            text("select pid from pg_locks where locktype = 'advisory' and granted")
        )
    assert pid is not None
    return int(pid)


async def test_commit__some_rows__all_are_there(noting: Database) -> None:
    await noting.commit(INSERT, {"names": ["a", "b"]})
    assert await names(noting) == {"a", "b"}


async def test_commit__a_row_that_is_refused__none_is_there_and_the_next_works(
    noting: Database,
) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        await noting.commit(INSERT, {"names": ["b", "a", "a"]})
    assert await names(noting) == set()
    await noting.commit(INSERT, {"names": ["a"]})
    assert await names(noting) == {"a"}


async def test_commit__connection_ended_while_idle__is_made_anew_unnoticed(
    noting: Database,
) -> None:
    await noting.commit(INSERT, {"names": ["a"]})
    pid = await backend(noting)
    async with noting.reading() as connection:
        await connection.execute(text(f"select pg_terminate_backend({pid}, 5000)"))
    await noting.commit(INSERT, {"names": ["b"]})
    assert await names(noting) == {"a", "b"}


async def test_settled__what_was_sent_is_still_to_be_done__waits_for_it(noting: Database) -> None:
    await noting.commit(INSERT, {"names": ["a"]})
    pid = await backend(noting)
    os.kill(pid, signal.SIGSTOP)
    try:
        sent = asyncio.create_task(noting.commit(INSERT, {"names": ["b"]}))
        await asyncio.sleep(0.2)
        connection = noting._pipe._connection
        assert connection is not None
        # As a process's end cuts it: the server has all of it, and has looked at nothing.
        connection.pgconn.finish()
        with pytest.raises(StoreUnavailable):
            await sent
        reading = asyncio.create_task(settled_names(noting))
        await asyncio.sleep(0.3)
        assert not reading.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await reading == {"a", "b"}
