"""What was served is noted once, however often it is said."""

from __future__ import annotations

from dataclasses import replace

from api.domain.receipts import NOBODY
from api.domain.work import NO_MODEL, Work
from api.store.collections import CollectionStore, Due
from api.store.database import Database
from api.store.journal import Entry, JournalStore, StoredReceipt
from api.types import Address, ClusterId, Digest, Signature

PAYER, KEY, OTHER = (
    Address("0x1111111111111111111111111111111111111111"),
    Address("0x2222222222222222222222222222222222222222"),
    Address("0x3333333333333333333333333333333333333333"),
)
FIRST, SECOND = ClusterId(1), ClusterId(2)


def signature(number: int) -> Signature:
    return Signature(bytes([number]) * 65)


def receipt(
    number: int,
    charge: int,
    *,
    is_open: bool = False,
    cluster: ClusterId = FIRST,
    model: Digest = NO_MODEL,
) -> StoredReceipt:
    return StoredReceipt(
        bytes([number]) * 16,
        PAYER,
        KEY,
        Work(cluster, model),
        charge,
        1_700_000_000,
        b"{}",
        Digest(bytes([number, charge]) * 16),
        signature(9),
        is_open,
    )


def entry(one: StoredReceipt, added: int, promised: int = 100) -> Entry:
    return Entry(promised, signature(promised % 256), added, one)


async def dues(database: Database) -> list[tuple[int, int]]:
    found, _ = await CollectionStore(database).due(10)
    return [(due.work.cluster_id, due.due_usd6) for due in found]


async def test_write__stream_in_pieces__is_due_once_it_is_closed(database: Database) -> None:
    store = JournalStore(database)
    await store.write([entry(receipt(1, 10, is_open=True), 10)])
    assert await dues(database) == []
    await store.write([entry(receipt(1, 15, is_open=True), 5), entry(receipt(1, 12), -3)])
    assert await dues(database) == [(1, 12)]
    known = await store.channel(PAYER, KEY)
    assert known is not None
    assert (known.spent_usd6, known.promised_usd6) == (12, 100)


async def test_write__closed_again__stays_as_it_was(database: Database) -> None:
    store = JournalStore(database)
    await store.write([entry(receipt(1, 10), 10)])
    await store.write([entry(receipt(1, 10), 0), entry(receipt(1, 99, is_open=True), 0)])
    await store.write([entry(receipt(1, 99), 0)])
    assert await dues(database) == [(1, 10)]
    kept = await store.receipt(receipt(1, 10).id)
    assert kept == receipt(1, 10)


async def test_write__vouchers_out_of_order__the_largest_stays(database: Database) -> None:
    store = JournalStore(database)
    await store.write([entry(receipt(1, 1), 1, 50), entry(receipt(2, 1), 1, 70)])
    await store.write([entry(receipt(3, 1), 1, 60)])
    known = await store.channel(PAYER, KEY)
    assert known is not None
    assert (known.promised_usd6, known.signature) == (70, signature(70))
    assert (await store.channels([(PAYER, KEY), (PAYER, OTHER)])) == {(PAYER, KEY): known}


async def test_write__charges_of_any_size_in_some_channels__are_each_channels(
    database: Database,
) -> None:
    """Small numbers and large ones stand in one column of what is sent."""
    store = JournalStore(database)
    of_other = replace(receipt(3, 0), payer=OTHER, charge_usd6=2**50)
    await store.write(
        [entry(receipt(1, 10), 10), entry(receipt(2, 20), 20), entry(of_other, 2**50, 2**51)]
    )
    known, other = await store.channel(PAYER, KEY), await store.channel(OTHER, KEY)
    assert known is not None
    assert other is not None
    assert (known.spent_usd6, known.promised_usd6) == (30, 100)
    assert (other.spent_usd6, other.promised_usd6) == (2**50, 2**51)
    assert sorted(await dues(database)) == [(1, 30), (1, 2**50)]


async def test_close_open__some_still_alive__the_others_are_due_as_noted(
    database: Database,
) -> None:
    store = JournalStore(database)
    for number in (1, 2):
        await store.write([entry(receipt(number, 10 * number, is_open=True), 10 * number)])
    await store.close_open([receipt(2, 0).id])
    assert await dues(database) == [(1, 10)]
    await store.close_open()
    await store.close_open()
    assert await dues(database) == [(1, 30)]


async def test_write__id_of_another_receipt__leaves_it_as_it_was(database: Database) -> None:
    """The id of a stream that is on its way is known to its customer, and may become known."""
    store = JournalStore(database)
    streaming = receipt(1, 10, is_open=True)
    await store.write([entry(streaming, 10)])
    await store.write(
        [
            Entry(0, None, 0, replace(receipt(1, 0), payer=OTHER, key=NOBODY)),
            entry(receipt(2, 3), 3),
        ]
    )
    assert await store.receipt(streaming.id) == streaming
    await store.write([entry(receipt(1, 12), 2)])
    assert await dues(database) == [(1, 15)]


async def test_write__paid_by_itself__is_never_due(database: Database) -> None:
    store = JournalStore(database)
    for number in (1, 2):
        paid = replace(receipt(number, 10, is_open=number == 1), key=NOBODY)
        await store.write([Entry(0, None, 0, paid)])
    await store.close_open([receipt(1, 0).id])
    streaming = await store.receipt(receipt(1, 0).id)
    assert streaming is not None
    assert streaming.is_open
    await store.close_open()
    assert await dues(database) == []
    assert await store.channel(PAYER, NOBODY) is None
    kept = await store.receipt(receipt(1, 0).id)
    assert kept is not None
    assert not kept.is_open


async def test_due__collected_in_part__what_is_left_with_the_receipts_behind_it(
    database: Database,
) -> None:
    journal, store = JournalStore(database), CollectionStore(database)
    await journal.write([entry(receipt(1, 10), 10), entry(receipt(2, 30, cluster=SECOND), 30)])
    found, leaves = await store.due(10)
    assert found == [
        Due(PAYER, KEY, Work(FIRST), 10, 100, 40, signature(100)),
        Due(PAYER, KEY, Work(SECOND), 30, 100, 40, signature(100)),
    ]
    assert [leaf.hash for leaf in leaves] == [receipt(1, 10).hash, receipt(2, 30).hash]
    batch = await store.form(Digest(b"\x07" * 32), b"call", b"[]", [leaf.id for leaf in leaves], 5)
    assert await store.open() == batch
    await store.settle(batch, {(PAYER, KEY, Work(SECOND)): 20}, Digest(b"\x08" * 32), 9)
    found, leaves = await store.due(10)
    assert [(due.work.cluster_id, due.due_usd6) for due in found] == [(1, 10), (2, 10)]
    assert leaves == []
    assert await store.open() is None
    last = await store.last()
    assert last is not None
    assert (last.collected_usd6, last.block_number) == (20, 9)


async def test_due__of_one_cluster_with_and_without_a_model__is_each_works(
    database: Database,
) -> None:
    journal, store = JournalStore(database), CollectionStore(database)
    model = Digest(b"\x05" * 32)
    await journal.write(
        [
            entry(receipt(1, 10), 10),
            entry(receipt(2, 30, model=model), 30),
            entry(receipt(3, 7, model=model, is_open=True), 7),
        ]
    )
    await journal.close_open()
    found, leaves = await store.due(10)
    works = [Work(FIRST), Work(FIRST, model)]
    # Where money is short, what is owed no royalty waits.
    assert [(due.work, due.due_usd6) for due in found] == [(works[1], 37), (works[0], 10)]
    batch = await store.form(Digest(b"\x07" * 32), b"call", b"[]", [leaf.id for leaf in leaves], 5)
    brought = {(PAYER, KEY, works[0]): 4, (PAYER, KEY, works[1]): 37}
    await store.settle(batch, brought, Digest(b"\x08" * 32), 9)
    found, _ = await store.due(10)
    assert [(due.work, due.due_usd6) for due in found] == [(works[0], 6)]
    kept = await journal.receipt(receipt(2, 0).id)
    assert kept == replace(receipt(2, 30, model=model), collection_id=batch.id)


async def test_give_up__never_collected__its_receipts_wait_again(database: Database) -> None:
    journal, store = JournalStore(database), CollectionStore(database)
    await journal.write([entry(receipt(1, 10), 10)])
    _, leaves = await store.due(10)
    batch = await store.form(Digest(b"\x07" * 32), b"call", b"[]", [leaf.id for leaf in leaves], 5)
    await store.give_up(batch)
    assert await store.open() is None
    assert await store.last() is None
    assert (await store.due(10))[1] == leaves
