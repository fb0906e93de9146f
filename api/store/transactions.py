"""The outbox of transactions, and what became of agreed reports. Writer: transmit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.store.database import Database
from api.store.tables import settlements, transactions
from api.types import Digest


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
    """A signed transaction. Fees are in wei per gas; the block is None while it is not mined."""

    reporter_set_id: int
    root: Digest
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
                    reporter_set_id=transaction.reporter_set_id,
                    root=transaction.root,
                    nonce=transaction.nonce,
                    hash=transaction.hash,
                    raw=transaction.raw,
                    max_fee=transaction.max_fee,
                    max_priority_fee=transaction.max_priority_fee,
                    created_at_ms=transaction.created_at_ms,
                    state=transaction.state,
                )
            )

    async def of_report(self, reporter_set_id: int, root: Digest) -> list[StoredTransaction]:
        """The transactions that carry a report, oldest first."""
        query = (
            select(transactions)
            .where(transactions.c.reporter_set_id == reporter_set_id, transactions.c.root == root)
            .order_by(transactions.c.id)
        )
        async with self._database.reading() as connection:
            return [_transaction(row) for row in await connection.execute(query)]

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

    async def counts(self) -> dict[str, int]:
        """Number of transactions in each state that occurs."""
        query = select(transactions.c.state, func.count()).group_by(transactions.c.state)
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return {row[0]: row[1] for row in rows}


def _transaction(row: Row[*tuple[Any, ...]]) -> StoredTransaction:
    return StoredTransaction(
        row.reporter_set_id,
        Digest(row.root),
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
