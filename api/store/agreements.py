"""Proposals, this reporter's signatures, and reports that reached a quorum. Writer: agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.store.database import Database
from api.store.tables import agreed, proposals, settlements, signatures
from api.types import Digest, Epoch, Signature


@dataclass(frozen=True, slots=True)
class PromisedRoot:
    """What this reporter signs and nothing beside it, with the content of its proposal."""

    reporter_set_id: int
    epoch: Epoch
    round: int
    root: Digest
    content: bytes


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """One signature of this reporter, with the content of the proposal that it stands for."""

    reporter_set_id: int
    epoch: Epoch
    round: int
    root: Digest
    signature: Signature
    content: bytes


@dataclass(frozen=True, slots=True)
class AgreedReport:
    """A report that a quorum signed: what `postReport` takes."""

    reporter_set_id: int
    epoch: Epoch
    round: int
    root: Digest
    figures: tuple[int, ...]
    signatures: bytes


class AgreementStore:
    """A promise is durable before anybody is asked to sign it, and a signature before anybody sees
    it: no restart forgets what was promised.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def promise(self, promised: PromisedRoot, at_ms: int) -> None:
        """Keep a promise and its proposal durably; no effect on one that is kept or signed."""
        async with self._database.writing() as connection:
            await _keep_proposal(connection, promised, at_ms)
            await connection.execute(
                insert(signatures)
                .values(**_key(promised), signed_at_ms=at_ms)
                .on_conflict_do_nothing()
            )

    async def add_signature(self, signed: SignedRoot, at_ms: int) -> None:
        """Keep a signature and its proposal durably; no effect if it is kept."""
        async with self._database.writing() as connection:
            await _keep_proposal(connection, signed, at_ms)
            await connection.execute(
                insert(signatures)
                .values(**_key(signed), signature=signed.signature, signed_at_ms=at_ms)
                .on_conflict_do_update(
                    index_elements=list(signatures.primary_key),
                    set_={"signature": signed.signature},
                    where=signatures.c.signature.is_(None),
                )
            )

    async def promised(self, reporter_set_id: int, epoch: Epoch) -> list[PromisedRoot]:
        """What this reporter promised for an epoch, signed or not, round by round."""
        return [
            PromisedRoot(
                row.reporter_set_id, Epoch(row.epoch), row.round, Digest(row.root), row.content
            )
            for row in await self._promises(reporter_set_id, epoch)
        ]

    async def signed(self, reporter_set_id: int, epoch: Epoch) -> list[SignedRoot]:
        """What this reporter signed for an epoch, round by round."""
        return [
            SignedRoot(
                row.reporter_set_id,
                Epoch(row.epoch),
                row.round,
                Digest(row.root),
                Signature(row.signature),
                row.content,
            )
            for row in await self._promises(reporter_set_id, epoch)
            if row.signature is not None
        ]

    async def add_proposal(
        self, root: Digest, epoch: Epoch, content: bytes, received_at_ms: int
    ) -> None:
        """Keep the content of a report that others agreed on; no effect if it is kept."""
        async with self._database.writing() as connection:
            await connection.execute(
                insert(proposals)
                .values(root=root, epoch=epoch, content=content, received_at_ms=received_at_ms)
                .on_conflict_do_nothing()
            )

    async def proposal(self, root: Digest) -> bytes | None:
        """The content of the proposal with this root."""
        async with self._database.reading() as connection:
            content = await connection.scalar(
                select(proposals.c.content).where(proposals.c.root == root)
            )
        return None if content is None else bytes(content)

    async def add_agreed(self, report: AgreedReport, at_ms: int) -> None:
        """Keep a report with its quorum durably; no effect if it is kept."""
        async with self._database.writing() as connection:
            await connection.execute(
                insert(agreed)
                .values(
                    reporter_set_id=report.reporter_set_id,
                    root=report.root,
                    epoch=report.epoch,
                    round=report.round,
                    figures=pack_words(report.figures),
                    signatures=report.signatures,
                    agreed_at_ms=at_ms,
                )
                .on_conflict_do_nothing()
            )

    async def unsettled(self) -> list[AgreedReport]:
        """Agreed reports of which it is not settled what became, oldest epoch first."""
        query = (
            select(agreed)
            .outerjoin(
                settlements,
                and_(
                    settlements.c.reporter_set_id == agreed.c.reporter_set_id,
                    settlements.c.root == agreed.c.root,
                ),
            )
            .where(settlements.c.root.is_(None))
            .order_by(agreed.c.epoch, agreed.c.agreed_at_ms)
        )
        async with self._database.reading() as connection:
            return [_agreed(row) for row in await connection.execute(query)]

    async def _promises(
        self, reporter_set_id: int, epoch: Epoch
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        query = (
            select(signatures, proposals.c.content)
            .join(proposals, proposals.c.root == signatures.c.root)
            .where(signatures.c.reporter_set_id == reporter_set_id, signatures.c.epoch == epoch)
            .order_by(signatures.c.round, signatures.c.signed_at_ms)
        )
        async with self._database.reading() as connection:
            return (await connection.execute(query)).all()


def pack_words(words: Sequence[int]) -> bytes:
    """Unsigned integers as 32-byte words, one after the other."""
    return b"".join(word.to_bytes(32, "big") for word in words)


def unpack_words(data: bytes) -> tuple[int, ...]:
    """The inverse of `pack_words`."""
    return tuple(int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32))


async def _keep_proposal(
    connection: AsyncConnection, promised: PromisedRoot | SignedRoot, at_ms: int
) -> None:
    # Different batches can give the same root; the ones that were verified last are kept.
    await connection.execute(
        insert(proposals)
        .values(
            root=promised.root,
            epoch=promised.epoch,
            content=promised.content,
            received_at_ms=at_ms,
        )
        .on_conflict_do_update(
            index_elements=[proposals.c.root], set_={"content": promised.content}
        )
    )


def _key(promised: PromisedRoot | SignedRoot) -> dict[str, object]:
    return {
        "reporter_set_id": promised.reporter_set_id,
        "epoch": promised.epoch,
        "round": promised.round,
        "root": promised.root,
    }


def _agreed(row: Row[*tuple[Any, ...]]) -> AgreedReport:
    return AgreedReport(
        row.reporter_set_id,
        Epoch(row.epoch),
        row.round,
        Digest(row.root),
        unpack_words(row.figures),
        row.signatures,
    )
