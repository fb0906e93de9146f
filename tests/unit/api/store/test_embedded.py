"""The embedded PostgreSQL as a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from api.store.embedded import EmbeddedPostgres


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """Of this test alone; see `tests.support.database` for why it is here."""
    with (
        TemporaryDirectory(prefix="rackstream-postgres-") as folder,
        EmbeddedPostgres(Path(folder) / "data") as server,
    ):
        yield server


def test_stop__just_killed__is_no_error_and_it_starts_again(server: EmbeddedPostgres) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    server.start()
    with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
