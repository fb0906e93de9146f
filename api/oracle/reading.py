"""What a reporter tells about clusters and reports, from the chain and its own store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from api.chain.views import Cluster, ClusterSpec, ClusterStatus, MeterReading
from api.clock import Clock
from api.domain.codec import gpu_id_of, parse_hex, to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.epochs import epoch_at, epoch_window_ms
from api.domain.gpu_set import GpuSet
from api.domain.reports import report_digest
from api.domain.samples import Sample
from api.domain.signing import recover
from api.errors import GpuSetUnknown, NotFound, ReportNotFound
from api.oracle.chain_watch import IS_MEASURED, ChainWatch
from api.oracle.manifests import Manifests
from api.oracle.measuring import Measuring
from api.oracle.proposals import ClusterProposal, Proposal, restore
from api.store.agreements import AgreementStore
from api.store.batches import BatchStore, Progress
from api.store.reports import CountedEpoch, PostedReport, ReportStore
from api.types import SIGNATURE_BYTES, Address, ClusterId, Digest, Epoch, GpuId, Signature


@dataclass(frozen=True, slots=True)
class ClusterOverview:
    """A cluster as of the newest block. `next_epoch` is None while it is not measured."""

    cluster_id: ClusterId
    cluster: Cluster
    spec: ClusterSpec
    next_epoch: Epoch | None
    last_counted: CountedEpoch | None


@dataclass(frozen=True, slots=True)
class ClusterDetail:
    """An overview, the meters, and what this reporter knows: its GPUs and how far agents are."""

    overview: ClusterOverview
    reading: MeterReading
    is_stale: bool
    is_disputed: bool
    gpus: GpuSet | None
    agents: dict[Address, Progress]


@dataclass(frozen=True, slots=True)
class SampleProof:
    """That a sample is in the set behind a cluster's figures."""

    sample: Sample
    root: Digest
    proof: Sequence[Digest]


@dataclass(frozen=True, slots=True)
class ClusterReportDetail:
    """A report on chain as it concerns one cluster.

    `counted` has the figures that count, `bound` the word that the report binds to the cluster:
    another one where energy came too late, or where a dispute was settled so. `part` and
    `leaf_proof` are None until this reporter knows what is under the root, and if the cluster is
    not; `signatures` are None if the report came by another contract's call.
    """

    counted: CountedEpoch
    posted: PostedReport
    bound: int | None
    signatures: list[tuple[Address, Signature]] | None
    part: ClusterProposal | None
    leaf_proof: Sequence[Digest] | None


class Reading:
    """Answers questions; changes nothing."""

    def __init__(
        self,
        *,
        watch: ChainWatch,
        clock: Clock,
        manifests: Manifests,
        measuring: Measuring,
        batches: BatchStore,
        agreements: AgreementStore,
        reports: ReportStore,
        report_domain: Eip712Domain,
    ) -> None:
        """`report_domain` is `oracle_domain`'s."""
        self._watch = watch
        self._clock = clock
        self._manifests = manifests
        self._measuring = measuring
        self._batches = batches
        self._agreements = agreements
        self._reports = reports
        self._report_domain = report_domain

    async def clusters(self, offset: int, limit: int) -> tuple[int, list[ClusterOverview]]:
        """The number of clusters, and `limit` of them from number `offset` on."""
        count = self._watch.snapshot.cluster_count
        ids = [ClusterId(i) for i in range(offset + 1, min(offset + limit, count) + 1)]
        last = await self._reports.last_counted()
        return count, list(
            await asyncio.gather(*(self._overview(cluster_id, last) for cluster_id in ids))
        )

    async def cluster(self, cluster_id: ClusterId) -> ClusterDetail:
        """Raises UnknownCluster or Unavailable."""
        overview = await self._overview(cluster_id, await self._reports.last_counted())
        oracle = self._watch.oracle
        reading = await self._watch.once_a_block(
            ("reading", cluster_id), lambda: oracle.reading(cluster_id)
        )
        is_measured = overview.cluster.status in IS_MEASURED
        is_stale = is_measured and await self._watch.once_a_block(
            ("stale", cluster_id), lambda: oracle.is_stale(cluster_id)
        )
        is_disputed = is_measured and await self._watch.once_a_block(
            ("disputed", cluster_id), lambda: oracle.is_disputed(cluster_id)
        )
        try:
            gpus = await self._manifests.current(cluster_id)
        except GpuSetUnknown:
            gpus = None
        agents = await self._batches.progress(cluster_id, self._clock.now_ms())
        return ClusterDetail(overview, reading, is_stale, is_disputed, gpus, agents)

    async def gpus(self, cluster_id: ClusterId, root: Digest | None) -> GpuSet:
        """The GPU set with `root`, or else the present one.

        Raises UnknownCluster, GpuSetUnknown or Unavailable.
        """
        if root is None:
            return await self._manifests.current(cluster_id)
        return await self._manifests.with_root(cluster_id, root)

    async def report(self, cluster_id: ClusterId, epoch: Epoch) -> ClusterReportDetail:
        """The report that an epoch of a cluster was counted from.

        Raises UnknownCluster, ReportNotFound or Unavailable.
        """
        await self._watch.cluster(cluster_id)
        counted = await self._reports.counted(cluster_id, epoch)
        posted = None if counted is None else await self._reports.report(counted.root)
        if counted is None or posted is None:
            raise ReportNotFound(cluster_id, epoch)
        proposal = await self._proposal(posted)
        part = None if proposal is None else _part(proposal, cluster_id)
        if part is not None:
            bound: int | None = part.report.figures.pack()
        else:
            signed = posted.figures or ()
            bound = next((word for word in signed if word >> 160 == cluster_id), None)
        return ClusterReportDetail(
            counted,
            posted,
            bound,
            self._signers(posted),
            part,
            None if proposal is None or part is None else proposal.report.proof(cluster_id),
        )

    async def sample_proofs(
        self, cluster_id: ClusterId, epoch: Epoch, gpu: str, at_ms: int | None
    ) -> list[SampleProof]:
        """The proof that a GPU's sample is behind a cluster's figures; without `at_ms`, those of
        its first and its last one that are in the epoch and in service.

        `gpu` is an id (0x and 64 hex digits) or a UUID. Raises NotFound's subclasses, Malformed or
        Unavailable.
        """
        gpu_id = GpuId(parse_hex(gpu, "gpu", 32)) if gpu.startswith("0x") else gpu_id_of(gpu)
        part = (await self.report(cluster_id, epoch)).part
        if part is None:
            raise ReportNotFound(cluster_id, epoch)
        samples = (await self._measuring.evidence(cluster_id, epoch, part.batch_ids)).samples
        of_gpu = [sample for sample in samples.samples if sample.gpu == gpu_id]
        if at_ms is None:
            found = await self._ends(cluster_id, epoch, of_gpu)
        else:
            found = [sample for sample in of_gpu if sample.at_ms == at_ms]
        if not found:
            when = "in service" if at_ms is None else f"at {at_ms}"
            raise NotFound(
                f"no sample of GPU {gpu} {when} in epoch {epoch} of cluster {cluster_id}",
                value=gpu if at_ms is None else at_ms,
            )
        return [SampleProof(sample, samples.root, samples.proof(sample)) for sample in found]

    async def _ends(
        self, cluster_id: ClusterId, epoch: Epoch, of_gpu: Sequence[Sample]
    ) -> list[Sample]:
        """The first and the last of a GPU's samples between which all energy is the epoch's."""
        gpus = await self._manifests.at(cluster_id, epoch)
        start_ms, end_ms = epoch_window_ms(epoch)
        found = [
            sample
            for sample in of_gpu
            if (gpu := gpus.get(sample.gpu)) is not None
            and max(start_ms, gpu.from_ms) <= sample.at_ms < end_ms
            and sample.at_ms <= gpu.until_ms
        ]
        return [found[0], found[-1]] if len(found) > 1 else found

    async def _overview(
        self, cluster_id: ClusterId, last: dict[ClusterId, Epoch]
    ) -> ClusterOverview:
        cluster = await self._watch.cluster(cluster_id)
        spec = await self._watch.spec(cluster_id, epoch_at(self._clock.now()))
        newest = last.get(cluster_id)
        return ClusterOverview(
            cluster_id,
            cluster,
            spec,
            self._watch.snapshot.next_epochs.get(cluster_id),
            None if newest is None else await self._reports.counted(cluster_id, newest),
        )

    async def _proposal(self, posted: PostedReport) -> Proposal | None:
        content = await self._agreements.proposal(posted.root)
        if content is None:
            return None
        return restore(posted.reporter_set_id, posted.epoch, posted.round or 0, content)

    def _signers(self, posted: PostedReport) -> list[tuple[Address, Signature]] | None:
        """Who signed what was posted, which is not always what the root binds."""
        if posted.signatures is None or posted.figures is None or posted.round is None:
            return None
        digest = report_digest(
            self._report_domain,
            posted.reporter_set_id,
            posted.epoch,
            posted.round,
            posted.root,
            posted.figures,
        )
        signatures = [
            Signature(posted.signatures[at : at + SIGNATURE_BYTES])
            for at in range(0, len(posted.signatures), SIGNATURE_BYTES)
        ]
        return [(recover(digest, signature), signature) for signature in signatures]


def _part(proposal: Proposal, cluster_id: ClusterId) -> ClusterProposal | None:
    """A cluster's part; None if the root was never made to bind it, though its figures came."""
    return next((part for part in proposal.clusters if part.cluster_id == cluster_id), None)


def status_word(status: ClusterStatus) -> str:
    """A cluster's status as it stands in JSON."""
    return status.name.lower()


def hexes(digests: Sequence[Digest]) -> list[str]:
    """Digests as they stand in JSON."""
    return [to_hex(digest) for digest in digests]
