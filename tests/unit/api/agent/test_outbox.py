from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.agent.outbox import EXPIRED, Outbox, Refusal
from api.domain.codec import to_address
from api.domain.samples import SignedBatch, parse_batch
from api.errors import ConfigurationError, OutboxUnavailable
from api.types import ClusterId
from tests.unit.api.agent.batches import ORACLE, SIGNER, A, B, C, make, sequences


def test_append__batches__are_numbered_and_owed_to_everybody(
    outbox_at: Callable[..., Outbox],
) -> None:
    outbox = outbox_at()
    stored = [outbox.append(make(through), 0) for through in (10, 20, 30)]
    assert [signed.batch.sequence for signed in stored] == [1, 2, 3]
    assert sequences(outbox, A) == sequences(outbox, B) == [1, 2, 3]
    assert outbox.through_ms == 30
    delivery = outbox.next_for(A)
    assert delivery is not None
    assert delivery.body == stored[0].to_json()
    assert parse_batch(delivery.body) == stored[0]


def test_through_ms__nothing_stored__is_none(outbox_at: Callable[..., Outbox]) -> None:
    assert outbox_at().through_ms is None


def test_acknowledged__by_one__is_still_owed_to_the_other(
    outbox_at: Callable[..., Outbox],
) -> None:
    outbox = outbox_at()
    outbox.append(make(), 0)
    outbox.acknowledged(A, 1)
    assert (outbox.owed(A), outbox.owed(B)) == (0, 1)
    outbox.acknowledged(B, 1)
    assert outbox.next_for(B) is None


def test_append__after_everything_was_delivered__never_uses_a_sequence_again(
    outbox_at: Callable[..., Outbox],
) -> None:
    outbox = outbox_at(A)
    outbox.append(make(), 0)
    outbox.acknowledged(A, 1)
    assert outbox_at(A).append(make(), 0).batch.sequence == 2


def test_outbox__opened_again__has_the_same_bytes(outbox_at: Callable[..., Outbox]) -> None:
    outbox = outbox_at()
    outbox.append(make(77), 0)
    before = outbox.next_for(B)
    again = outbox_at()
    assert again.next_for(B) == before
    assert again.through_ms == 77


def test_append__signing_fails__stores_nothing(outbox_at: Callable[..., Outbox]) -> None:
    outbox = outbox_at()

    def fails(sequence: int) -> SignedBatch:
        raise ValueError(sequence)

    with pytest.raises(ValueError, match="1"):
        outbox.append(fails, 0)
    assert outbox.append(make(), 0).batch.sequence == 1


def test_append__disk_full__stores_nothing_and_gives_the_sequence_out_later(
    outbox_at: Callable[..., Outbox],
) -> None:
    outbox = outbox_at()
    outbox.append(make(), 0)
    pages = outbox._db.execute("pragma page_count").fetchone()[0]
    outbox._db.execute(f"pragma max_page_count = {pages}")
    stored = 1
    with pytest.raises(OutboxUnavailable, match="disk is full"):
        for _ in range(1_000):
            outbox.append(make(), 0)
            stored += 1
    outbox._db.execute("pragma max_page_count = 100000")
    assert sequences(outbox, A) == list(range(1, stored + 1))
    assert outbox.append(make(), 0).batch.sequence == stored + 1


def test_refused__by_one__is_recorded_and_not_owed(outbox_at: Callable[..., Outbox]) -> None:
    outbox = outbox_at()
    outbox.append(make(), 0)
    outbox.refused(A, 1, 409, "sequence 1 belongs to batch 0x12")
    assert sequences(outbox, A) == []
    assert sequences(outbox, B) == [1]
    assert outbox_at().refusals() == [Refusal(A, 1, 409, "sequence 1 belongs to batch 0x12")]


def test_expire__old_batches__are_given_up_and_recorded(outbox_at: Callable[..., Outbox]) -> None:
    outbox = outbox_at()
    for stored_ms in (100, 200, 300):
        outbox.append(make(), stored_ms)
    outbox.acknowledged(A, 1)
    assert outbox.expire(300) == 3
    assert sequences(outbox, A) == sequences(outbox, B) == [3]
    assert {(one.reporter, one.sequence, one.status) for one in outbox.refusals()} == {
        (B, 1, EXPIRED),
        (A, 2, EXPIRED),
        (B, 2, EXPIRED),
    }


def test_outbox__new_reporter__is_owed_what_is_still_there(
    outbox_at: Callable[..., Outbox],
) -> None:
    outbox = outbox_at(A, B)
    outbox.append(make(), 0)
    outbox.append(make(), 0)
    outbox.acknowledged(A, 1)
    outbox.acknowledged(B, 1)
    outbox.acknowledged(A, 2)
    again = outbox_at(A, B, C)
    assert [sequences(again, reporter) for reporter in (A, B, C)] == [[], [2], [2]]


def test_outbox__reporter_no_longer_named__is_owed_nothing(
    outbox_at: Callable[..., Outbox],
) -> None:
    outbox = outbox_at(A, B)
    outbox.append(make(), 0)
    outbox.acknowledged(A, 1)
    outbox_at(A)
    assert sequences(outbox_at(A, B), B) == []


@pytest.mark.parametrize(
    "change",
    [
        {"agent": to_address(b"\x01" * 20)},
        {"cluster_id": ClusterId(2)},
        {"chain_id": 1},
        {"oracle": to_address(b"\x01" * 20)},
    ],
)
def test_outbox__of_another_owner__is_refused(
    outbox_at: Callable[..., Outbox], change: dict[str, Any]
) -> None:
    outbox_at()
    with pytest.raises(ConfigurationError, match="is the outbox of"):
        outbox_at(**change)


def test_outbox__open_twice__is_refused(outbox_at: Callable[..., Outbox], tmp_path: Path) -> None:
    outbox_at()
    with pytest.raises(ConfigurationError, match="another agent is using"):
        Outbox(
            tmp_path / "deep" / "outbox.sqlite",
            agent=SIGNER.address,
            cluster_id=ClusterId(1),
            chain_id=31337,
            oracle=ORACLE,
            reporters=(A,),
        )


def test_outbox__no_database__is_unavailable(
    outbox_at: Callable[..., Outbox], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "outbox.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(OutboxUnavailable, match="not a database"):
        outbox_at()


def test_outbox__first_sequence__counts_from_there_once(
    outbox_at: Callable[..., Outbox],
) -> None:
    assert outbox_at(first_sequence=500).append(make(), 0).batch.sequence == 500
    assert outbox_at(first_sequence=900).append(make(), 0).batch.sequence == 501


def test_outbox__settings_of_the_file__sync_every_commit(
    outbox_at: Callable[..., Outbox],
) -> None:
    outbox = outbox_at()
    journal = outbox._db.execute("pragma journal_mode").fetchone()[0]
    synchronous = outbox._db.execute("pragma synchronous").fetchone()[0]
    assert (journal, synchronous) == ("wal", 2)
    assert sqlite3.sqlite_version_info >= (3, 37)  # strict tables
