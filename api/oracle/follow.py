"""Reading back from the chain: which reports it took, for whoever asks for them later.

1. Read the oracle's events from the last block read to the newest one that has its confirmations.
2. Of every report take figures and signatures from the transaction that brought it.
3. What a dispute holds is noted as held, with the figures that wait; what it settles takes their
   place.
4. Write reports, what was counted from them, and the position, all at once.
5. If the block at the position is not the chain's any more, forget everything and read anew.
6. Of reports that this reporter did not sign, ask peers which batches they rest on, get those and
   the GPU sets that it lacks, and believe it if the root comes out.
7. Where no peer says so, try the batches that are kept here, with the figures that they give and
   with those that were posted: of wrong figures whoever signed them tells nothing, and the proofs
   are what they are refuted with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from api.chain.contracts import DecodedEvent
from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.epochs import epoch_end
from api.domain.equivocation import SignedReport
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport
from api.errors import (
    ChainError,
    GpuSetUnknown,
    InvalidInput,
    NodeRefused,
    RackstreamError,
    Unavailable,
)
from api.oracle.chain_watch import ChainSnapshot, ChainWatch
from api.oracle.collecting import Collecting
from api.oracle.measuring import Evidence, Measuring
from api.oracle.metrics import Metrics
from api.oracle.peers import Peer
from api.oracle.proposals import ClusterProposal, Proposal, restore
from api.oracle.vigil import Vigil
from api.store.agreements import AgreementStore
from api.store.reports import CountedEpoch, Position, PostedReport, ReportStore
from api.types import SIGNATURE_BYTES, Address, ClusterId, Digest, Epoch, Signature

_log = structlog.get_logger(__name__)

# What public nodes answer in one go.
_MAX_BLOCKS: Final = 2_000

_EVENTS: Final = (
    "ReportPosted",
    "FiguresPosted",
    "FiguresFinal",
    "FiguresHeld",
    "FiguresSettled",
)

# Reports whose batches are asked for in one go, and how long to wait after peers had none.
_MAX_LACKING: Final = 8
_LACKING_SECONDS: Final = 30.0


class Follower:
    """The only writer of what the chain counted. `run` is its loop."""

    def __init__(
        self,
        *,
        watch: ChainWatch,
        clock: Clock,
        store: ReportStore,
        agreements: AgreementStore,
        collecting: Collecting,
        measuring: Measuring,
        vigil: Vigil,
        peers: Callable[[], Sequence[Peer]],
        metrics: Metrics,
        confirmations: int,
        first_block: int,
    ) -> None:
        """`first_block` is the one in which the oracle was deployed."""
        self._watch = watch
        self._clock = clock
        self._store = store
        self._agreements = agreements
        self._collecting = collecting
        self._measuring = measuring
        self._vigil = vigil
        self._peers = peers
        self._metrics = metrics
        self._confirmations = confirmations
        self._first_block = first_block
        self._wake = asyncio.Event()
        self._ask_again_at = 0.0

    def wake(self) -> None:
        """There is a new block."""
        self._wake.set()

    async def run(self) -> None:
        """Work without end."""
        while True:
            self._wake.clear()
            try:
                await self.work()
            except (Unavailable, ChainError) as error:
                _log.warning("reading the chain waits", reason=error.message)
                await asyncio.sleep(1.0)
            try:
                await asyncio.wait_for(self._wake.wait(), timeout=1.0)
            except TimeoutError:
                continue

    async def work(self) -> None:
        """Read up to the newest block."""
        snapshot = self._watch.current()
        target = snapshot.block.number - self._confirmations
        position = await self._store.position()
        if position is not None and not await self._is_on_chain(position, snapshot):
            _log.warning("the chain took back blocks", from_block=position.block_number)
            await self._store.forget()
            position = None
        at = self._first_block if position is None else position.block_number + 1
        while at <= target:
            until = min(target, at + _MAX_BLOCKS - 1)
            await self._read(at, until, snapshot)
            at = until + 1
        await self._complete_proposals()

    async def _is_on_chain(self, position: Position, snapshot: ChainSnapshot) -> bool:
        if position.block_number == snapshot.block.number:
            return position.block_hash == snapshot.block.hash
        if position.block_number > snapshot.block.number:
            return False
        try:
            block = await self._watch.client.block(position.block_number)
        except NodeRefused:
            return False
        return block.hash == position.block_hash

    async def _read(self, from_block: int, until_block: int, snapshot: ChainSnapshot) -> None:
        if until_block == snapshot.block.number:
            last = snapshot.block
        else:
            last = await self._watch.client.block(until_block)
        events = await self._watch.oracle.events(
            _EVENTS, from_block=from_block, to_block=until_block
        )
        reports = [event for event in events if event.name == "ReportPosted"]
        taken: list[CountedEpoch] = []
        for event in events:
            if event.name != "ReportPosted":
                taken.append(await self._taken(event, reports, taken))
        posted = [await self._posted(report) for report in reports]
        await self._store.advance(Position(last.number, Digest(last.hash)), posted, taken)
        for one in posted:
            await self._hear(one)
        for entry in taken:
            self._metrics.counted(entry.cluster_id, entry.epoch)
        for report in reports:
            block = await self._watch.client.block(report.log.block_number)
            self._metrics.posted(block.time - epoch_end(Epoch(report.fields["epoch"])))

    async def _posted(self, event: DecodedEvent) -> PostedReport:
        fields, log = event.fields, event.log
        call = await self._watch.oracle.posted_call(log.tx_hash)
        root = Digest(fields["root"])
        if call is not None and call.header.root != root:
            # A transaction with several reports inside some other contract's call.
            call = None
        return PostedReport(
            root,
            Epoch(fields["epoch"]),
            fields["reporterSetId"],
            Address(fields["transmitter"]),
            None if call is None else call.header.round,
            None if call is None else call.figures,
            None if call is None else call.signatures,
            fields["finalAt"],
            Digest(log.tx_hash),
            log.block_number,
            Digest(log.block_hash),
        )

    async def _hear(self, report: PostedReport) -> None:
        if report.round is None or report.figures is None or report.signatures is None:
            return
        for at in range(0, len(report.signatures), SIGNATURE_BYTES):
            signature = Signature(report.signatures[at : at + SIGNATURE_BYTES])
            await self._vigil.hear(
                SignedReport(
                    report.reporter_set_id,
                    report.epoch,
                    report.round,
                    report.root,
                    report.figures,
                    signature,
                )
            )

    async def _taken(
        self, event: DecodedEvent, reports: Sequence[DecodedEvent], taken: Sequence[CountedEpoch]
    ) -> CountedEpoch:
        cluster_id = ClusterId(event.fields["clusterId"])
        epoch = Epoch(event.fields["epoch"])
        root = _root_with(event, reports)
        if root is None:
            # Final, or settled, in a later transaction than the report's.
            earlier = next(
                (e for e in taken if (e.cluster_id, e.epoch) == (cluster_id, epoch)), None
            ) or await self._store.counted(cluster_id, epoch)
            if earlier is None:
                raise ChainError(
                    f"epoch {epoch} of cluster {cluster_id}: {event.name} without a report",
                    value=epoch,
                )
            root = earlier.root
        return CountedEpoch(
            cluster_id,
            epoch,
            root,
            event.fields["figures"],
            is_final=event.name == "FiguresFinal",
            is_held=event.name == "FiguresHeld",
        )

    async def _complete_proposals(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._ask_again_at:
            return
        lacking = await self._store.without_proposal(_MAX_LACKING)
        complete = [await self._complete_one(root, epoch) for root, epoch in lacking]
        if not all(complete):
            self._ask_again_at = now + _LACKING_SECONDS

    async def _complete_one(self, root: Digest, epoch: Epoch) -> bool:
        proposal = await self._told_by_peers(root, epoch) or await self._rebuilt(root, epoch)
        if proposal is None:
            return False
        await self._agreements.add_proposal(root, epoch, proposal.content, self._clock.now_ms())
        return True

    async def _told_by_peers(self, root: Digest, epoch: Epoch) -> Proposal | None:
        for peer in self._peers():
            try:
                proposal = restore(0, epoch, 0, await peer.proposal(root))
                if proposal.root == root and await self._is_proven(proposal, peer):
                    return proposal
            except (Unavailable, InvalidInput) as error:
                _log.debug("proposal not completed", root=to_hex(root), why=error.message)
        return None

    async def _rebuilt(self, root: Digest, epoch: Epoch) -> Proposal | None:
        report = await self._store.report(root)
        if report is None or report.figures is None:
            return None
        try:
            posted = {word.cluster_id: word for word in map(ClusterFigures.unpack, report.figures)}
            held = await self._collecting.inventory(posted, epoch)
            listed = {cluster: [batch.id for batch in held[cluster]] for cluster in posted}
            measured = await self._measuring.reports(epoch, listed)
        except RackstreamError as error:
            _log.debug("report not rebuilt", root=to_hex(root), why=error.message)
            return None
        claimed = {
            cluster: ClusterReport(figures, measured[cluster].sample_root)
            for cluster, figures in posted.items()
        }
        for parts in (measured, claimed):
            proposal = Proposal(
                0,
                epoch,
                0,
                tuple(
                    ClusterProposal(tuple(sorted(listed[cluster])), parts[cluster])
                    for cluster in sorted(posted)
                ),
            )
            if proposal.root == root:
                return proposal
        return None

    async def _is_proven(self, proposal: Proposal, peer: Peer) -> bool:
        for cluster in proposal.clusters:
            try:
                evidence = await self._evidence(proposal.epoch, cluster, peer)
            except RackstreamError as error:
                _log.info(
                    "samples of a report are not to be had",
                    epoch=proposal.epoch,
                    cluster=cluster.cluster_id,
                    why=error.message,
                )
                return False
            if evidence.samples.root != cluster.report.sample_root:
                return False
        return True

    async def _evidence(self, epoch: Epoch, cluster: ClusterProposal, peer: Peer) -> Evidence:
        try:
            return await self._with_batches(epoch, cluster, peer)
        except GpuSetUnknown as unknown:
            # A reporter that is new has the GPU set only of what it was asked to sign.
            if not await self._collecting.fetch_manifest(unknown, [peer]):
                raise
        return await self._with_batches(epoch, cluster, peer)

    async def _with_batches(self, epoch: Epoch, cluster: ClusterProposal, peer: Peer) -> Evidence:
        await self._collecting.fetch(cluster.batch_ids, [peer])
        return await self._measuring.evidence(cluster.cluster_id, epoch, cluster.batch_ids)


def _root_with(event: DecodedEvent, reports: Sequence[DecodedEvent]) -> Digest | None:
    """The root that the chain tells with an event; None if the report came before."""
    if event.name == "FiguresHeld":
        return Digest(event.fields["root"])
    for report in reports:
        # The contract tells of a report after what it took from it.
        if (
            report.log.tx_hash == event.log.tx_hash
            and report.log.index > event.log.index
            and report.fields["epoch"] == event.fields["epoch"]
        ):
            return Digest(report.fields["root"])
    return None
