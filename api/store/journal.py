"""What a gateway has served and charged: channels, charges, receipts. Writer: journal.

A batch of entries is one statement, which is a transaction, however many requests it is for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, select, text

from api.domain.codec import address_bytes, to_address
from api.domain.receipts import NOBODY
from api.domain.work import Work
from api.store.database import Database
from api.store.tables import channels, receipts
from api.types import Address, ClusterId, Digest, Signature


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """One key of a payer. In 10⁻⁶ dollars; `signature` is None where the gateway signs itself."""

    payer: Address
    key: Address
    promised_usd6: int
    signature: Signature | None = field(repr=False)
    spent_usd6: int


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt with its leaf and the gateway's signature; an open one may still grow."""

    id: bytes
    payer: Address
    key: Address
    work: Work
    charge_usd6: int
    served_at: int
    content: bytes
    hash: Digest
    signature: Signature
    is_open: bool
    collection_id: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be noted before anything more of an answer is given. A receipt counts among the
    charges of its work once it is closed. One whose key is NOBODY is settled by itself: it
    touches no channel and no charges.

    Attributes:
        promised_usd6, signature: The largest voucher of the channel.
        added_usd6: What is charged more than was noted before for this receipt.
        receipt: As it is with that; in place of an earlier one with its id.
    """

    promised_usd6: int
    signature: Signature | None = field(repr=False)
    added_usd6: int
    receipt: StoredReceipt


# Everything that a batch notes. A closed receipt stays as it is, however often it is closed, and so
# does one that is another's; it counts once among the charges.
_NOTE: Final = (
    "with promised as (insert into channels (payer, key, promised_usd6, signature, spent_usd6)"
    " select * from unnest(%(channel_payers)b::bytea[], %(channel_keys)b::bytea[],"
    " %(promised)b::bigint[], %(vouchers)b::bytea[], %(spent)b::bigint[])"
    " on conflict (payer, key) do update set"
    " signature = case when excluded.promised_usd6 > channels.promised_usd6"
    " then excluded.signature else channels.signature end,"
    " promised_usd6 = greatest(channels.promised_usd6, excluded.promised_usd6),"
    " spent_usd6 = channels.spent_usd6 + excluded.spent_usd6),"
    " noted as (insert into receipts (id, payer, key, cluster_id, model_id, charge_usd6, served_at,"
    " content, hash, signature, is_open)"
    " select * from unnest(%(ids)b::bytea[], %(payers)b::bytea[], %(keys)b::bytea[],"
    " %(clusters)b::bigint[], %(models)b::bytea[], %(charged)b::bigint[], %(served)b::bigint[],"
    " %(contents)b::bytea[], %(hashes)b::bytea[], %(signatures)b::bytea[], %(open)b::boolean[])"
    " on conflict (id) do update set charge_usd6 = excluded.charge_usd6,"
    " served_at = excluded.served_at, content = excluded.content, hash = excluded.hash,"
    " signature = excluded.signature, is_open = excluded.is_open where receipts.is_open"
    " and receipts.payer = excluded.payer and receipts.key = excluded.key"
    " returning payer, key, cluster_id, model_id, charge_usd6, is_open)"
    " insert into charges (payer, key, cluster_id, model_id, charged_usd6)"
    " select payer, key, cluster_id, model_id, sum(charge_usd6) from noted where not is_open"
    " and key <> %(nobody)b::bytea"
    " group by payer, key, cluster_id, model_id"
    " on conflict (payer, key, cluster_id, model_id) do update set"
    " charged_usd6 = charges.charged_usd6 + excluded.charged_usd6"
)

_NOBODY: Final = address_bytes(NOBODY)

# What an answer that was cut off is charged is what was noted of it.
_CLOSE: Final = text(
    "with closed as (update receipts set is_open = false"
    " where is_open and not id = any(cast(:live as bytea[]))"
    " returning payer, key, cluster_id, model_id, charge_usd6)"
    " insert into charges (payer, key, cluster_id, model_id, charged_usd6)"
    " select payer, key, cluster_id, model_id, sum(charge_usd6) from closed where key <> :nobody"
    " group by payer, key, cluster_id, model_id"
    " on conflict (payer, key, cluster_id, model_id) do update set"
    " charged_usd6 = charges.charged_usd6 + excluded.charged_usd6"
)


class JournalStore:
    """The charges of one gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, entries: Sequence[Entry]) -> None:
        """Note the entries, all or none. Raises StoreUnavailable: then it is not known which."""
        promised: dict[tuple[Address, Address], Entry] = {}
        spent: dict[tuple[Address, Address], int] = {}
        newest: dict[bytes, StoredReceipt] = {}
        for entry in entries:
            receipt = entry.receipt
            if receipt.key != NOBODY:
                channel = receipt.payer, receipt.key
                known = promised.get(channel)
                if known is None or entry.promised_usd6 >= known.promised_usd6:
                    promised[channel] = entry
                spent[channel] = spent.get(channel, 0) + entry.added_usd6
            before = newest.get(receipt.id)
            if before is None or before.is_open:
                newest[receipt.id] = receipt
        await self._database.commit(
            _NOTE,
            {
                "channel_payers": [address_bytes(payer) for payer, _ in promised],
                "channel_keys": [address_bytes(key) for _, key in promised],
                "promised": [entry.promised_usd6 for entry in promised.values()],
                "vouchers": [entry.signature for entry in promised.values()],
                "spent": [spent[channel] for channel in promised],
                **_columns(list(newest.values())),
                "nobody": _NOBODY,
            },
        )

    async def channel(self, payer: Address, key: Address) -> StoredChannel | None:
        """What is known of a channel; None if nothing is."""
        query = select(channels).where(
            channels.c.payer == address_bytes(payer), channels.c.key == address_bytes(key)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _channel(row)

    async def seen(self, payer: Address, key: Address, collected_usd6: int) -> None:
        """A channel of which so much was collected before this database knew of it."""
        async with self._database.writing() as connection:
            await connection.execute(
                text(
                    "insert into channels (payer, key, promised_usd6, spent_usd6)"
                    " values (:payer, :key, 0, :spent) on conflict (payer, key) do update"
                    " set spent_usd6 = greatest(channels.spent_usd6, excluded.spent_usd6)"
                ),
                {
                    "payer": address_bytes(payer),
                    "key": address_bytes(key),
                    "spent": collected_usd6,
                },
            )

    async def channels(
        self, places: Collection[tuple[Address, Address]]
    ) -> dict[tuple[Address, Address], StoredChannel]:
        """What is known of channels, once every transaction before has ended."""
        async with self._database.settled() as connection:
            rows = await connection.execute(
                text(
                    "select * from channels where (payer, key) in (select * from"
                    " unnest(cast(:payers as bytea[]), cast(:keys as bytea[])))"
                ),
                {
                    "payers": [address_bytes(payer) for payer, _ in places],
                    "keys": [address_bytes(key) for _, key in places],
                },
            )
            found = [_channel(row) for row in rows]
        return {(channel.payer, channel.key): channel for channel in found}

    async def close_open(self, live: Collection[bytes] = ()) -> None:
        """Close every open receipt but those of answers that are on their way."""
        async with self._database.settled() as connection:
            await connection.execute(_CLOSE, {"live": list(live), "nobody": _NOBODY})

    async def receipt(self, receipt_id: bytes) -> StoredReceipt | None:
        """A receipt by its id."""
        query = select(receipts).where(receipts.c.id == receipt_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else stored_receipt(row)


def _columns(rows: Sequence[StoredReceipt]) -> Mapping[str, list[Any]]:
    return {
        "ids": [row.id for row in rows],
        "payers": [address_bytes(row.payer) for row in rows],
        "keys": [address_bytes(row.key) for row in rows],
        "clusters": [int(row.work.cluster_id) for row in rows],
        "models": [row.work.model_id for row in rows],
        "charged": [row.charge_usd6 for row in rows],
        "served": [row.served_at for row in rows],
        "contents": [row.content for row in rows],
        "hashes": [row.hash for row in rows],
        "signatures": [row.signature for row in rows],
        "open": [row.is_open for row in rows],
    }


def _channel(row: Row[*tuple[Any, ...]]) -> StoredChannel:
    signature = None if row.signature is None else Signature(row.signature)
    return StoredChannel(
        to_address(row.payer), to_address(row.key), row.promised_usd6, signature, row.spent_usd6
    )


def stored_receipt(row: Row[*tuple[Any, ...]]) -> StoredReceipt:
    """A row of `receipts`."""
    return StoredReceipt(
        row.id,
        to_address(row.payer),
        to_address(row.key),
        Work(ClusterId(row.cluster_id), Digest(row.model_id)),
        row.charge_usd6,
        row.served_at,
        row.content,
        Digest(row.hash),
        Signature(row.signature),
        row.is_open,
        row.collection_id,
    )
