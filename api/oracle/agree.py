"""Getting a quorum behind an epoch's figures.

n = 3f + 1 reporters, of which f may be dead or lie; a report needs more than 2n/3 of them. Each
reporter acts by itself on what the chain and its own store say, again and again:

1. The work is the oldest epoch that is over and that the chain waits for, with all clusters that
   wait for it. Clusters whose GPU set nobody has handed in are left for later.
2. Time after an epoch's end is cut into rounds of 60 s. In round r of epoch e it is the turn of
   reporter (e + r) mod n in the chain's order: a proposer that is dead or refused costs a round.
3. The proposer waits until the epoch is closed: every agent with a GPU in service has declared it
   complete, or 120 s have passed.
4. What it proposed or signed in this round before (it may have been restarted) it proposes again.
5. In a later round it first asks the others what they have signed. If some report has a quorum of
   signatures already, its proposer died between the quorum and the transaction: that is completed.
6. Otherwise it asks every peer which batches it holds for the epoch, of all clusters at once, gets
   those that it lacks, checks them like any submission, and computes figures and sample root from
   the union.
7. It signs (what is promised is durable before anybody is asked to sign it, the signature before
   it leaves), sends the proposal to every peer and collects signatures, each of which has to be by
   that peer over the same report.
8. With a quorum the report is kept and handed to `transmit`. Without one it asks again, the same in
   the same round, until somebody else's turn comes.

The others stop by themselves: once the report is on chain, the chain waits for the next epoch.
What they check before they sign is in `witness`.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import structlog

from api.clock import Clock
from api.domain.codec import parse_digest, parse_hex, parse_uint, to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.epochs import epoch_end
from api.domain.reports import Report, quorum
from api.domain.signing import recover
from api.errors import (
    BadSignature,
    GpuSetUnknown,
    InvalidInput,
    ProposalRefused,
    RackstreamError,
    Unavailable,
)
from api.oracle.chain_watch import ChainSnapshot, ChainWatch
from api.oracle.collecting import Collecting
from api.oracle.manifests import Manifests
from api.oracle.measuring import Measuring
from api.oracle.metrics import Metrics
from api.oracle.peers import MAX_CLUSTERS_ASKED, Peer, among
from api.oracle.promises import Promises
from api.oracle.proposals import ClusterProposal, Proposal, restore
from api.oracle.rounds import proposer_of, round_at
from api.oracle.transmit import Transmitter
from api.oracle.vigil import Vigil
from api.oracle.witness import REASONS
from api.store.agreements import AgreedReport, AgreementStore
from api.types import UINT32_MAX, Address, ClusterId, Digest, Epoch, Signature

_log = structlog.get_logger(__name__)

# Between two tries of one proposal in one round.
_RETRY_SECONDS: Final = 1.0

# A manifest that no peer had is not asked for at every tick.
_MANIFEST_RETRY_SECONDS: Final = 10.0


class Proposer:
    """The proposing half of a reporter. `run` is its loop, `wake` makes it look at once."""

    def __init__(
        self,
        *,
        account: Address,
        watch: ChainWatch,
        clock: Clock,
        manifests: Manifests,
        collecting: Collecting,
        measuring: Measuring,
        promises: Promises,
        vigil: Vigil,
        store: AgreementStore,
        transmitter: Transmitter,
        peers: Mapping[Address, Peer],
        domain: Eip712Domain,
        metrics: Metrics,
    ) -> None:
        """`account` is the one that signs for this reporter. `domain` is `oracle_domain`'s."""
        self._account = account
        self._watch = watch
        self._clock = clock
        self._manifests = manifests
        self._collecting = collecting
        self._measuring = measuring
        self._promises = promises
        self._vigil = vigil
        self._store = store
        self._transmitter = transmitter
        self._peers = peers
        self._domain = domain
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._manifest_asked: dict[tuple[ClusterId, str], float] = {}

    def wake(self) -> None:
        """Something happened: a batch came, or a block."""
        self._wake.set()

    async def run(self, poll_seconds: float) -> None:
        """Work without end."""
        while True:
            self._wake.clear()
            has_failed = False
            try:
                has_failed = not await self.work()
            except Unavailable as error:
                _log.warning("agreement waits", reason=error.message)
                has_failed = True
            if has_failed:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                # Agents send many batches at once: one look for all of them.
                await asyncio.sleep(poll_seconds / 2)
                try:
                    await asyncio.wait_for(self._wake.wait(), timeout=max(poll_seconds, 1.0))
                except TimeoutError:
                    continue

    async def work(self) -> bool:
        """One look at everything; False if a proposal is due that found no quorum."""
        snapshot = self._watch.current()
        if self._account not in snapshot.reporters:
            return True
        waiting: defaultdict[Epoch, list[ClusterId]] = defaultdict(list)
        now = self._clock.now()
        for cluster_id, epoch in snapshot.next_epochs.items():
            if now >= epoch_end(epoch):
                waiting[epoch].append(cluster_id)
        for epoch in sorted(waiting):
            round_ = round_at(now, epoch)
            if proposer_of(snapshot.reporters, epoch, round_) != self._account:
                continue
            clusters = await self._with_manifest(epoch, waiting[epoch], snapshot)
            if not clusters or not await self._collecting.are_closed(clusters, epoch):
                continue
            if await self._is_on_its_way(epoch, clusters):
                continue
            return await self._propose(snapshot, epoch, round_, clusters)
        return True

    async def _with_manifest(
        self, epoch: Epoch, clusters: Iterable[ClusterId], snapshot: ChainSnapshot
    ) -> frozenset[ClusterId]:
        known: set[ClusterId] = set()
        for cluster_id in clusters:
            try:
                await self._manifests.at(cluster_id, epoch)
            except GpuSetUnknown as unknown:
                key = (cluster_id, unknown.root)
                if time.monotonic() < self._manifest_asked.get(key, 0.0):
                    continue
                self._manifest_asked[key] = time.monotonic() + _MANIFEST_RETRY_SECONDS
                if not await self._collecting.fetch_manifest(unknown, self._others(snapshot)):
                    _log.warning("cluster left for later", cluster=cluster_id, why=unknown.message)
                    continue
            known.add(cluster_id)
        return frozenset(known)

    async def _is_on_its_way(self, epoch: Epoch, clusters: frozenset[ClusterId]) -> bool:
        """Whether a report of one of these clusters has its quorum and is being transmitted: also
        the previous reporters', which counts for a while."""
        for report in await self._store.unsettled():
            if report.epoch == epoch:
                sent = {ClusterId(figures >> 160) for figures in report.figures}
                if sent & clusters:
                    return True
        return False

    async def _propose(
        self, snapshot: ChainSnapshot, epoch: Epoch, round_: int, clusters: frozenset[ClusterId]
    ) -> bool:
        started = time.monotonic()
        set_id = snapshot.reporter_set_id
        needed = quorum(len(snapshot.reporters))
        proposal = await self._promises.of_round(set_id, epoch, round_, clusters)
        if proposal is None and round_ > 0:
            finished = await self._signed_by_quorum(snapshot, epoch, clusters, needed)
            if finished is not None:
                await self._complete(snapshot.reporters, *finished, started)
                return True
        if proposal is None:
            proposal = await self._compute(snapshot, epoch, round_, clusters)
        own = await self._promises.sign(proposal)
        signatures = {self._account: own}
        if len(signatures) < needed:
            signatures |= await self._ask(snapshot, proposal, own, needed - len(signatures))
        if len(signatures) < needed:
            self._metrics.not_agreed()
            _log.warning(
                "no quorum",
                epoch=epoch,
                round=round_,
                root=to_hex(proposal.root),
                signatures=len(signatures),
                needed=needed,
            )
            return False
        await self._complete(snapshot.reporters, proposal.report, signatures, started)
        return True

    async def _compute(
        self, snapshot: ChainSnapshot, epoch: Epoch, round_: int, clusters: frozenset[ClusterId]
    ) -> Proposal:
        others = self._others(snapshot)
        told = await asyncio.gather(*(self._told(peer, clusters, epoch) for peer in others))
        for peer, ids in zip(others, told, strict=True):
            # What a peer names and cannot show, or what does not pass, is left out: that peer
            # refuses to sign, or it was lying.
            await self._collecting.fetch(ids, [peer])
        held = await self._collecting.inventory(clusters, epoch)
        listed = {
            cluster_id: tuple(sorted(record.id for record in held[cluster_id]))
            for cluster_id in sorted(clusters)
        }
        reports = await self._measuring.reports(epoch, listed)
        parts = tuple(ClusterProposal(listed[one], reports[one]) for one in listed)
        return Proposal(snapshot.reporter_set_id, epoch, round_, parts)

    async def _told(
        self, peer: Peer, clusters: Collection[ClusterId], epoch: Epoch
    ) -> list[Digest]:
        """Which batches the peer holds. One that fails is asked no further: waiting for a silent
        one more than once would outlast the round."""
        told: list[Digest] = []
        asked = sorted(clusters)
        try:
            for at in range(0, len(asked), MAX_CLUSTERS_ASKED):
                told += await peer.batch_ids(asked[at : at + MAX_CLUSTERS_ASKED], epoch)
        except (Unavailable, InvalidInput) as error:
            _log.info("peer tells no batches", peer=peer.address, reason=error.message)
        return told

    async def _ask(
        self, snapshot: ChainSnapshot, proposal: Proposal, own: Signature, needed: int
    ) -> dict[Address, Signature]:
        """Signatures of peers, as soon as there are `needed` of them, or all that are to be had."""
        body = proposal.signed_json(own)
        asked = [
            asyncio.create_task(self._ask_one(peer, body, proposal.report))
            for peer in self._others(snapshot)
        ]
        got: dict[Address, Signature] = {}
        try:
            for answer in asyncio.as_completed(asked):
                signed = await answer
                if signed is not None:
                    got[signed[0]] = signed[1]
                if len(got) >= needed:
                    break
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return got

    async def _ask_one(
        self, peer: Peer, body: bytes, report: Report
    ) -> tuple[Address, Signature] | None:
        try:
            signature = await peer.propose(body)
            if recover(report.digest(self._domain), signature) != peer.address:
                raise BadSignature(f"the signature is not {peer.address}'s over this report")
            await self._vigil.hear_report(report, signature)
        except ProposalRefused as refusal:
            _log.warning("proposal refused", peer=peer.address, why=refusal.message)
            # The word is the peer's own: any but the known ones could be new every time.
            reason = refusal.reason if refusal.reason in REASONS else "unknown"
            self._metrics.disagreed(peer.address, reason)
        except RackstreamError as error:
            _log.info("no signature", peer=peer.address, why=error.message)
            self._metrics.disagreed(peer.address, error.code)
        else:
            return peer.address, signature
        return None

    async def _signed_by_quorum(
        self,
        snapshot: ChainSnapshot,
        epoch: Epoch,
        clusters: frozenset[ClusterId],
        needed: int,
    ) -> tuple[Report, dict[Address, Signature]] | None:
        """A report that a quorum has signed in earlier rounds, with the signatures."""
        claims: defaultdict[tuple[Digest, int], dict[Address, Signature]] = defaultdict(dict)
        for promise in await self._promises.of_epoch(snapshot.reporter_set_id, epoch):
            claims[promise.root, promise.round][self._account] = promise.signature
        others = self._others(snapshot)
        set_id = snapshot.reporter_set_id
        told = await asyncio.gather(*(self._signed(peer, set_id, epoch) for peer in others))
        for peer, entries in zip(others, told, strict=True):
            for root, round_, signature in entries:
                claims[root, round_][peer.address] = signature
        for (root, round_), signatures in claims.items():
            if len(signatures) < needed:
                continue
            report = await self._report_of(root, set_id, epoch, round_, others)
            if report is None or not clusters.issuperset(c.cluster_id for c in report.clusters):
                continue
            digest = report.digest(self._domain)
            valid = {
                who: signature
                for who, signature in signatures.items()
                if _is_by(who, digest, signature)
            }
            if len(valid) >= needed:
                return report, valid
        return None

    async def _signed(
        self, peer: Peer, reporter_set_id: int, epoch: Epoch
    ) -> list[tuple[Digest, int, Signature]]:
        try:
            return [
                (
                    parse_digest(entry.get("root"), "root"),
                    parse_uint(entry.get("round"), "round", UINT32_MAX),
                    Signature(parse_hex(entry.get("signature"), "signature", 65)),
                )
                for entry in await peer.signed(reporter_set_id, epoch)
            ]
        except (Unavailable, InvalidInput) as error:
            _log.info("peer tells no signatures", peer=peer.address, reason=error.message)
            return []

    async def _report_of(
        self,
        root: Digest,
        reporter_set_id: int,
        epoch: Epoch,
        round_: int,
        peers: Iterable[Peer],
    ) -> Report | None:
        content = await self._store.proposal(root)
        if content is not None:
            return restore(reporter_set_id, epoch, round_, content).report
        for peer in peers:
            try:
                content = await peer.proposal(root)
                proposal = restore(reporter_set_id, epoch, round_, content)
            except (Unavailable, InvalidInput) as error:
                _log.info("peer has no proposal", peer=peer.address, reason=error.message)
                continue
            if proposal.root == root:
                await self._store.add_proposal(root, epoch, proposal.content, self._clock.now_ms())
                return proposal.report
        return None

    async def _complete(
        self,
        reporters: tuple[Address, ...],
        report: Report,
        signatures: Mapping[Address, Signature],
        started: float,
    ) -> None:
        """Keep and hand on what a quorum of `reporters` signed: the report's set, which may be the
        chain's no longer."""
        # As few signatures as the contract asks for, in its order: each costs gas.
        chosen = [who for who in reporters if who in signatures][: quorum(len(reporters))]
        agreed = AgreedReport(
            report.reporter_set_id,
            report.epoch,
            report.round,
            report.root,
            tuple(report.figures),
            b"".join(signatures[who] for who in chosen),
        )
        await self._store.add_agreed(agreed, self._clock.now_ms())
        seconds = time.monotonic() - started
        self._metrics.agreed(seconds, self._clock.now() - epoch_end(report.epoch))
        _log.info(
            "agreed",
            epoch=report.epoch,
            root=to_hex(report.root),
            signatures=len(signatures),
            seconds=round(seconds, 3),
        )
        await self._transmitter.take(agreed)

    def _others(self, snapshot: ChainSnapshot) -> list[Peer]:
        return among(self._peers, snapshot.reporters)


def _is_by(who: Address, digest: Digest, signature: Signature) -> bool:
    try:
        return recover(digest, signature) == who
    except BadSignature:
        return False
