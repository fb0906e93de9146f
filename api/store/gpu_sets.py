"""Manifests of the GPU sets that clusters have on chain. Writer: ingest."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from api.store.database import Database
from api.store.tables import gpu_sets
from api.types import ClusterId, Digest


class GpuSetStore:
    """Manifests under the roots that the chain knows them by; what is kept never changes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, cluster_id: ClusterId, root: Digest, manifest: bytes, received_at_ms: int
    ) -> None:
        """Keep a manifest durably; no effect if its root is known."""
        async with self._database.writing() as connection:
            await connection.execute(
                insert(gpu_sets)
                .values(
                    cluster_id=cluster_id,
                    root=root,
                    manifest=manifest,
                    received_at_ms=received_at_ms,
                )
                .on_conflict_do_nothing()
            )

    async def manifest(self, cluster_id: ClusterId, root: Digest) -> bytes | None:
        """The manifest with this root."""
        async with self._database.reading() as connection:
            found = await connection.scalar(
                select(gpu_sets.c.manifest).where(
                    gpu_sets.c.cluster_id == cluster_id, gpu_sets.c.root == root
                )
            )
        return None if found is None else bytes(found)
