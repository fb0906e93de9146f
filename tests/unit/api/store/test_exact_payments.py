"""api/store/exact_payments.py: a payment is kept once, and what is known of it survives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.domain.codec import to_address
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.work import Work
from api.store.database import Database
from api.store.exact_payments import (
    BatchState,
    ExactPaymentStore,
    PaymentState,
    SettlementKind,
    TakenPayment,
)
from api.types import ClusterId, Digest

TARGET = to_address(b"\x0c" * 20)
RECEIPT = Digest(b"\x07" * 32)
ROOT = Digest(b"\x08" * 32)


def taken(number: int, cluster: int | None = 1) -> TakenPayment:
    authorization = Authorization(
        to_address(b"\x0a" * 20), to_address(b"\x0b" * 20), 100, 0, 2**40 - 1,
        Digest(bytes([number]) * 32),
    )  # fmt: skip
    cluster_id = None if cluster is None else ClusterId(cluster)
    return TakenPayment(ExactPayment(authorization, b"\x01" * 65), cluster_id, 5, number)


@pytest.fixture
def store(database: Database) -> ExactPaymentStore:
    return ExactPaymentStore(database)


async def find(store: ExactPaymentStore, one: TakenPayment) -> TakenPayment | None:
    return await store.find(one.authorization.payer, one.authorization.nonce)


async def test_take__the_same_nonce_again__is_not_new_whatever_else_it_says(
    store: ExactPaymentStore,
) -> None:
    one = taken(1)
    assert await store.take(one)
    other = replace(one.payment, authorization=replace(one.authorization, value=7))
    assert not await store.take(replace(one, payment=other))
    assert await find(store, one) == one
    assert await find(store, taken(2)) is None


async def test_forget__what_was_taken_and_not_ordered__alone(store: ExactPaymentStore) -> None:
    first, second = taken(1), taken(2)
    for one in (first, second):
        await store.take(one)
    await store.order(second.authorization, SettlementKind.SETTLE, 60, RECEIPT)
    for one in await store.unfinished():
        await store.forget(one.authorization)
    await store.forget(second.authorization)
    assert await find(store, first) is None
    known = await find(store, second)
    assert known is not None
    assert (known.state, known.kind, known.used_usd6) == (PaymentState.DUE, "settle", 60)


async def test_order__a_second_time__changes_nothing(store: ExactPaymentStore) -> None:
    one = taken(1)
    await store.take(one)
    await store.order(one.authorization, SettlementKind.SETTLE, 60, RECEIPT)
    await store.order(one.authorization, SettlementKind.AHEAD)
    await store.note_use(one.authorization, 1, ROOT)
    known = await find(store, one)
    assert known is not None
    assert (known.kind, known.used_usd6, known.receipt_hash) == ("settle", 60, RECEIPT)


async def test_due__several_clusters_and_kinds__go_apart_the_oldest_first(
    store: ExactPaymentStore,
) -> None:
    payments = [taken(1), taken(2, 2), taken(3), taken(4), taken(5)]
    for one in payments:
        await store.take(one)
        kind = SettlementKind.AHEAD if one.taken_at_ms == 4 else SettlementKind.SETTLE
        await store.order(one.authorization, kind, 1, RECEIPT)
    assert [one.taken_at_ms for one in await store.due(9)] == [1, 3, 5]
    assert [one.taken_at_ms for one in await store.due(2)] == [1, 3]


async def test_due__of_one_cluster_with_several_models__go_apart(
    store: ExactPaymentStore,
) -> None:
    models = [Digest(bytes([number]) * 32) for number in (0, 1, 1)]
    for number, model in enumerate(models, start=1):
        await store.take(taken(number))
        await store.order(taken(number).authorization, SettlementKind.AHEAD, model_id=model)
    for together in ([1], [2, 3]):
        due = await store.due(10)
        assert [one.authorization.nonce[0] for one in due] == together
        assert {one.work for one in due} == {Work(ClusterId(1), models[together[0] - 1])}
        await store.form(due, TARGET, b"call", None, 5)
        (batch,) = await store.open_batches()
        assert batch.work == due[0].work
        await store.move(batch, BatchState.CLOSED)


async def test_due__of_other_servers__waits_for_its_own(store: ExactPaymentStore) -> None:
    foreign, own = taken(1, None), taken(2)
    for one, kind in ((foreign, SettlementKind.PLAIN), (own, SettlementKind.AHEAD)):
        await store.take(one)
        await store.order(one.authorization, kind)
    assert [one.taken_at_ms for one in await store.due(9)] == [2]


async def test_form__of_what_is_due__is_the_open_batch_until_it_is_closed(
    store: ExactPaymentStore,
) -> None:
    payments = [taken(1), taken(2)]
    for one in payments:
        await store.take(one)
        await store.order(one.authorization, SettlementKind.AHEAD)
    await store.form(await store.due(9), TARGET, b"call", None, 3)
    assert await store.due(9) == []
    (batch,) = await store.open_batches()
    assert (batch.target, batch.calldata, batch.purpose) == (TARGET, b"call", f"settle/{batch.id}")
    inside = await store.of_batch(batch.id)
    assert [(one.place, one.taken_at_ms) for one in inside] == [(0, 1), (1, 2)]

    await store.settle(inside[0].authorization, PaymentState.SETTLED, tx_hash=RECEIPT)
    await store.settle(inside[1].authorization, PaymentState.FAILED, reason="why")
    await store.move(batch, BatchState.WAITING, entries=[2**255, 7])
    assert await store.open_batches() == []
    assert await store.used_batches() == []
    await store.note_use(inside[0].authorization, 30, RECEIPT)
    (used,) = await store.used_batches()
    assert used.entries == (2**255, 7)

    await store.move(used, BatchState.ALLOCATING, calldata=b"other", root=ROOT)
    (allocating,) = await store.open_batches()
    assert (allocating.calldata, allocating.purpose) == (b"other", f"allocate/{batch.id}")
    await store.move(allocating, BatchState.CLOSED)
    assert await store.open_batches() == []
    assert await store.used_batches() == []
