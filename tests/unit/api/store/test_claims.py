"""api/store/claims.py: what was heard is kept once, and what repeats itself is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.domain.equivocation import SignedReport
from api.store.claims import ClaimStore
from api.store.database import Database
from api.types import Address, Digest, Epoch, Signature

EPOCH = Epoch(480_000)
FIRST, SECOND = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
REPORT = SignedReport(
    1, EPOCH, 0, Digest(b"\x01" * 32), (1 << 160, 2 << 160), Signature(b"\x04" * 65)
)


def digest(number: int) -> Digest:
    return Digest(bytes([number]) * 32)


@pytest.fixture
def store(database: Database) -> ClaimStore:
    return ClaimStore(database)


async def test_add__heard_twice__kept_once(store: ClaimStore) -> None:
    assert await store.add(FIRST, REPORT, digest(1), 5)
    assert not await store.add(FIRST, REPORT, digest(1), 6)
    assert await store.of_round(1, EPOCH, 0, FIRST) == [REPORT]
    assert await store.of_epoch(1, EPOCH) == [REPORT]
    assert await store.repeated(9) == []


async def test_repeated__two_of_one_signer_in_one_round__both_the_newest_epoch_first(
    store: ClaimStore,
) -> None:
    other = replace(REPORT, root=Digest(b"\x02" * 32))
    for report, number in ((REPORT, 1), (other, 2)):
        await store.add(FIRST, report, digest(number), number)
        later = replace(report, epoch=Epoch(EPOCH + 1))
        await store.add(SECOND, later, digest(number + 2), number)
    # Of other rounds, sets and signers: nothing repeated.
    await store.add(SECOND, REPORT, digest(1), 1)
    await store.add(FIRST, replace(REPORT, round=1), digest(7), 1)
    await store.add(FIRST, replace(REPORT, reporter_set_id=2), digest(8), 1)
    found = await store.repeated(9)
    assert [(signer, [report.root[0] for report in reports]) for signer, reports in found] == [
        (SECOND, [1, 2]),
        (FIRST, [1, 2]),
    ]
    assert len(await store.repeated(1)) == 1
