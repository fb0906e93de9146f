"""Whose database it is, who works on it, and what happens when it goes away."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from api.errors import ConfigurationError, DatabaseBusy, DatabaseOfAnother, StoreUnavailable
from api.store.database import HEAD, MIGRATIONS, Database, DatabaseIdentity, migrate
from api.store.embedded import EmbeddedPostgres
from api.store.tables import metadata
from api.types import Address, Digest

IDENTITY = DatabaseIdentity(
    Address("0x" + "11" * 20), 31337, Address("0x" + "22" * 20), Digest(b"\x33" * 32)
)


def test_migrate__empty_database__makes_the_tables_of_the_code(url: str) -> None:
    migrate(url)
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrate__transactions_of_the_first_version__keep_report_and_sender(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        configuration = Config()
        configuration.set_main_option("script_location", str(MIGRATIONS))
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0001")
        connection.execute(
            text(
                "insert into identity (reporter, chain_id, oracle, origin)"
                " values ('r', 1, 'o', 'b')"
            )
        )
        connection.execute(
            text(
                "insert into transactions (reporter_set_id, root, nonce, hash, raw, max_fee,"
                " max_priority_fee, created_at_ms, state) values"
                " (3, decode('5d', 'hex'), 7, 'h', 'r', 1, 1, 1, 'pending')"
            )
        )
        command.upgrade(configuration, "head")
        migrated = connection.execute(text("select purpose, sender from transactions")).one()
        assert (migrated[0], bytes(migrated[1])) == ("report/3/5d", b"r")
        command.downgrade(configuration, "0001")
        row = connection.execute(text("select reporter_set_id, root from transactions")).one()
        assert (row[0], bytes(row[1])) == (3, b"\x5d")
    engine.dispose()


def test_head__migrations__is_the_newest() -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(configuration).get_heads() == [HEAD]


async def test_bind__nobodys__becomes_ones_own(database: Database) -> None:
    await database.bind(IDENTITY)
    await database.bind(IDENTITY)


@pytest.mark.parametrize(
    "change",
    [
        {"account": Address("0x" + "44" * 20)},
        {"chain_id": 1},
        {"contract": Address("0x" + "44" * 20)},
        {"origin": Digest(b"\x44" * 32)},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_bind__anothers__refused_naming_both(
    database: Database, change: dict[str, object]
) -> None:
    await database.bind(IDENTITY)
    with pytest.raises(DatabaseOfAnother) as refusal:
        await database.bind(replace(IDENTITY, **change))  # type: ignore[arg-type]
    assert refusal.value.value != refusal.value.limit


async def test_acquire_lease__held_by_another__refused_until_it_lets_go(
    database: Database, migrated: str
) -> None:
    other = Database(migrated)
    await database.acquire_lease()
    with pytest.raises(DatabaseBusy):
        await other.acquire_lease()
    await database.release_lease()
    await other.acquire_lease()
    await other.close()
    # Closing lets go as well.
    await database.acquire_lease()


async def test_check_lease__server_restarted__held_again(
    database: Database, postgres: EmbeddedPostgres, migrated: str
) -> None:
    await database.acquire_lease()
    postgres.stop()
    with pytest.raises(StoreUnavailable):
        await database.check_lease()
    postgres.start()
    await database.check_lease()
    other = Database(migrated)
    with pytest.raises(DatabaseBusy):
        await other.acquire_lease()
    await other.close()


async def test_ping__server_stopped__unavailable_until_it_is_back(
    database: Database, postgres: EmbeddedPostgres
) -> None:
    await database.ping()
    postgres.stop()
    with pytest.raises(StoreUnavailable):
        await database.ping()
    postgres.start()
    await database.ping()


async def test_writing__error_inside__nothing_is_kept(database: Database) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        async with database.writing() as connection:
            await connection.execute(
                metadata.tables["identity"]
                .insert()
                .values(account=b"", chain_id=1, contract=b"", origin=b"")
            )
            raise RuntimeError("stop")
    await database.bind(IDENTITY)


def test_url__asked_twice__the_same_database(postgres: EmbeddedPostgres) -> None:
    assert postgres.url("twice") == postgres.url("twice")


@pytest.mark.parametrize("name", ["", "Upper", "1st", 'x"; drop database postgres', "a" * 64])
def test_url__no_name_for_a_database__refused(postgres: EmbeddedPostgres, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no database name"):
        postgres.url(name)


def test_url__not_started__refused(tmp_path: object) -> None:
    with pytest.raises(ConfigurationError, match="not started"):
        EmbeddedPostgres(tmp_path / "data").url("x")  # type: ignore[operator]
