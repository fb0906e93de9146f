"""Batches of vouchers on their way to the chain, and what came in. Writer: collecting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, text, update

from api.domain.codec import address_bytes, to_address
from api.domain.work import Work
from api.store.database import Database
from api.store.tables import channels, charges, collected, collections, receipts
from api.types import Address, ClusterId, Digest, Signature

Place = tuple[Address, Address, Work]
"""A payer, its key, and what was done for them."""


@dataclass(frozen=True, slots=True)
class Due:
    """What of a channel was charged for a work and has not come in, in 10⁻⁶ dollars; with the
    channel's largest voucher, and all that was spent there.
    """

    payer: Address
    key: Address
    work: Work
    due_usd6: int
    promised_usd6: int
    spent_usd6: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class Leaf:
    """A receipt that says why something is due."""

    id: bytes
    payer: Address
    key: Address
    hash: Digest


@dataclass(frozen=True, slots=True)
class Collection:
    """A batch. `calldata` is the call of `collect`; `content` says the same to be read. What it
    brought is None until that is as deep in the chain as it has to be.
    """

    id: int
    root: Digest
    calldata: bytes
    content: bytes
    formed_at_ms: int
    collected_usd6: int | None = None
    tx_hash: Digest | None = None
    block_number: int | None = None


class CollectionStore:
    """The collections of one gateway: one at a time is not at its end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, limit: int) -> tuple[list[Due], list[Leaf]]:
        """What is due of up to `limit` channels, those that owe most first; and these channels'
        closed receipts that no collection has. Both as of one moment.
        """
        async with self._database.snapshot() as connection:
            dues = [_due(row) for row in await connection.execute(_dues(limit))]
            channels_ = list({(due.payer, due.key): None for due in dues})
            rows = await connection.execute(
                text(
                    "select id, payer, key, hash from receipts"
                    " where collection_id is null and not is_open"
                    " and (payer, key) in (select * from unnest(cast(:payers as bytea[]),"
                    " cast(:keys as bytea[]))) order by position"
                ),
                _pairs(channels_),
            )
            return dues, [
                Leaf(row.id, to_address(row.payer), to_address(row.key), Digest(row.hash))
                for row in rows
            ]

    async def form(
        self,
        root: Digest,
        calldata: bytes,
        content: bytes,
        receipt_ids: Sequence[bytes],
        formed_at_ms: int,
    ) -> Collection:
        """Keep a batch before it is sent, with the receipts that are behind it."""
        async with self._database.writing() as connection:
            row = (
                await connection.execute(
                    insert(collections)
                    .values(
                        root=root, calldata=calldata, content=content, formed_at_ms=formed_at_ms
                    )
                    .returning(collections)
                )
            ).one()
            await connection.execute(
                text(
                    "update receipts set collection_id = :id where collection_id is null"
                    " and id = any(cast(:ids as bytea[]))"
                ),
                {"id": row.id, "ids": list(receipt_ids)},
            )
        return _collection(row)

    async def open(self) -> Collection | None:
        """The one that is on its way."""
        query = select(collections).where(collections.c.collected_usd6.is_(None))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _collection(row)

    async def last(self) -> Collection | None:
        """The newest that was collected."""
        query = (
            select(collections)
            .where(collections.c.tx_hash.is_not(None))
            .order_by(collections.c.id.desc())
            .limit(1)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _collection(row)

    async def settle(
        self,
        collection: Collection,
        brought: Mapping[Place, int],
        tx_hash: Digest,
        block_number: int,
    ) -> None:
        """Note what it brought, in 10⁻⁶ dollars, and by which transaction."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(collections)
                .where(collections.c.id == collection.id)
                .values(
                    collected_usd6=sum(brought.values()),
                    tx_hash=tx_hash,
                    block_number=block_number,
                )
            )
            if brought:
                await connection.execute(
                    text(
                        "insert into collected (payer, key, cluster_id, model_id, collected_usd6)"
                        " select * from unnest(cast(:payers as bytea[]), cast(:keys as bytea[]),"
                        " cast(:clusters as bigint[]), cast(:models as bytea[]),"
                        " cast(:amounts as bigint[]))"
                        " on conflict (payer, key, cluster_id, model_id) do update set"
                        " collected_usd6 = collected.collected_usd6 + excluded.collected_usd6"
                    ),
                    {
                        **_pairs([(payer, key) for payer, key, _ in brought]),
                        "clusters": [int(work.cluster_id) for _, _, work in brought],
                        "models": [work.model_id for _, _, work in brought],
                        "amounts": list(brought.values()),
                    },
                )

    async def give_up(self, collection: Collection) -> None:
        """It will never be collected: its receipts wait for another one."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(receipts)
                .where(receipts.c.collection_id == collection.id)
                .values(collection_id=None)
            )
            await connection.execute(
                update(collections)
                .where(collections.c.id == collection.id)
                .values(collected_usd6=0)
            )

    async def of(self, collection_id: int) -> tuple[Collection, list[Digest]] | None:
        """A collection with the leaves of its tree."""
        async with self._database.reading() as connection:
            row = (
                await connection.execute(
                    select(collections).where(collections.c.id == collection_id)
                )
            ).one_or_none()
            if row is None:
                return None
            hashes = await connection.execute(
                select(receipts.c.hash).where(receipts.c.collection_id == collection_id)
            )
            return _collection(row), [Digest(one.hash) for one in hashes]


def _dues(limit: int) -> Select[Any]:
    due = charges.c.charged_usd6 - func.coalesce(collected.c.collected_usd6, 0)
    places = (
        select(
            charges.c.payer,
            charges.c.key,
            charges.c.cluster_id,
            charges.c.model_id,
            due.label("due_usd6"),
            func.sum(due).over(partition_by=(charges.c.payer, charges.c.key)).label("all_due"),
        )
        .outerjoin(
            collected,
            (charges.c.payer == collected.c.payer)
            & (charges.c.key == collected.c.key)
            & (charges.c.cluster_id == collected.c.cluster_id)
            & (charges.c.model_id == collected.c.model_id),
        )
        .where(due > 0)
        .subquery()
    )
    ranked = select(
        places,
        func.dense_rank()
        .over(order_by=(places.c.all_due.desc(), places.c.payer, places.c.key))
        .label("rank"),
    ).subquery()
    return (
        select(ranked, channels.c.promised_usd6, channels.c.spent_usd6, channels.c.signature)
        .join(channels, (channels.c.payer == ranked.c.payer) & (channels.c.key == ranked.c.key))
        .where(ranked.c.rank <= limit, channels.c.signature.is_not(None))
        # What is owed no royalty comes last: where money is short, a batch so has the models of all
        # receipts behind it that it pays for.
        .order_by(ranked.c.rank, ranked.c.cluster_id, ranked.c.model_id.desc())
    )


def _due(row: Row[*tuple[Any, ...]]) -> Due:
    return Due(
        to_address(row.payer),
        to_address(row.key),
        Work(ClusterId(row.cluster_id), Digest(row.model_id)),
        int(row.due_usd6),
        row.promised_usd6,
        row.spent_usd6,
        Signature(row.signature),
    )


def _pairs(pairs: Sequence[tuple[Address, Address]]) -> dict[str, list[Any]]:
    return {
        "payers": [address_bytes(payer) for payer, _ in pairs],
        "keys": [address_bytes(key) for _, key in pairs],
    }


def _collection(row: Row[*tuple[Any, ...]]) -> Collection:
    return Collection(
        row.id,
        Digest(row.root),
        row.calldata,
        row.content,
        row.formed_at_ms,
        row.collected_usd6,
        None if row.tx_hash is None else Digest(row.tx_hash),
        row.block_number,
    )
