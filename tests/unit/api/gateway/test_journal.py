"""The gateway's journal: many entries in a commit, and what becomes of those of one that failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from api.domain.work import Work
from api.errors import StoreUnavailable
from api.gateway.journal import Journal
from api.store.database import Database
from api.store.journal import Entry, JournalStore, StoredReceipt
from api.types import Address, ClusterId, Digest, Signature
from tests.support.database import database, migrated, postgres, url

__all__ = ["database", "migrated", "postgres", "url"]

PAYER, KEY = Address("0x" + "1" * 40), Address("0x" + "2" * 40)
SIGNATURE = Signature(bytes(65))


def entry(number: int, added: int = 1, *, is_open: bool = False) -> Entry:
    receipt = StoredReceipt(
        bytes([number]) * 16, PAYER, KEY, Work(ClusterId(1)), added, 1, b"{}",
        Digest(bytes([number]) * 32), SIGNATURE, is_open,
    )  # fmt: skip
    return Entry(100, SIGNATURE, added, receipt)


class Wire(JournalStore):
    """The real store over a connection that breaks: before a commit reaches it, or after."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.commits: list[int] = []
        self.breaks_before = self.breaks_after = False
        self.closed_but: list[set[bytes]] = []

    async def write(self, entries: Sequence[Entry]) -> None:
        self.commits.append(len(entries))
        if self.breaks_before:
            raise StoreUnavailable("gone before")
        await super().write(entries)
        if self.breaks_after:
            raise StoreUnavailable("gone after")

    async def close_open(self, live: Collection[bytes] = ()) -> None:
        if self.breaks_before:
            raise StoreUnavailable("still gone")
        self.closed_but.append(set(live))
        await super().close_open(live)

    async def spent(self) -> int:
        known = await self.channel(PAYER, KEY)
        return 0 if known is None else known.spent_usd6


class Books:
    """Whoever reads again what the store has."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self) -> None:
        self.read += 1


@asynccontextmanager
async def working(journal: Journal) -> AsyncIterator[None]:
    loop = asyncio.create_task(journal.run())
    try:
        yield
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


async def working_again(journal: Journal) -> None:
    async with asyncio.timeout(10):
        while journal.failure is not None:  # noqa: ASYNC110 - as a gateway asks at each request
            await asyncio.sleep(0.05)


async def test_write__many_while_a_commit_is_on_its_way__go_together_in_the_next(
    database: Database,
) -> None:
    store = Wire(database)
    journal = Journal(store, Books())
    waiting = [asyncio.ensure_future(journal.write(entry(number))) for number in range(40)]
    await asyncio.sleep(0)
    async with working(journal):
        await asyncio.gather(*waiting)
        await journal.write(entry(40))
    assert store.commits == [40, 1]
    assert await store.spent() == 41


@pytest.mark.parametrize(("is_made", "spent"), [(False, 0), (True, 2)])
async def test_write__commit_that_breaks__is_told_to_all_and_nothing_is_begun_until_all_is_read(
    database: Database, is_made: bool, spent: int
) -> None:
    """Whether it was made nobody knows: nobody who waited for it gets an answer."""
    store, books = Wire(database), Books()
    journal = Journal(store, books)
    store.breaks_before, store.breaks_after = not is_made, is_made
    async with working(journal):
        told = await asyncio.gather(
            journal.write(entry(1)), journal.write(entry(2)), return_exceptions=True
        )
        assert [type(one) for one in told] == [StoreUnavailable] * 2
        with pytest.raises(StoreUnavailable):
            journal.require_working()
        with pytest.raises(StoreUnavailable):
            await journal.write(entry(3))
        assert books.read == 0
        store.breaks_before = store.breaks_after = False
        await working_again(journal)
        assert books.read >= 1
        assert await store.spent() == spent
        await journal.write(entry(4))
    assert await store.spent() == spent + 1


async def test_write__store_away_for_longer__is_read_until_it_is_back(
    database: Database,
) -> None:
    store, books = Wire(database), Books()
    journal = Journal(store, books)
    store.breaks_before = True
    async with working(journal):
        with pytest.raises(StoreUnavailable):
            await journal.write(entry(1))
        async with asyncio.timeout(10):
            while books.read < 2:  # noqa: ASYNC110 - a second try
                await asyncio.sleep(0.05)
        with pytest.raises(StoreUnavailable):
            journal.require_working()
        store.breaks_before = False
        await working_again(journal)
        await journal.write(entry(2))


async def test_recover__answers_on_their_way__stay_open_and_others_are_closed(
    database: Database,
) -> None:
    store = Wire(database)
    journal = Journal(store, Books())
    live, over = entry(1, 5, is_open=True), entry(2, 7, is_open=True)
    async with working(journal):
        await asyncio.gather(journal.write(live), journal.write(over))
        journal.ended(over.receipt.id)
        store.breaks_after = True
        with pytest.raises(StoreUnavailable):
            await journal.write(entry(3))
        store.breaks_after = False
        await working_again(journal)
    assert store.closed_but[-1] == {live.receipt.id}
    for one, is_open in ((live, True), (over, False)):
        kept = await store.receipt(one.receipt.id)
        assert kept is not None
        assert kept.is_open is is_open


async def test_write__whoever_waits_gives_up__is_noted_all_the_same(database: Database) -> None:
    store = Wire(database)
    journal = Journal(store, Books())
    waiting = asyncio.ensure_future(journal.write(entry(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    async with working(journal):
        await journal.write(entry(2))
    assert await store.spent() == 2
