"""From kept batches to what a reporter signs: one cluster, one epoch."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from api.abreast import abreast
from api.domain.epochs import epoch_window_ms
from api.domain.figures import epoch_figures
from api.domain.gpu_set import GpuSet
from api.domain.reports import ClusterReport
from api.domain.samples import SampleBatch, SampleSet
from api.errors import NotFound
from api.oracle.chain_watch import ChainWatch
from api.oracle.ingest import Ingest
from api.oracle.manifests import Manifests
from api.types import ClusterId, Digest, Epoch

_MAX_KEPT: Final = 4

PARALLEL: Final = 4
"""Clusters computed at a time: more than wait for the chain or the store would keep either from
others."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a cluster's figures in an epoch rest on."""

    samples: SampleSet
    report: ClusterReport


class Measuring:
    """Computes evidence. The same batches give the same evidence, so the newest are remembered."""

    def __init__(self, watch: ChainWatch, manifests: Manifests, ingest: Ingest) -> None:
        self._watch = watch
        self._manifests = manifests
        self._ingest = ingest
        self._kept: OrderedDict[tuple[ClusterId, Epoch, frozenset[Digest]], Evidence] = (
            OrderedDict()
        )

    async def evidence(
        self, cluster_id: ClusterId, epoch: Epoch, batch_ids: Collection[Digest]
    ) -> Evidence:
        """The figures of `epoch` from the samples in these batches, all of which must be kept.

        Raises NotFound, UnknownCluster, GpuSetUnknown, Unavailable, or OutOfRange for figures that
        the contract has no room for.
        """
        key = (cluster_id, epoch, frozenset(batch_ids))
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        spec = await self._watch.spec(cluster_id, epoch)
        gpus = await self._manifests.with_root(cluster_id, Digest(spec.gpu_set_root))
        batches = await self._ingest.load(batch_ids)
        if len(batches) < len(key[2]):
            raise NotFound(
                f"{len(key[2]) - len(batches)} of the batches behind cluster {cluster_id}'s epoch "
                f"{epoch} are not kept here",
                value=len(batches),
                limit=len(key[2]),
            )
        evidence = await asyncio.to_thread(_compute, gpus, epoch, batches, spec.gpu_max_power_watts)
        self._kept[key] = evidence
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return evidence

    async def reports(
        self, epoch: Epoch, listed: Mapping[ClusterId, Collection[Digest]]
    ) -> dict[ClusterId, ClusterReport]:
        """What is signed of each of the clusters, from the batches that are listed. Raises as
        `evidence`, for the first cluster in the list that fails."""

        async def report(cluster_id: ClusterId) -> ClusterReport:
            return (await self.evidence(cluster_id, epoch, listed[cluster_id])).report

        return dict(zip(listed, await abreast(report, listed, PARALLEL), strict=True))


def _compute(
    gpus: GpuSet, epoch: Epoch, batches: Collection[SampleBatch], max_watts: int
) -> Evidence:
    start_ms, end_ms = epoch_window_ms(epoch)
    samples = SampleSet(
        chain.from_iterable(
            batch.samples for batch in batches if batch.cluster_id == gpus.cluster_id
        ),
        start_ms,
        end_ms,
    )
    figures = epoch_figures(gpus, epoch, samples.samples, max_watts)
    return Evidence(samples, ClusterReport(figures, samples.root))
