"""Payments of x402's scheme `exact`, taken once, and their batches. Writers: exact, settling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, case, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_once

from api.domain.codec import address_bytes, to_address
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.work import NO_MODEL, Work
from api.store.database import Database
from api.store.tables import exact_batches, exact_payments
from api.types import Address, ClusterId, Digest

_WORD: Final = 32


class PaymentState(StrEnum):
    """How far a payment has come.

    TAKEN: a request is being served for it. DUE: it is to be settled. SETTLING: it is in a batch.
    SETTLED: this gateway has settled it. FRONTED: somebody else has brought it to the stablecoin,
    so that it was paid and nothing of it can be credited; what was not used is owed. FAILED: it was
    not paid, and `reason` says why.
    """

    TAKEN = "taken"
    DUE = "due"
    SETTLING = "settling"
    SETTLED = "settled"
    FRONTED = "fronted"
    FAILED = "failed"

    @property
    def is_paid(self) -> bool:
        return self in (PaymentState.SETTLED, PaymentState.FRONTED)

    @property
    def is_final(self) -> bool:
        return self.is_paid or self is PaymentState.FAILED


_UNSETTLED: Final = (PaymentState.TAKEN, PaymentState.DUE, PaymentState.SETTLING)

_UNORDERED: Final = exact_payments.c.kind.is_(None)


class SettlementKind(StrEnum):
    """SETTLE: what was used is known. AHEAD: it is not yet. PLAIN: no cluster of this gateway is
    paid, the stablecoin itself is called.
    """

    SETTLE = "settle"
    AHEAD = "ahead"
    PLAIN = "plain"


class BatchState(StrEnum):
    """SETTLING: on its way. WAITING: settled, for what was used. ALLOCATING: that is on its way.
    CLOSED: nothing more is to be done.
    """

    SETTLING = "settling"
    WAITING = "waiting"
    ALLOCATING = "allocating"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TakenPayment:
    """A payment and what is known of it. `cluster_id` is None for one that is not for a cluster of
    this gateway; `model_id` is known once it is ordered; `from_block` is a block up to which it was
    not used.
    """

    payment: ExactPayment
    cluster_id: ClusterId | None
    from_block: int
    taken_at_ms: int
    state: PaymentState = PaymentState.TAKEN
    kind: SettlementKind | None = None
    used_usd6: int | None = None
    receipt_hash: Digest | None = None
    batch_id: int | None = None
    place: int | None = None
    reason: str | None = None
    tx_hash: Digest | None = None
    model_id: Digest = NO_MODEL

    @property
    def authorization(self) -> Authorization:
        return self.payment.authorization

    @property
    def work(self) -> Work:
        """What it pays for. For a cluster of this gateway only."""
        assert self.cluster_id is not None
        return Work(self.cluster_id, self.model_id)


@dataclass(frozen=True, slots=True)
class Batch:
    """Payments that go to the chain in one call of `target`. `root` is of the receipts that say
    what was used, once that is known.
    """

    id: int
    kind: SettlementKind
    target: Address
    calldata: bytes
    cluster_id: ClusterId | None
    state: BatchState
    entries: tuple[int, ...] = ()
    root: Digest | None = None
    model_id: Digest = NO_MODEL

    @property
    def work(self) -> Work:
        """What it pays for. For a cluster of this gateway only."""
        assert self.cluster_id is not None
        return Work(self.cluster_id, self.model_id)

    @property
    def purpose(self) -> str:
        """Of its transactions."""
        does = "allocate" if self.state is BatchState.ALLOCATING else "settle"
        return f"{does}/{self.id}"


class ExactPaymentStore:
    """The payments of one gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, taken: TakenPayment) -> bool:
        """Keep a payment durably; whether its payer and nonce were not known before, or only as of
        one that failed and that somebody else has brought since.
        """
        one = taken.authorization
        adding = insert_once(exact_payments).values(
            payer=address_bytes(one.payer),
            nonce=one.nonce,
            pay_to=address_bytes(one.to),
            value_usd6=one.value,
            valid_after=one.valid_after,
            valid_before=one.valid_before,
            signature=taken.payment.signature,
            cluster_id=taken.cluster_id,
            model_id=taken.model_id,
            from_block=taken.from_block,
            taken_at_ms=taken.taken_at_ms,
            state=taken.state,
            tx_hash=taken.tx_hash,
        )
        if taken.state is PaymentState.FRONTED:
            # While its batch is open, it has a place there.
            is_closed = (
                select(exact_batches.c.id)
                .where(
                    exact_batches.c.id == exact_payments.c.batch_id,
                    exact_batches.c.state == BatchState.CLOSED,
                )
                .exists()
            )
            anew = ("model_id", "from_block", "taken_at_ms", "state", "tx_hash")
            no_more = ("kind", "used_usd6", "receipt_hash", "batch_id", "place", "reason")
            adding = adding.on_conflict_do_update(
                index_elements=[exact_payments.c.payer, exact_payments.c.nonce],
                set_={name: adding.excluded[name] for name in anew} | dict.fromkeys(no_more),
                where=and_(exact_payments.c.state == PaymentState.FAILED, is_closed),
            )
        else:
            adding = adding.on_conflict_do_nothing()
        async with self._database.writing() as connection:
            added = await connection.scalar(adding.returning(exact_payments.c.from_block))
        return added is not None

    async def forget(self, one: Authorization) -> None:
        """Forget a payment for which nothing was served; it can be brought again."""
        async with self._database.writing() as connection:
            await connection.execute(delete(exact_payments).where(_key(one), _UNORDERED))

    async def order(
        self,
        one: Authorization,
        kind: SettlementKind,
        used_usd6: int | None = None,
        receipt_hash: Digest | None = None,
        *,
        model_id: Digest = NO_MODEL,
    ) -> None:
        """Have a payment that was taken settled, unless it is paid. What was ordered before stays
        as it is.
        """
        is_taken = exact_payments.c.state == PaymentState.TAKEN
        async with self._database.writing() as connection:
            await connection.execute(
                update(exact_payments)
                .where(_key(one), _UNORDERED)
                .values(
                    state=case((is_taken, PaymentState.DUE), else_=exact_payments.c.state),
                    kind=kind,
                    model_id=model_id,
                    used_usd6=used_usd6,
                    receipt_hash=receipt_hash,
                )
            )

    async def note_use(self, one: Authorization, used_usd6: int, receipt_hash: Digest) -> None:
        """Say what was used of a payment that was settled ahead, once."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(exact_payments)
                .where(_key(one), exact_payments.c.used_usd6.is_(None))
                .values(used_usd6=used_usd6, receipt_hash=receipt_hash)
            )

    async def find(self, payer: Address, nonce: Digest) -> TakenPayment | None:
        """What is known of a payment."""
        found = await self._payments(
            and_(exact_payments.c.payer == address_bytes(payer), exact_payments.c.nonce == nonce)
        )
        return found[0] if found else None

    async def by_receipt(self, receipt_hash: Digest) -> TakenPayment | None:
        """The payment that this receipt says the use of."""
        found = await self._payments(exact_payments.c.receipt_hash == receipt_hash)
        return found[0] if found else None

    async def unfinished(self) -> list[TakenPayment]:
        """Payments that were not ordered, or ahead of their use, which nobody has said yet."""
        is_unused = and_(
            exact_payments.c.kind == SettlementKind.AHEAD,
            exact_payments.c.used_usd6.is_(None),
            exact_payments.c.state != PaymentState.FAILED,
        )
        return await self._payments(or_(_UNORDERED, is_unused))

    async def unsettled(self, payer: Address) -> list[TakenPayment]:
        """A payer's payments that are not at their end."""
        return await self._payments(
            exact_payments.c.payer == address_bytes(payer),
            exact_payments.c.state.in_(_UNSETTLED),
        )

    async def failed(self, payer: Address, since_ms: int) -> list[TakenPayment]:
        """A payer's payments that were taken since and failed."""
        return await self._payments(
            exact_payments.c.payer == address_bytes(payer),
            exact_payments.c.state == PaymentState.FAILED,
            exact_payments.c.taken_at_ms >= since_ms,
        )

    async def batch(self, batch_id: int) -> Batch | None:
        """A batch by its number."""
        found = await self._batches(exact_batches.c.id == batch_id)
        return found[0] if found else None

    async def due(self, limit: int) -> list[TakenPayment]:
        """Payments of one kind, cluster and model that can go together, those that wait longest; of
        other servers' only if there are none for a cluster of this gateway.
        """
        waiting = await self._payments(exact_payments.c.state == PaymentState.DUE)
        waiting.sort(key=lambda one: one.kind is SettlementKind.PLAIN)
        together = [one for one in waiting if _group(one) == _group(waiting[0])]
        return together[:limit]

    async def form(
        self,
        payments: Sequence[TakenPayment],
        target: Address,
        calldata: bytes,
        root: Digest | None,
        formed_at_ms: int,
    ) -> None:
        """Put payments that are due into a batch, in this order."""
        first = payments[0]
        async with self._database.writing() as connection:
            batch_id = await connection.scalar(
                insert(exact_batches)
                .values(
                    kind=first.kind,
                    target=address_bytes(target),
                    calldata=calldata,
                    cluster_id=first.cluster_id,
                    model_id=first.model_id,
                    root=root,
                    formed_at_ms=formed_at_ms,
                    state=BatchState.SETTLING,
                )
                .returning(exact_batches.c.id)
            )
            for place, one in enumerate(payments):
                await connection.execute(
                    update(exact_payments)
                    .where(_key(one.authorization))
                    .values(state=PaymentState.SETTLING, batch_id=batch_id, place=place)
                )

    async def open_batches(self) -> list[Batch]:
        """Those that are on their way, the oldest first."""
        on_its_way = (BatchState.SETTLING, BatchState.ALLOCATING)
        return await self._batches(exact_batches.c.state.in_(on_its_way))

    async def used_batches(self) -> list[Batch]:
        """Settled ahead, and of each payment that came in it is known what was used."""
        open_ = (
            select(exact_payments.c.nonce)
            .where(
                exact_payments.c.batch_id == exact_batches.c.id,
                exact_payments.c.state == PaymentState.SETTLED,
                exact_payments.c.used_usd6.is_(None),
            )
            .exists()
        )
        return await self._batches(exact_batches.c.state == BatchState.WAITING, ~open_)

    async def of_batch(self, batch_id: int) -> list[TakenPayment]:
        """The payments of a batch in their order."""
        found = await self._payments(exact_payments.c.batch_id == batch_id)
        return sorted(found, key=lambda one: one.place or 0)

    async def settle(
        self,
        one: Authorization,
        state: PaymentState,
        *,
        tx_hash: Digest | None = None,
        reason: str | None = None,
    ) -> None:
        """Note what became of a payment."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(exact_payments)
                .where(_key(one))
                .values(state=state, tx_hash=tx_hash, reason=reason)
            )

    async def move(
        self,
        batch: Batch,
        state: BatchState,
        *,
        entries: Sequence[int] = (),
        calldata: bytes | None = None,
        root: Digest | None = None,
    ) -> None:
        """Note how far a batch has come, and what is called or was settled by that."""
        values: dict[str, Any] = {"state": state}
        if entries:
            values["entries"] = b"".join(word.to_bytes(_WORD, "big") for word in entries)
        if calldata is not None:
            values |= {"calldata": calldata, "root": root}
        async with self._database.writing() as connection:
            await connection.execute(
                update(exact_batches).where(exact_batches.c.id == batch.id).values(values)
            )

    async def _payments(self, *conditions: ColumnElement[bool]) -> list[TakenPayment]:
        query = select(exact_payments).where(*conditions).order_by(exact_payments.c.taken_at_ms)
        async with self._database.reading() as connection:
            return [_payment(row) for row in await connection.execute(query)]

    async def _batches(self, *conditions: ColumnElement[bool]) -> list[Batch]:
        query = select(exact_batches).where(*conditions).order_by(exact_batches.c.id)
        async with self._database.reading() as connection:
            return [_batch(row) for row in await connection.execute(query)]


def _key(one: Authorization) -> ColumnElement[bool]:
    return and_(
        exact_payments.c.payer == address_bytes(one.payer), exact_payments.c.nonce == one.nonce
    )


def _group(one: TakenPayment) -> tuple[SettlementKind | None, ClusterId | None, Digest]:
    return one.kind, one.cluster_id, one.model_id


def _payment(row: Row[*tuple[Any, ...]]) -> TakenPayment:
    authorization = Authorization(
        to_address(row.payer),
        to_address(row.pay_to),
        row.value_usd6,
        row.valid_after,
        row.valid_before,
        Digest(row.nonce),
    )
    return TakenPayment(
        ExactPayment(authorization, row.signature),
        None if row.cluster_id is None else ClusterId(row.cluster_id),
        row.from_block,
        row.taken_at_ms,
        PaymentState(row.state),
        None if row.kind is None else SettlementKind(row.kind),
        row.used_usd6,
        None if row.receipt_hash is None else Digest(row.receipt_hash),
        row.batch_id,
        row.place,
        row.reason,
        None if row.tx_hash is None else Digest(row.tx_hash),
        Digest(row.model_id),
    )


def _batch(row: Row[*tuple[Any, ...]]) -> Batch:
    packed = row.entries or b""
    return Batch(
        row.id,
        SettlementKind(row.kind),
        to_address(row.target),
        row.calldata,
        None if row.cluster_id is None else ClusterId(row.cluster_id),
        BatchState(row.state),
        tuple(
            int.from_bytes(packed[at : at + _WORD], "big") for at in range(0, len(packed), _WORD)
        ),
        None if row.root is None else Digest(row.root),
        Digest(row.model_id),
    )
