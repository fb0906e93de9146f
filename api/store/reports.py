"""Reports as they are on chain. Writer: follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from api.domain.codec import address_bytes, to_address
from api.store.agreements import pack_words, unpack_words
from api.store.database import Database
from api.store.tables import counted, cursor, proposals, reports
from api.types import Address, ClusterId, Digest, Epoch


@dataclass(frozen=True, slots=True)
class PostedReport:
    """A report that the contract accepted, and where. `round`, `figures` and `signatures` are None
    if it did not come by a plain call of `postReport`."""

    root: Digest
    epoch: Epoch
    reporter_set_id: int
    transmitter: Address
    round: int | None
    figures: tuple[int, ...] | None
    signatures: bytes | None
    final_at: int
    tx_hash: Digest
    block_number: int
    block_hash: Digest


@dataclass(frozen=True, slots=True)
class CountedEpoch:
    """The figures of an epoch of a cluster as they are counted, or will be, from the report with
    `root`. `is_held`: a dispute keeps them from being final.
    """

    cluster_id: ClusterId
    epoch: Epoch
    root: Digest
    figures: int
    is_final: bool
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class WaitingFigures:
    """The oldest epoch of a cluster that is not final yet, how many there are and how many of them
    disputes hold, and of the oldest one the Unix second from which it may count and whether it is
    held: nothing of the cluster becomes final then.
    """

    cluster_id: ClusterId
    epoch: Epoch
    count: int
    held_count: int
    final_at: int
    is_held: bool


@dataclass(frozen=True, slots=True)
class Position:
    """The last block whose events are in the tables."""

    block_number: int
    block_hash: Digest


class ReportStore:
    """A copy of the chain's reports: it moves by whole ranges of blocks, forwards or back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def position(self) -> Position | None:
        """How far the chain was read; None if it was not."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(cursor))).one_or_none()
        return None if row is None else Position(row.block_number, Digest(row.block_hash))

    async def advance(
        self,
        position: Position,
        posted: Sequence[PostedReport],
        taken: Sequence[CountedEpoch],
    ) -> None:
        """Add what was read up to `position`, all of it or nothing."""
        async with self._database.writing() as connection:
            for report in posted:
                values = {
                    "epoch": report.epoch,
                    "reporter_set_id": report.reporter_set_id,
                    "transmitter": address_bytes(report.transmitter),
                    "round": report.round,
                    "figures": None if report.figures is None else pack_words(report.figures),
                    "signatures": report.signatures,
                    "final_at": report.final_at,
                    "tx_hash": report.tx_hash,
                    "block_number": report.block_number,
                    "block_hash": report.block_hash,
                }
                await connection.execute(
                    insert(reports)
                    .values(root=report.root, **values)
                    .on_conflict_do_update(index_elements=[reports.c.root], set_=values)
                )
            for entry in taken:
                await connection.execute(
                    insert(counted)
                    .values(
                        cluster_id=entry.cluster_id,
                        epoch=entry.epoch,
                        root=entry.root,
                        figures=pack_words([entry.figures]),
                        is_final=entry.is_final,
                        is_held=entry.is_held,
                    )
                    .on_conflict_do_update(
                        index_elements=[counted.c.cluster_id, counted.c.epoch],
                        set_={
                            "root": entry.root,
                            "figures": pack_words([entry.figures]),
                            "is_final": entry.is_final,
                            "is_held": entry.is_held,
                        },
                    )
                )
            place = {"block_number": position.block_number, "block_hash": position.block_hash}
            await connection.execute(
                insert(cursor)
                .values(place)
                .on_conflict_do_update(index_elements=[cursor.c.singleton], set_=place)
            )

    async def forget(self) -> None:
        """Drop everything that was read: the chain took back blocks, so it is read again."""
        async with self._database.writing() as connection:
            await connection.execute(delete(reports))
            await connection.execute(delete(cursor))

    async def counted(self, cluster_id: ClusterId, epoch: Epoch) -> CountedEpoch | None:
        """What the contract took for an epoch of a cluster."""
        found = await self.counted_between(cluster_id, epoch, Epoch(epoch + 1))
        return found[0] if found else None

    async def counted_between(
        self, cluster_id: ClusterId, from_epoch: Epoch, until_epoch: Epoch
    ) -> list[CountedEpoch]:
        """What the contract took for a cluster's epochs [from_epoch, until_epoch), in order."""
        query = (
            select(counted)
            .where(
                counted.c.cluster_id == cluster_id,
                counted.c.epoch >= from_epoch,
                counted.c.epoch < until_epoch,
            )
            .order_by(counted.c.epoch)
        )
        async with self._database.reading() as connection:
            return [_counted(row) for row in await connection.execute(query)]

    async def report(self, root: Digest) -> PostedReport | None:
        """The report on chain with this root."""
        async with self._database.reading() as connection:
            row = (
                await connection.execute(select(reports).where(reports.c.root == root))
            ).one_or_none()
        return None if row is None else _posted(row)

    async def last_counted(self) -> dict[ClusterId, Epoch]:
        """The newest epoch that the contract took, of every cluster that has one."""
        query = select(counted.c.cluster_id, func.max(counted.c.epoch)).group_by(
            counted.c.cluster_id
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {ClusterId(row[0]): Epoch(row[1]) for row in rows}

    async def waiting(self) -> list[WaitingFigures]:
        """Clusters with figures that wait for the end of a dispute window, oldest epoch first."""
        oldest = (
            select(
                counted.c.cluster_id,
                func.min(counted.c.epoch).label("epoch"),
                func.count().label("count"),
                func.count().filter(counted.c.is_held).label("held_count"),
            )
            .where(~counted.c.is_final)
            .group_by(counted.c.cluster_id)
            .subquery()
        )
        query = (
            select(oldest, reports.c.final_at, counted.c.is_held)
            .join(
                counted,
                and_(
                    counted.c.cluster_id == oldest.c.cluster_id, counted.c.epoch == oldest.c.epoch
                ),
            )
            .join(reports, reports.c.root == counted.c.root)
            .order_by(oldest.c.epoch, oldest.c.cluster_id)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [WaitingFigures(ClusterId(row[0]), Epoch(row[1]), *row[2:]) for row in rows]

    async def without_proposal(self, limit: int) -> list[tuple[Digest, Epoch]]:
        """Reports on chain whose samples this reporter cannot name yet, newest first."""
        query = (
            select(reports.c.root, reports.c.epoch)
            .outerjoin(proposals, proposals.c.root == reports.c.root)
            .where(proposals.c.root.is_(None))
            .order_by(reports.c.block_number.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [(Digest(row[0]), Epoch(row[1])) for row in await connection.execute(query)]


def _posted(row: Row[*tuple[Any, ...]]) -> PostedReport:
    return PostedReport(
        Digest(row.root),
        Epoch(row.epoch),
        row.reporter_set_id,
        to_address(row.transmitter),
        row.round,
        None if row.figures is None else unpack_words(row.figures),
        row.signatures,
        row.final_at,
        Digest(row.tx_hash),
        row.block_number,
        Digest(row.block_hash),
    )


def _counted(row: Row[*tuple[Any, ...]]) -> CountedEpoch:
    return CountedEpoch(
        ClusterId(row.cluster_id),
        Epoch(row.epoch),
        Digest(row.root),
        unpack_words(row.figures)[0],
        row.is_final,
        row.is_held,
    )
