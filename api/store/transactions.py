"""The outbox of transactions, and what became of agreed reports. Writers: sending, transmit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from api.domain.codec import address_bytes, to_address
from api.store.database import Database
from api.store.tables import settlements, transactions
from api.types import Address, Digest


class TransactionState(StrEnum):
    """What is known of a stored transaction.

    PENDING: it may be on its way. MINED: it was seen in a block, which may yet be taken back.
    REVERTED: it was mined and refused. DISPLACED: its nonce was used by another transaction.
    """

    PENDING = "pending"
    MINED = "mined"
    REVERTED = "reverted"
    DISPLACED = "displaced"


class Outcome(StrEnum):
    """What became of an agreed report: it is final on chain, or another one took its place."""

    ON_CHAIN = "on_chain"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A transaction that `sender` signed. Fees are in wei per gas; the block is None while it is
    not mined.

    `purpose` is the same for every try at the same thing: `report/<reporter set>/<root>` or
    `finalize/<cluster>/<oldest epoch>`.
    """

    purpose: str
    sender: Address
    nonce: int
    hash: Digest
    raw: bytes
    max_fee: int
    max_priority_fee: int
    created_at_ms: int
    state: TransactionState = TransactionState.PENDING
    block_number: int | None = None
    block_hash: Digest | None = None


class TransactionStore:
    """What was signed stays: a transaction that was sent once can be mined at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, transaction: StoredTransaction) -> None:
        """Keep a transaction durably, before it is sent."""
        async with self._database.writing() as connection:
            await connection.execute(
                insert(transactions).values(
                    purpose=transaction.purpose,
                    sender=address_bytes(transaction.sender),
                    nonce=transaction.nonce,
                    hash=transaction.hash,
                    raw=transaction.raw,
                    max_fee=transaction.max_fee,
                    max_priority_fee=transaction.max_priority_fee,
                    created_at_ms=transaction.created_at_ms,
                    state=transaction.state,
                )
            )

    async def of(self, purpose: str) -> list[StoredTransaction]:
        """The transactions for one purpose, oldest first."""
        return await self._all(transactions.c.purpose == purpose)

    async def pending(self) -> list[StoredTransaction]:
        """The transactions of which it is not known what became, oldest first."""
        return await self._all(transactions.c.state == TransactionState.PENDING)

    async def newest_with(self, sender: Address, nonce: int) -> StoredTransaction | None:
        """The last one that `sender` signed with a nonce, which pays most."""
        found = await self._all(
            and_(transactions.c.sender == address_bytes(sender), transactions.c.nonce == nonce)
        )
        return found[-1] if found else None

    async def update(
        self,
        tx_hash: Digest,
        state: TransactionState,
        *,
        block_number: int | None = None,
        block_hash: Digest | None = None,
    ) -> None:
        """Record what became of a transaction."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(transactions)
                .where(transactions.c.hash == tx_hash)
                .values(state=state, block_number=block_number, block_hash=block_hash)
            )

    async def settle(
        self, reporter_set_id: int, root: Digest, outcome: Outcome, at_ms: int
    ) -> None:
        """Record what became of an agreed report; the first word stands."""
        async with self._database.writing() as connection:
            await connection.execute(
                insert(settlements)
                .values(
                    reporter_set_id=reporter_set_id,
                    root=root,
                    outcome=outcome,
                    settled_at_ms=at_ms,
                )
                .on_conflict_do_nothing()
            )

    async def reopen(self, reporter_set_id: int, root: Digest) -> None:
        """Take back what was recorded by `settle`: the chain took back the report."""
        async with self._database.writing() as connection:
            await connection.execute(
                delete(settlements).where(
                    settlements.c.reporter_set_id == reporter_set_id, settlements.c.root == root
                )
            )

    async def _all(self, condition: ColumnElement[bool]) -> list[StoredTransaction]:
        query = select(transactions).where(condition).order_by(transactions.c.id)
        async with self._database.reading() as connection:
            return [_transaction(row) for row in await connection.execute(query)]


def _transaction(row: Row[*tuple[Any, ...]]) -> StoredTransaction:
    return StoredTransaction(
        row.purpose,
        to_address(row.sender),
        row.nonce,
        Digest(row.hash),
        row.raw,
        row.max_fee,
        row.max_priority_fee,
        row.created_at_ms,
        TransactionState(row.state),
        row.block_number,
        None if row.block_hash is None else Digest(row.block_hash),
    )
