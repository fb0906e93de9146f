"""One service's database: connections, migrations, whose it is, and one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from sqlalchemy import Connection, Row, create_engine, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from api.domain.codec import address_bytes, to_address, to_hex
from api.errors import DatabaseBusy, DatabaseOfAnother, StoreUnavailable
from api.store import tables
from api.store.pipe import XACT_LOCK, Pipe
from api.types import Address, Digest

MIGRATIONS: Final = Path(__file__).with_name("migrations")

HEAD: Final = "0010"
"""The newest migration."""

POOL_SIZE: Final = 8
POOL_TIMEOUT_SECONDS: Final = 5.0
CONNECT_TIMEOUT_SECONDS: Final = 5

# With SQLAlchemy, and without it.
_LOST: Final = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)

# The advisory lock of a service's process; in its own database no other lock has a number.
_LEASE_KEY: Final = 0x7261636B


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """Whose database this is: an account's, for one contract. `origin` is the hash of the block in
    which that was deployed: a local chain that was started afresh has the same id and addresses,
    and none of the same blocks.
    """

    account: Address
    chain_id: int
    contract: Address
    origin: Digest

    def __str__(self) -> str:
        return (
            f"account {self.account}, chain {self.chain_id}, "
            f"contract {self.contract} of block {to_hex(self.origin)}"
        )


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What is in a database: the newest migration, whose it is (both None while that is open), and
    whether a process holds the lease.
    """

    revision: str | None
    identity: DatabaseIdentity | None
    is_leased: bool


class Database:
    """Connections to one PostgreSQL database. Lost connections surface as StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """`url` is an SQLAlchemy address, e.g. `postgresql+psycopg://user@host/name`."""
        self.url = url
        self._engine = create_async_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            # A server that was restarted leaves dead connections in the pool; asking first costs
            # 0.2 ms and spares every caller a retry.
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
        )
        self._pipe = Pipe(self._connect)
        self._lease: AsyncConnection | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries."""
        with _translated():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose queries all see the same moment."""
        with _translated():
            async with self._engine.connect() as connection:
                yield await connection.execution_options(isolation_level="REPEATABLE READ")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed, and then durable, when the block ends without an error."""
        with _translated():
            async with self._engine.begin() as connection:
                yield connection

    async def commit(self, statement: LiteralString, values: Mapping[str, Any]) -> None:
        """Execute a statement that is a transaction by itself, on a connection that is kept for
        this: one round trip. Parameters stand in it as `%(name)s`.

        Raises StoreUnavailable: It may have been committed or not.
        """
        with _translated():
            await self._pipe.commit(statement, values)

    @asynccontextmanager
    async def settled(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees all that was ever handed to `commit`, as far as it will ever be
        carried out, while nothing more is.
        """
        await self._pipe.close()
        async with self.writing() as connection:
            await connection.execute(text(f"select {XACT_LOCK}"))
            yield connection

    async def ping(self) -> None:
        """Raise StoreUnavailable unless the server answers."""
        async with self.reading() as connection:
            await connection.execute(text("select 1"))

    async def look(self) -> DatabaseState:
        """What is there, without a change to it. Raises StoreUnavailable."""
        async with self.reading() as connection:
            revision = await connection.run_sync(_revision)
            row = None
            if revision is not None:
                row = (await connection.execute(select(tables.identity))).one_or_none()
            is_leased = await connection.scalar(
                text(
                    "select exists(select from pg_locks where locktype = 'advisory' and granted"
                    " and classid = 0 and objid = :key and database ="
                    " (select oid from pg_database where datname = current_database()))"
                ),
                {"key": _LEASE_KEY},
            )
        return DatabaseState(revision, None if row is None else _identity(row), bool(is_leased))

    async def migrate(self) -> None:
        """Bring the tables to this version. Raises StoreUnavailable."""
        await asyncio.to_thread(migrate, self.url)

    async def acquire_lease(self) -> None:
        """Make this process the database's only one, until it ends or `release_lease`.

        Raises:
            DatabaseBusy: Another process is.
        """
        with _translated():
            await self._drop_lease()
            connection = await self._engine.connect()
            try:
                held = await connection.scalar(
                    text("select pg_try_advisory_lock(:key)"), {"key": _LEASE_KEY}
                )
                # The lock is the session's, so the transaction need not stay open.
                await connection.commit()
            except BaseException:
                await connection.close()
                raise
            if not held:
                await connection.close()
                raise DatabaseBusy(self._engine.url.database or "")
            self._lease = connection

    async def check_lease(self) -> None:
        """Acquire the lease again if the connection that held it was lost.

        Raises DatabaseBusy or StoreUnavailable.
        """
        if self._lease is not None:
            try:
                await self._lease.execute(text("select 1"))
                await self._lease.commit()
                return
            except DBAPIError:
                # The session is gone and the lock with it.
                pass
        await self.acquire_lease()

    async def release_lease(self) -> None:
        """Let another process have the database."""
        await self._drop_lease()

    async def bind(self, identity: DatabaseIdentity) -> None:
        """Make the database `identity`'s if it is nobody's.

        Raises:
            DatabaseOfAnother: It belongs to another account, chain or contract.
        """
        async with self.writing() as connection:
            row = (await connection.execute(select(tables.identity))).one_or_none()
            if row is None:
                await connection.execute(
                    insert(tables.identity).values(
                        account=address_bytes(identity.account),
                        chain_id=identity.chain_id,
                        contract=address_bytes(identity.contract),
                        origin=identity.origin,
                    )
                )
                return
        known = _identity(row)
        if known != identity:
            raise DatabaseOfAnother(str(known), str(identity))

    async def close(self) -> None:
        """Close every connection."""
        await self._drop_lease()
        await self._pipe.close()
        await self._engine.dispose()

    async def _connect(self) -> psycopg.AsyncConnection:
        """Beside the pool's connections."""
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        options["connect_timeout"] = CONNECT_TIMEOUT_SECONDS
        return await psycopg.AsyncConnection.connect(*arguments, **options, autocommit=True)

    async def _drop_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is None:
            return
        if not lease.invalidated:
            # The server may take a moment to see that a connection is gone: the lock goes first.
            unlock = lease.execute(text("select pg_advisory_unlock(:key)"), {"key": _LEASE_KEY})
            with suppress(DBAPIError, TimeoutError):
                await asyncio.wait_for(unlock, CONNECT_TIMEOUT_SECONDS)
        with suppress(DBAPIError):
            # Closing would only return it to the pool.
            await lease.invalidate()
            await lease.close()


def migrate(url: str) -> None:
    """Bring the tables of the database at `url` to this version. Raises StoreUnavailable."""
    engine = create_engine(url, connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS})
    try:
        with _translated(), engine.begin() as connection:
            if _revision(connection) == HEAD:
                return
            # A third of a second to import, and hardly ever needed.
            from alembic import command
            from alembic.config import Config

            configuration = Config()
            configuration.set_main_option("script_location", str(MIGRATIONS))
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, HEAD)
    finally:
        engine.dispose()


def revisions() -> frozenset[str]:
    """All migrations of this release."""
    return frozenset(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("*_*.py"))


def _revision(connection: Connection) -> str | None:
    """The newest migration that the database has seen; None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.scalar(text("select version_num from alembic_version"))
    return None if revision is None else str(revision)


class _translated:
    """Turns the loss of the server into StoreUnavailable; other errors are faults and pass."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, _LOST):
            raise StoreUnavailable(_reason(error)) from error
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise StoreUnavailable(_reason(error)) from error


def _reason(error: Exception) -> str:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__


def _identity(row: Row[*tuple[Any, ...]]) -> DatabaseIdentity:
    return DatabaseIdentity(
        to_address(row.account), row.chain_id, to_address(row.contract), Digest(row.origin)
    )
