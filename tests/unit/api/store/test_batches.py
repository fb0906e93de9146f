"""Batches are kept once, found by time, and counted without gaps."""

from __future__ import annotations

import pytest

from api.domain.hashing import keccak256
from api.store.batches import MAX_SPAN_MS, BatchRecord, BatchStore, Progress
from api.store.database import Database
from api.types import Address, ClusterId, Digest

CLUSTER = ClusterId(1)
AGENT, OTHER = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
HOUR_MS = 3_600_000
START_MS = 472_222 * HOUR_MS
END_MS = START_MS + HOUR_MS


def record(
    sequence: int,
    through_ms: int,
    *,
    first_ms: int | None = None,
    last_ms: int | None = None,
    agent: Address = AGENT,
    cluster_id: ClusterId = CLUSTER,
    variant: str = "",
) -> BatchRecord:
    batch_id = keccak256(f"{cluster_id} {agent} {sequence} {variant}".encode())
    count = 0 if first_ms is None else 2
    return BatchRecord(
        batch_id, cluster_id, agent, sequence, through_ms, first_ms, last_ms, count, 7
    )


@pytest.fixture
def store(database: Database) -> BatchStore:
    return BatchStore(database)


async def fill(store: BatchStore, *records: BatchRecord) -> list[Digest]:
    for entry in records:
        await store.add(entry, b"body of " + entry.id)
    return [entry.id for entry in records]


async def test_add__new__kept_with_its_body(store: BatchStore) -> None:
    new = record(1, END_MS, first_ms=START_MS, last_ms=END_MS)
    assert await store.add(new, b"signed" * 100) is new
    assert await store.records([new.id]) == {new.id: new}
    assert await store.bodies([new.id, Digest(bytes(32))]) == {new.id: b"signed" * 100}


async def test_add__again__the_first_one_stays(store: BatchStore) -> None:
    first = record(1, END_MS)
    await store.add(first, b"first")
    again = BatchRecord(*(*(getattr(first, name) for name in first.__slots__[:-1]), 99))
    assert await store.add(again, b"second") == first
    assert await store.bodies([first.id]) == {first.id: b"first"}


async def test_up_to_sequence__more_kept__newest_first_and_limited(store: BatchStore) -> None:
    a, b, b2, c = (
        record(1, 10),
        record(2, 20),
        record(2, 20, variant="contradiction"),
        record(4, 40),
    )
    await fill(store, a, b, b2, c, record(3, 30, agent=OTHER))
    assert await store.up_to_sequence(CLUSTER, AGENT, 3, 8) == [b, b2, a]
    assert await store.up_to_sequence(CLUSTER, AGENT, 4, 1) == [c]


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "is_found"),
    [
        (START_MS - 2, START_MS - 1, False),
        (START_MS - 1, START_MS, True),
        (START_MS, END_MS, True),
        (END_MS - 1, END_MS + 5, True),
        (END_MS, END_MS + 5, False),
        (START_MS - 5, END_MS + 5, True),
        (END_MS - 1, END_MS - 1 + MAX_SPAN_MS, True),
        (None, None, False),
    ],
)
async def test_with_samples__window__exactly_what_may_reach_into_it(
    store: BatchStore, first_ms: int | None, last_ms: int | None, is_found: bool
) -> None:
    (kept,) = await fill(store, record(1, 1, first_ms=first_ms, last_ms=last_ms))
    found = await store.with_samples([CLUSTER], START_MS, END_MS)
    assert [entry.id for entry in found] == ([kept] if is_found else [])
    assert await store.with_samples([ClusterId(2)], START_MS, END_MS) == []


async def test_of_window__declarations__of_each_agent_the_first_that_completes_it(
    store: BatchStore,
) -> None:
    inside = record(1, START_MS + 5, first_ms=START_MS, last_ms=START_MS + 5)
    half = record(2, END_MS - 1)
    closing = record(3, END_MS)
    later = record(4, END_MS + 9)
    others = record(1, END_MS + 3, agent=OTHER)
    await fill(store, later, closing, inside, half, others)
    found = await store.of_window([CLUSTER], START_MS, END_MS)
    assert {entry.id for entry in found} == {inside.id, closing.id, others.id}


async def test_of_window__two_clusters__as_each_by_itself(store: BatchStore) -> None:
    second = ClusterId(2)
    kept = await fill(
        store,
        record(1, START_MS + 5, first_ms=START_MS, last_ms=START_MS + 5),
        record(2, END_MS),
        record(1, END_MS - 1, cluster_id=second),
        record(3, END_MS, cluster_id=second),
        record(3, END_MS, cluster_id=ClusterId(3)),
    )
    found = await store.of_window([CLUSTER, second], START_MS, END_MS)
    assert [entry.id for entry in found] == [kept[0], kept[1], kept[3]]
    assert {entry.cluster_id for entry in found} == {CLUSTER, second}


async def test_records_and_bodies__more_ids_than_a_query_has_parameters__found(
    store: BatchStore,
) -> None:
    kept = record(1, END_MS)
    await store.add(kept, b"signed")
    ids = [kept.id, *(Digest(number.to_bytes(32, "big")) for number in range(70_000))]
    assert await store.records(ids) == {kept.id: kept}
    assert await store.bodies(ids) == {kept.id: b"signed"}


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([], None),
        ([(1, START_MS + 1)], Progress(1, START_MS + 1)),
        ([(1, START_MS - 1), (2, START_MS + 1), (3, END_MS)], Progress(3, END_MS)),
        ([(1, START_MS - 1), (3, END_MS)], Progress(1, START_MS - 1)),
        ([(1, START_MS + 1), (2, START_MS + 2), (4, END_MS)], Progress(2, START_MS + 2)),
        ([(7, START_MS + 1), (8, END_MS)], Progress(8, END_MS)),
        ([(1, START_MS + 9), (2, START_MS + 2)], Progress(2, START_MS + 9)),
        ([(1, START_MS - 9 * HOUR_MS), (5, END_MS)], Progress(5, END_MS)),
    ],
    ids=[
        "nothing",
        "one batch",
        "from before the epoch on",
        "gap after the last epoch",
        "gap within the epoch",
        "first kept is not the first sent",
        "never backwards",
        "silent for hours",
    ],
)
async def test_progress__batches__counted_to_the_first_gap(
    store: BatchStore, kept: list[tuple[int, int]], expected: Progress | None
) -> None:
    await fill(store, *(record(sequence, through) for sequence, through in reversed(kept)))
    progress = await store.progress(CLUSTER, START_MS)
    assert progress == ({} if expected is None else {AGENT: expected})


async def test_progress__two_batches_under_a_sequence__no_gap(store: BatchStore) -> None:
    await fill(
        store,
        record(1, START_MS + 1),
        record(2, START_MS + 2),
        record(2, START_MS + 2, variant="contradiction"),
        record(3, END_MS),
    )
    assert await store.progress(CLUSTER, START_MS) == {AGENT: Progress(3, END_MS)}


async def test_declared__gaps__do_not_matter(store: BatchStore) -> None:
    await fill(store, record(5, END_MS), record(1, END_MS - 1, agent=OTHER))
    assert await store.declared([CLUSTER], END_MS) == {(CLUSTER, AGENT)}
    assert await store.declared([CLUSTER], END_MS - 1) == {(CLUSTER, AGENT), (CLUSTER, OTHER)}


async def test_declared__two_clusters__each_by_itself(store: BatchStore) -> None:
    second = ClusterId(2)
    await fill(store, record(1, END_MS), record(1, END_MS, agent=OTHER, cluster_id=second))
    assert await store.declared([CLUSTER, second], END_MS) == {(CLUSTER, AGENT), (second, OTHER)}
    assert await store.declared([second], END_MS) == {(second, OTHER)}
