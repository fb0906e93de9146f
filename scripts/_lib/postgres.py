"""The embedded PostgreSQL as a supervised service."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psycopg

from api.store.embedded import EmbeddedPostgres
from scripts._lib.processes import ProcessFailure

# After a crash the server first replays its log, and waits for the last of its old processes to let
# go.
_RECOVERY_SECONDS = 30.0


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
            except (RuntimeError, OSError, subprocess.SubprocessError, psycopg.Error) as error:
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
