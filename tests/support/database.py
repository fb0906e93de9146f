"""A real PostgreSQL for tests, and empty tables for each of them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text

from api.store.database import Database, migrate
from api.store.embedded import EmbeddedPostgres
from api.store.tables import metadata


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    # Not below pytest's folder, which only its owner may enter: root's server is another user.
    with (
        TemporaryDirectory(prefix="rackstream-postgres-") as folder,
        EmbeddedPostgres(Path(folder) / "data") as server,
    ):
        yield server


@pytest.fixture
def url(postgres: EmbeddedPostgres) -> str:
    """The address of an empty database."""
    return postgres.url(f"t{secrets.token_hex(6)}")


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> str:
    """The address of the one database that has the tables."""
    url = postgres.url("migrated")
    migrate(url)
    return url


@pytest.fixture
async def database(migrated: str) -> AsyncIterator[Database]:
    """A database with its tables, all of them empty."""
    database = Database(migrated)
    async with database.writing() as connection:
        names = ", ".join(metadata.tables)
        await connection.execute(text(f"truncate {names} cascade"))
    yield database
    await database.close()
