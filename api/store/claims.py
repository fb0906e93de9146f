"""What reporters signed, as this one heard of it. Writer: vigil."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from api.domain.codec import address_bytes, to_address
from api.domain.equivocation import SignedReport
from api.store.agreements import pack_words, unpack_words
from api.store.database import Database
from api.store.tables import claims
from api.types import Address, Digest, Epoch, Signature

_MOMENT = (claims.c.reporter_set_id, claims.c.epoch, claims.c.round, claims.c.signer)


class ClaimStore:
    """Signed reports by signer. Two that contradict each other are kept for ever."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, signer: Address, report: SignedReport, digest: Digest, at_ms: int) -> bool:
        """Keep a report that `signer` signed durably; whether it was new."""
        async with self._database.writing() as connection:
            added = await connection.scalar(
                insert(claims)
                .values(
                    reporter_set_id=report.reporter_set_id,
                    epoch=report.epoch,
                    round=report.round,
                    signer=address_bytes(signer),
                    digest=digest,
                    root=report.root,
                    figures=pack_words(report.figures),
                    signature=report.signature,
                    heard_at_ms=at_ms,
                )
                .on_conflict_do_nothing()
                .returning(claims.c.round)
            )
        return added is not None

    async def of_round(
        self, reporter_set_id: int, epoch: Epoch, round_: int, signer: Address
    ) -> list[SignedReport]:
        """What `signer` signed in a round, as it was heard."""
        query = (
            select(claims)
            .where(
                claims.c.reporter_set_id == reporter_set_id,
                claims.c.epoch == epoch,
                claims.c.round == round_,
                claims.c.signer == address_bytes(signer),
            )
            .order_by(claims.c.heard_at_ms, claims.c.digest)
        )
        async with self._database.reading() as connection:
            return [_signed(row) for row in await connection.execute(query)]

    async def count(self, reporter_set_id: int, epoch: Epoch, signer: Address) -> int:
        """How many reports of an epoch are kept that `signer` signed."""
        query = select(func.count()).where(
            claims.c.reporter_set_id == reporter_set_id,
            claims.c.epoch == epoch,
            claims.c.signer == address_bytes(signer),
        )
        async with self._database.reading() as connection:
            return int(await connection.scalar(query) or 0)

    async def of_epoch(self, reporter_set_id: int, epoch: Epoch) -> list[SignedReport]:
        """What anybody signed for an epoch, as it was heard."""
        query = (
            select(claims)
            .where(claims.c.reporter_set_id == reporter_set_id, claims.c.epoch == epoch)
            .order_by(claims.c.round, claims.c.heard_at_ms, claims.c.digest)
        )
        async with self._database.reading() as connection:
            return [_signed(row) for row in await connection.execute(query)]

    async def repeated(self, limit: int) -> list[tuple[Address, list[SignedReport]]]:
        """Of each signer and round with more than one report the reports, the newest first."""
        several = (
            select(*_MOMENT)
            .group_by(*_MOMENT)
            .having(func.count() > 1)
            .order_by(claims.c.epoch.desc(), claims.c.round.desc(), claims.c.signer)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            moments = (await connection.execute(several)).all()
        return [
            (
                to_address(row.signer),
                await self.of_round(
                    row.reporter_set_id, Epoch(row.epoch), row.round, to_address(row.signer)
                ),
            )
            for row in moments
        ]


def _signed(row: Row[*tuple[Any, ...]]) -> SignedReport:
    return SignedReport(
        row.reporter_set_id,
        Epoch(row.epoch),
        row.round,
        Digest(row.root),
        unpack_words(row.figures),
        Signature(row.signature),
    )
