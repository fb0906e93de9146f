"""Agreements, transactions and reports: what is written is read back, and the first word stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.store.agreements import (
    AgreedReport,
    AgreementStore,
    PromisedRoot,
    SignedRoot,
    pack_words,
    unpack_words,
)
from api.store.database import Database
from api.store.gpu_sets import GpuSetStore
from api.store.reports import (
    CountedEpoch,
    Position,
    PostedReport,
    ReportStore,
    WaitingFigures,
)
from api.store.transactions import (
    Outcome,
    StoredTransaction,
    TransactionState,
    TransactionStore,
)
from api.types import Address, ClusterId, Digest, Epoch, Signature

ROOT, OTHER_ROOT = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
EPOCH = Epoch(472_222)
SIGNED = SignedRoot(1, EPOCH, 0, ROOT, Signature(b"\x03" * 65), b"[content]")
AGREED = AgreedReport(1, EPOCH, 2, ROOT, (1 << 160, 2 << 160), b"\x04" * 195)
PAYER = Address("0x" + "22" * 20)
SENT = StoredTransaction("report/1/01", PAYER, 5, Digest(b"\x05" * 32), b"raw", 100, 2, 77)
POSTED = PostedReport(
    ROOT,
    EPOCH,
    1,
    Address("0x" + "11" * 20),
    2,
    (1 << 160,),
    b"\x04" * 195,
    1_700_000_000,
    Digest(b"\x06" * 32),
    10,
    Digest(b"\x07" * 32),
)
COUNTED = CountedEpoch(ClusterId(1), EPOCH, ROOT, 1 << 160, is_final=True)
AT = Position(10, Digest(b"\x07" * 32))


@pytest.mark.parametrize("words", [(), (0,), (2**256 - 1, 1)])
def test_pack_words__any__unpacked_the_same(words: tuple[int, ...]) -> None:
    assert unpack_words(pack_words(words)) == words


async def test_add_signature__twice__kept_once_with_the_newest_content(database: Database) -> None:
    store = AgreementStore(database)
    await store.add_signature(SIGNED, 1)
    await store.add_signature(replace(SIGNED, content=b"[other batches]"), 2)
    next_round = replace(SIGNED, round=1)
    await store.add_signature(next_round, 3)
    assert await store.signed(1, EPOCH) == [SIGNED, next_round]
    assert await store.signed(2, EPOCH) == []
    assert await store.proposal(ROOT) == b"[content]"


async def test_promise__then_signed__kept_once_and_signed_after(database: Database) -> None:
    store = AgreementStore(database)
    promised = PromisedRoot(1, EPOCH, 0, ROOT, b"[content]")
    await store.promise(promised, 1)
    assert (await store.promised(1, EPOCH), await store.signed(1, EPOCH)) == ([promised], [])
    await store.add_signature(SIGNED, 2)
    await store.promise(promised, 3)
    assert (await store.promised(1, EPOCH), await store.signed(1, EPOCH)) == ([promised], [SIGNED])


async def test_add_signature__another_under_the_same__the_first_stands(database: Database) -> None:
    store = AgreementStore(database)
    await store.add_signature(SIGNED, 1)
    await store.add_signature(replace(SIGNED, signature=Signature(b"\x09" * 65)), 2)
    assert await store.signed(1, EPOCH) == [SIGNED]


async def test_add_proposal__signed_content_known__stays(database: Database) -> None:
    store = AgreementStore(database)
    await store.add_signature(SIGNED, 1)
    await store.add_proposal(ROOT, EPOCH, b"[hearsay]", 2)
    assert await store.proposal(ROOT) == b"[content]"
    assert await store.proposal(OTHER_ROOT) is None


async def test_unsettled__settled_and_reopened__out_and_in_again(database: Database) -> None:
    agreements, transactions = AgreementStore(database), TransactionStore(database)
    await agreements.add_signature(SIGNED, 1)
    await agreements.add_agreed(AGREED, 2)
    await agreements.add_agreed(replace(AGREED, signatures=b""), 3)
    assert await agreements.unsettled() == [AGREED]
    await transactions.settle(1, ROOT, Outcome.ON_CHAIN, 4)
    await transactions.settle(1, ROOT, Outcome.SUPERSEDED, 5)
    assert await agreements.unsettled() == []
    await transactions.reopen(1, ROOT)
    assert await agreements.unsettled() == [AGREED]


async def test_update__transaction_mined__read_back_with_its_block(database: Database) -> None:
    store = TransactionStore(database)
    await store.add(SENT)
    await store.add(replace(SENT, hash=Digest(b"\x08" * 32)))
    await store.update(
        SENT.hash, TransactionState.MINED, block_number=9, block_hash=Digest(b"\x09" * 32)
    )
    mined, pending = await store.of(SENT.purpose)
    assert (mined.state, mined.block_number) == (TransactionState.MINED, 9)
    assert pending == replace(SENT, hash=Digest(b"\x08" * 32))
    assert await store.of("report/2/01") == []
    assert await store.pending() == [pending]
    assert await store.newest_with(PAYER, SENT.nonce) == pending
    assert await store.newest_with(PAYER, SENT.nonce + 1) is None
    assert await store.newest_with(Address("0x" + "33" * 20), SENT.nonce) is None


async def test_advance__range_read__all_of_it_there(database: Database) -> None:
    store = ReportStore(database)
    assert await store.position() is None
    await store.advance(AT, [POSTED], [replace(COUNTED, is_final=False)])
    await store.advance(replace(AT, block_number=11), [], [COUNTED])
    assert await store.position() == replace(AT, block_number=11)
    assert await store.report(ROOT) == POSTED
    assert await store.counted(ClusterId(1), EPOCH) == COUNTED
    assert await store.counted(ClusterId(2), EPOCH) is None
    assert await store.last_counted() == {ClusterId(1): EPOCH}


async def test_advance__report_without_figures__kept(database: Database) -> None:
    store = ReportStore(database)
    await store.advance(AT, [replace(POSTED, figures=None, signatures=None)], [])
    report = await store.report(ROOT)
    assert report is not None
    assert (report.figures, report.signatures) == (None, None)


async def test_waiting__some_not_final__oldest_of_each_cluster(database: Database) -> None:
    store = ReportStore(database)
    later = replace(POSTED, root=OTHER_ROOT, epoch=Epoch(EPOCH + 1), final_at=POSTED.final_at + 9)
    await store.advance(
        AT,
        [POSTED, later],
        [
            replace(COUNTED, cluster_id=ClusterId(2)),
            replace(COUNTED, is_final=False),
            *(
                CountedEpoch(ClusterId(number), later.epoch, OTHER_ROOT, 0, is_final=False)
                for number in (1, 2)
            ),
        ],
    )
    assert await store.waiting() == [
        WaitingFigures(ClusterId(1), EPOCH, 2, 0, POSTED.final_at, is_held=False),
        WaitingFigures(ClusterId(2), later.epoch, 1, 0, later.final_at, is_held=False),
    ]
    # A dispute holds the oldest of the one, the newest of the other.
    await store.advance(AT, [], [replace(COUNTED, is_final=False, is_held=True)])
    first, second = await store.waiting()
    assert (first.held_count, first.is_held) == (1, True)
    assert (second.held_count, second.is_held) == (0, False)
    of_first = CountedEpoch(ClusterId(1), later.epoch, OTHER_ROOT, 0, is_final=False, is_held=True)
    await store.advance(AT, [], [of_first, replace(COUNTED, is_final=False)])
    first, second = await store.waiting()
    assert (first.count, first.held_count, first.is_held) == (2, 1, False)
    await store.forget()
    assert await store.waiting() == []


async def test_forget__chain_taken_back__nothing_left_but_proposals(database: Database) -> None:
    store, agreements = ReportStore(database), AgreementStore(database)
    await agreements.add_signature(SIGNED, 1)
    await store.advance(AT, [POSTED], [COUNTED])
    await store.forget()
    assert await store.position() is None
    assert await store.report(ROOT) is None
    assert await store.counted(ClusterId(1), EPOCH) is None
    assert await agreements.proposal(ROOT) == b"[content]"


async def test_without_proposal__signed_elsewhere__named(database: Database) -> None:
    store, agreements = ReportStore(database), AgreementStore(database)
    other = replace(POSTED, root=OTHER_ROOT)
    await agreements.add_signature(SIGNED, 1)
    await store.advance(AT, [POSTED, other], [])
    assert await store.without_proposal(10) == [(OTHER_ROOT, EPOCH)]


async def test_gpu_sets__kept_once__never_change(database: Database) -> None:
    store = GpuSetStore(database)
    await store.add(ClusterId(1), ROOT, b"first", 1)
    await store.add(ClusterId(1), ROOT, b"second", 2)
    assert await store.manifest(ClusterId(1), ROOT) == b"first"
    assert await store.manifest(ClusterId(2), ROOT) is None
