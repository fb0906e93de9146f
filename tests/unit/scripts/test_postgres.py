"""A server that needs a while to come back is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from scripts._lib import postgres
from scripts._lib.postgres import Postgres
from scripts._lib.processes import ProcessFailure


class Recovering:
    """An EmbeddedPostgres that fails to start with one error after the other, then runs."""

    pid = 7

    def __init__(self, errors: Iterator[Exception]) -> None:
        self._errors = errors

    def start(self) -> None:
        for error in self._errors:
            raise error

    def url(self, database: str) -> str:
        return database


def server_that_fails(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *errors: Exception
) -> Postgres:
    left = iter(errors)
    monkeypatch.setattr(postgres, "EmbeddedPostgres", lambda _: Recovering(left))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return Postgres(folder)


def test_start__still_replaying_its_log__waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The wheel gives up in its own ways: after ten seconds with an assertion that says nothing."""
    errors = (AssertionError(), RuntimeError(), psycopg.OperationalError())
    server = server_that_fails(monkeypatch, tmp_path, *errors)
    server.start()
    assert server.url("postgres") == "postgres"


def test_start__not_in_time__process_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(postgres, "_RECOVERY_SECONDS", -1.0)
    server = server_that_fails(monkeypatch, tmp_path, AssertionError())
    with pytest.raises(ProcessFailure, match="does not start"):
        server.start()
