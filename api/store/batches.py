"""Agents' batches: one row each, its samples inside as the agent signed them. Writer: ingest."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, Row, and_, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from api.domain.codec import address_bytes, to_address
from api.store.database import Database
from api.store.tables import batches
from api.types import Address, ClusterId, Digest

# Level 1 shrinks JSON samples about tenfold at 100 MB/s; higher levels gain little and cost much.
_COMPRESSION_LEVEL: Final = 1

MAX_SPAN_MS: Final = 48 * 3_600_000
"""Most time between the first and the last sample of a batch. It bounds what a query for a window
has to look at; whoever adds batches has to see to it."""

# How far before a window an agent's last batch is looked for, and after it the one that declares it
# complete. Beyond, nobody waits for it.
_NEAR_MS: Final = 4 * 3_600_000


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as it is kept. `first_at_ms` and `last_at_ms` are None where it has no samples."""

    id: Digest
    cluster_id: ClusterId
    agent: Address
    sequence: int
    through_ms: int
    first_at_ms: int | None
    last_at_ms: int | None
    sample_count: int
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an agent has come: its batches to `sequence`, its samples to `through_ms`."""

    sequence: int
    through_ms: int


_RECORD: Final = (
    batches.c.id,
    batches.c.cluster_id,
    batches.c.agent,
    batches.c.sequence,
    batches.c.through_ms,
    batches.c.first_at_ms,
    batches.c.last_at_ms,
    batches.c.sample_count,
    batches.c.received_at_ms,
)


class BatchStore:
    """Every batch that was accepted, for ever."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: BatchRecord, body: bytes) -> BatchRecord:
        """Keep a batch durably. Returns what is kept under its id: `record`, or the earlier one.

        Two batches with one sequence number can be kept: an agent that signed both sent one to some
        reporters and the other to others, who then need both to compute the same.
        """
        values = {
            "id": record.id,
            "cluster_id": record.cluster_id,
            "agent": address_bytes(record.agent),
            "sequence": record.sequence,
            "through_ms": record.through_ms,
            "first_at_ms": record.first_at_ms,
            "last_at_ms": record.last_at_ms,
            "sample_count": record.sample_count,
            "received_at_ms": record.received_at_ms,
            "body": zlib.compress(body, _COMPRESSION_LEVEL),
        }
        async with self._database.writing() as connection:
            added = await connection.scalar(
                insert(batches).values(values).on_conflict_do_nothing().returning(batches.c.id)
            )
            if added is not None:
                return record
            row = (
                await connection.execute(select(*_RECORD).where(batches.c.id == record.id))
            ).one()
            return _record(row)

    async def up_to_sequence(
        self, cluster_id: ClusterId, agent: Address, sequence: int, limit: int
    ) -> list[BatchRecord]:
        """The last `limit` batches of an agent up to and with `sequence`, newest sequence first.

        One sequence can be there more than once; see `add`.
        """
        query = (
            select(*_RECORD)
            .where(
                batches.c.cluster_id == cluster_id,
                batches.c.agent == address_bytes(agent),
                batches.c.sequence <= sequence,
            )
            .order_by(batches.c.sequence.desc(), batches.c.position)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(query)]

    async def bodies(self, ids: Collection[Digest]) -> dict[Digest, bytes]:
        """The signed JSON of those of the batches that are kept."""
        if not ids:
            return {}
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(batches.c.id, batches.c.body).where(_is_among(ids))
            )
            return {Digest(row.id): zlib.decompress(row.body) for row in rows}

    async def records(self, ids: Collection[Digest]) -> dict[Digest, BatchRecord]:
        """Those of the batches that are kept."""
        if not ids:
            return {}
        async with self._database.reading() as connection:
            rows = await connection.execute(select(*_RECORD).where(_is_among(ids)))
            return {Digest(row.id): _record(row) for row in rows}

    async def with_samples(
        self, clusters: Collection[ClusterId], from_ms: int, until_ms: int
    ) -> list[BatchRecord]:
        """The clusters' batches that may hold samples at [from_ms, until_ms), in the order of their
        arrival."""
        return await self._many(clusters, _overlaps(from_ms, until_ms))

    async def of_window(
        self, clusters: Collection[ClusterId], from_ms: int, until_ms: int
    ) -> list[BatchRecord]:
        """What a proposal for a window rests on, in the order of arrival.

        These are the clusters' batches that may hold samples at [from_ms, until_ms), and of each
        agent the first batch for a cluster that declares the window complete.
        """
        closing = (
            select(
                batches.c.cluster_id,
                batches.c.agent,
                func.min(batches.c.sequence).label("sequence"),
            )
            .where(
                batches.c.cluster_id.in_(clusters),
                batches.c.through_ms >= until_ms,
                batches.c.through_ms < until_ms + _NEAR_MS,
            )
            .group_by(batches.c.cluster_id, batches.c.agent)
            .subquery()
        )
        is_closing = (
            select(closing.c.agent)
            .where(
                closing.c.cluster_id == batches.c.cluster_id,
                closing.c.agent == batches.c.agent,
                closing.c.sequence == batches.c.sequence,
            )
            .exists()
        )
        return await self._many(clusters, or_(_overlaps(from_ms, until_ms), is_closing))

    async def progress(self, cluster_id: ClusterId, from_ms: int) -> dict[Address, Progress]:
        """How far each agent has come, counting from its last batch that ends before `from_ms`.

        Counting stops at the first missing sequence: batches may arrive out of order, and what is
        declared complete is complete only with all before it. An agent that was silent for hours
        counts from its next batch; one of which nothing is kept is not in the answer.
        """
        agent, sequence, through = batches.c.agent, batches.c.sequence, batches.c.through_ms
        earlier = (
            select(agent, func.max(sequence).label("sequence"))
            .where(
                batches.c.cluster_id == cluster_id,
                through < from_ms,
                through >= from_ms - _NEAR_MS,
            )
            .group_by(agent)
            .subquery()
        )
        query = (
            select(agent, sequence, through)
            .outerjoin(earlier, earlier.c.agent == agent)
            .where(
                batches.c.cluster_id == cluster_id,
                through >= from_ms - _NEAR_MS,
                or_(through >= from_ms, sequence == earlier.c.sequence),
                or_(earlier.c.sequence.is_(None), sequence >= earlier.c.sequence),
            )
            .order_by(agent, sequence)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return _without_gaps((to_address(row[0]), row[1], row[2]) for row in rows)

    async def declared(
        self, clusters: Collection[ClusterId], at_ms: int
    ) -> frozenset[tuple[ClusterId, Address]]:
        """The agents that have declared to have sent all up to `at_ms`, gaps or not, each with the
        cluster for which it has."""
        query = (
            select(batches.c.cluster_id, batches.c.agent)
            .where(
                batches.c.cluster_id.in_(clusters),
                batches.c.through_ms >= at_ms,
                batches.c.through_ms < at_ms + _NEAR_MS,
            )
            .distinct()
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return frozenset((ClusterId(row[0]), to_address(row[1])) for row in rows)

    async def _many(
        self, clusters: Collection[ClusterId], condition: ColumnElement[bool]
    ) -> list[BatchRecord]:
        query = (
            select(*_RECORD)
            .where(batches.c.cluster_id.in_(clusters), condition)
            .order_by(batches.c.position)
        )
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(query)]


def _is_among(ids: Collection[Digest]) -> ColumnElement[bool]:
    # One parameter however many there are: the protocol has room for 65,535.
    return batches.c.id == any_(literal(list(ids), ARRAY(LargeBinary)))


def _overlaps(from_ms: int, until_ms: int) -> ColumnElement[bool]:
    return and_(
        batches.c.last_at_ms >= from_ms,
        batches.c.last_at_ms < until_ms + MAX_SPAN_MS,
        batches.c.first_at_ms < until_ms,
    )


def _without_gaps(rows: Iterable[tuple[Address, int, int]]) -> dict[Address, Progress]:
    """Rows come by agent and sequence; of each agent the part before the first gap counts."""
    reached: dict[Address, Progress] = {}
    stopped: set[Address] = set()
    for agent, sequence, through_ms in rows:
        last = reached.get(agent)
        if agent in stopped:
            continue
        if last is None:
            reached[agent] = Progress(sequence, through_ms)
        elif sequence <= last.sequence + 1:
            reached[agent] = Progress(sequence, max(through_ms, last.through_ms))
        else:
            stopped.add(agent)
    return reached


def _record(row: Row[*tuple[Any, ...]]) -> BatchRecord:
    return BatchRecord(
        Digest(row.id),
        ClusterId(row.cluster_id),
        to_address(row.agent),
        row.sequence,
        row.through_ms,
        row.first_at_ms,
        row.last_at_ms,
        row.sample_count,
        row.received_at_ms,
    )
