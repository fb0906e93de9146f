"""What a gateway gives back of payments that somebody else has brought. Writer: refunding.

A debt is no row of its own: it is what was not used of a payment that was fronted, until there is a
refund of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, update
from sqlalchemy.sql.functions import coalesce

from api.domain.codec import address_bytes, to_address
from api.store.database import Database
from api.store.exact_payments import PaymentState
from api.store.tables import exact_payments, exact_refunds
from api.types import Address, Digest

_UNUSED: Final = exact_payments.c.value_usd6 - exact_payments.c.used_usd6

_IS_OWED: Final = and_(
    exact_payments.c.state == PaymentState.FRONTED,
    _UNUSED > 0,
    ~select(exact_refunds.c.id)
    .where(
        exact_refunds.c.payer == exact_payments.c.payer,
        exact_refunds.c.nonce == exact_payments.c.nonce,
    )
    .exists(),
)


@dataclass(frozen=True, slots=True)
class Debt:
    """What was not used of a payment, in 10⁻⁶ dollars, and the receipt that says so. Nothing of it
    was given back before `from_block`, at which the payment was taken.
    """

    payer: Address
    nonce: Digest
    receipt_hash: Digest
    amount_usd6: int
    from_block: int


@dataclass(frozen=True, slots=True)
class Refund:
    """A debt that is being paid by this call; `tx_hash` once it was, for good. It was not before
    `from_block`.
    """

    id: int
    payer: Address
    receipt_hash: Digest
    amount_usd6: int
    calldata: bytes
    from_block: int
    tx_hash: Digest | None

    @property
    def purpose(self) -> str:
        """Of its transactions."""
        return f"refund/{self.id}"


class RefundStore:
    """The refunds of one gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owed(self) -> Debt | None:
        """The smallest debt: one that is too large for now holds up no other."""
        query = (
            select(exact_payments)
            .where(_IS_OWED)
            .order_by(_UNUSED, exact_payments.c.taken_at_ms)
            .limit(1)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Debt(
            to_address(row.payer),
            Digest(row.nonce),
            Digest(row.receipt_hash),
            row.value_usd6 - row.used_usd6,
            row.from_block,
        )

    async def owed_usd6(self) -> int:
        """All that is not paid for good."""
        async with self._database.reading() as connection:
            waiting = await connection.scalar(
                select(coalesce(func.sum(_UNUSED), 0)).where(_IS_OWED)
            )
            moving = await connection.scalar(
                select(coalesce(func.sum(exact_refunds.c.amount_usd6), 0)).where(
                    exact_refunds.c.tx_hash.is_(None)
                )
            )
        return int(waiting or 0) + int(moving or 0)

    async def formed_since_usd6(self, at_ms: int) -> int:
        """All that was to be given back since then."""
        query = select(coalesce(func.sum(exact_refunds.c.amount_usd6), 0)).where(
            exact_refunds.c.formed_at_ms > at_ms
        )
        async with self._database.reading() as connection:
            given = await connection.scalar(query)
        return int(given or 0)

    async def form(self, debt: Debt, calldata: bytes, from_block: int, at_ms: int) -> None:
        """Keep a refund durably, before it is sent."""
        async with self._database.writing() as connection:
            await connection.execute(
                insert(exact_refunds).values(
                    payer=address_bytes(debt.payer),
                    nonce=debt.nonce,
                    receipt_hash=debt.receipt_hash,
                    amount_usd6=debt.amount_usd6,
                    calldata=calldata,
                    from_block=from_block,
                    formed_at_ms=at_ms,
                )
            )

    async def open(self) -> Refund | None:
        """The oldest that is not paid for good."""
        found = await self._refunds(exact_refunds.c.tx_hash.is_(None))
        return found[0] if found else None

    async def close(self, refund: Refund, tx_hash: Digest) -> None:
        """Note by which transaction it was paid."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(exact_refunds).where(exact_refunds.c.id == refund.id).values(tx_hash=tx_hash)
            )

    async def of(self, payer: Address, nonce: Digest) -> Refund | None:
        """The refund of a payment."""
        found = await self._refunds(
            and_(exact_refunds.c.payer == address_bytes(payer), exact_refunds.c.nonce == nonce)
        )
        return found[0] if found else None

    async def _refunds(self, condition: ColumnElement[bool]) -> list[Refund]:
        query = select(exact_refunds).where(condition).order_by(exact_refunds.c.id)
        async with self._database.reading() as connection:
            return [_refund(row) for row in await connection.execute(query)]


def _refund(row: Row[*tuple[Any, ...]]) -> Refund:
    return Refund(
        row.id,
        to_address(row.payer),
        Digest(row.receipt_hash),
        row.amount_usd6,
        row.calldata,
        row.from_block,
        None if row.tx_hash is None else Digest(row.tx_hash),
    )
