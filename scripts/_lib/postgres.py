"""The embedded PostgreSQL as a supervised service."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Composed, Identifier
from sqlalchemy import make_url

from api.store.embedded import EmbeddedPostgres
from scripts._lib.processes import ProcessFailure

# After a crash the server first replays its log, and waits for the last of its old processes to let
# go.
_RECOVERY_SECONDS = 30.0

# What a start fails with that may succeed in a moment. The wheel waits ten seconds for a server
# that replays its log, and then asserts that it is ready.
_NOT_YET = (RuntimeError, OSError, AssertionError, subprocess.SubprocessError, psycopg.Error)


class ExternalPostgres:
    """A server that somebody else runs: databases on it for this run alone, named `prefix` and
    more, dropped at its end."""

    def __init__(self, url: str, prefix: str) -> None:
        """`url` is any address of the server, with the right to create databases.

        Raises ProcessFailure if nothing answers there.
        """
        self._server = make_url(url).set(drivername="postgresql")
        self._prefix = prefix
        self._made: list[str] = []
        try:
            self._execute(SQL("select 1"))
        except psycopg.Error as error:
            shown = self._server.render_as_string(hide_password=True)
            raise ProcessFailure(f"PostgreSQL at {shown} does not answer: {error}") from error

    def url(self, database: str) -> str:
        """SQLAlchemy address of a new database."""
        name = f"{self._prefix}_{database}"
        self._execute(SQL("create database {}").format(Identifier(name)))
        self._made.append(name)
        address = self._server.set(drivername="postgresql+psycopg", database=name)
        return address.render_as_string(hide_password=False)

    def drop(self) -> None:
        """Drop what was created."""
        while self._made:
            name = Identifier(self._made.pop())
            self._execute(SQL("drop database if exists {} with (force)").format(name))

    def _execute(self, statement: SQL | Composed) -> None:
        address = self._server.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)


class Postgres:
    """One PostgreSQL server in `data`, with a database for whoever asks for one. A Service."""

    name = "postgresql"

    def __init__(self, data: Path) -> None:
        self._data = data
        self._server = EmbeddedPostgres(data)
        self._pid: int | None = None

    def start(self) -> None:
        deadline = time.monotonic() + _RECOVERY_SECONDS
        while True:
            try:
                self._server.start()
                self._server.url("postgres")
                self._pid = self._server.pid
                return
            except _NOT_YET as error:
                if time.monotonic() > deadline:
                    raise ProcessFailure(
                        f"PostgreSQL in {self._data} does not start: {error}"
                    ) from error
                time.sleep(0.25)
                self._server = EmbeddedPostgres(self._data)

    def url(self, database: str) -> str:
        """SQLAlchemy address of a database, which is created if there is none of that name."""
        return self._server.url(database)

    def is_alive(self) -> bool:
        if self._pid is None:
            return False
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        if self.is_alive():
            self._server.stop()
        self._server = EmbeddedPostgres(self._data)
        self._pid = None

    @property
    def pid(self) -> int | None:
        return self._pid if self.is_alive() else None
