"""The answer to a proposal: a signature, or the reason why not.

A reporter signs what another one proposed only if all of this holds. In parentheses the reason that
it gives otherwise; those marked * may pass, and the proposer asks again.

1. The proposal is for the set of reporters that the chain has now (`wrong-set`*), it is signed by
   one of them (`not-a-reporter`), and it is that one's turn (`not-proposer`).
2. The epoch is over by this reporter's clock (`not-over`*), and the round is its own or a neighbour
   of it: clocks differ a little (`wrong-round`*).
3. The chain waits for this epoch of every cluster in it (`not-next`).
4. No batch with samples of the epoch that this reporter received in time is left out (`omitted`).
5. It has every batch that is listed, or gets it from the proposer, and each is valid
   (`unknown-batch`*).
6. Every agent has declared the epoch complete, or the time for it is over (`not-closed`*).
7. Sample root and figures, computed anew, are the proposed ones (`differs`).
8. It has signed no other report of these clusters in this epoch and round (`signed-another`).

4 to 7 are asked of all clusters one after the other; the refusal names the first cluster, by id, of
which an answer is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.abreast import abreast
from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.epochs import epoch_end
from api.domain.figures import ClusterFigures
from api.errors import GpuSetUnknown, ProposalRefused
from api.oracle.chain_watch import ChainSnapshot, ChainWatch
from api.oracle.collecting import Collecting
from api.oracle.manifests import Manifests
from api.oracle.measuring import PARALLEL, Measuring
from api.oracle.metrics import Metrics
from api.oracle.peers import Peer
from api.oracle.promises import Promises
from api.oracle.proposals import ClusterProposal, Proposal, parse_proposal
from api.oracle.rounds import proposer_of, round_at
from api.oracle.vigil import Vigil
from api.types import Address, Epoch, Signature

REASONS: Final = frozenset(
    {
        "wrong-set", "not-a-reporter", "not-proposer", "not-over", "wrong-round", "not-next",
        "omitted", "unknown-batch", "not-closed", "differs", "signed-another",
    }
)  # fmt: skip
"""What a refusal gives as its reason."""


class Witness:
    """Checks what others propose."""

    def __init__(
        self,
        *,
        watch: ChainWatch,
        clock: Clock,
        manifests: Manifests,
        collecting: Collecting,
        measuring: Measuring,
        promises: Promises,
        vigil: Vigil,
        peers: dict[Address, Peer],
        domain: Eip712Domain,
        metrics: Metrics,
    ) -> None:
        """`domain` is `oracle_domain`'s."""
        self._watch = watch
        self._clock = clock
        self._manifests = manifests
        self._collecting = collecting
        self._measuring = measuring
        self._promises = promises
        self._vigil = vigil
        self._peers = peers
        self._domain = domain
        self._metrics = metrics

    async def answer(self, body: bytes) -> Signature:
        """This reporter's signature under a proposed report.

        Raises ProposalRefused with a reason of the module's list, InvalidInput for a body that is
        no proposal, BadSignature, or Unavailable.
        """
        signed = parse_proposal(body)
        proposal = signed.proposal
        proposer = signed.proposer(self._domain)
        try:
            snapshot = await self._snapshot_for(proposal)
            await self._vigil.hear_report(proposal.report, signed.signature)
            self._check_turn(proposal, proposer, snapshot)
            await self._check_clusters(proposal, self._peers.get(proposer))
            signature = await self._promises.sign(proposal)
        except ProposalRefused as refusal:
            self._metrics.refused(refusal.reason)
            # Whoever is no peer could sign with a new key every time.
            peer = proposer if proposer in self._peers else "stranger"
            self._metrics.disagreed(peer, refusal.reason)
            raise
        self._metrics.signed()
        return signature

    async def _snapshot_for(self, proposal: Proposal) -> ChainSnapshot:
        """The newest state; read again if the one at hand would lead to a refusal."""
        snapshot = self._watch.current()
        if (
            snapshot.reporter_set_id != proposal.reporter_set_id
            or round_at(self._clock.now(), proposal.epoch) < proposal.round
            or any(
                snapshot.next_epochs.get(cluster.cluster_id) != proposal.epoch
                for cluster in proposal.clusters
            )
        ):
            snapshot = await self._watch.refresh()
        return snapshot

    def _check_turn(self, proposal: Proposal, proposer: Address, snapshot: ChainSnapshot) -> None:
        epoch, round_ = proposal.epoch, proposal.round
        if proposal.reporter_set_id != snapshot.reporter_set_id:
            raise ProposalRefused(
                "wrong-set",
                f"the proposal is for reporter set {proposal.reporter_set_id}, the chain has "
                f"{snapshot.reporter_set_id}",
                value=proposal.reporter_set_id,
                limit=snapshot.reporter_set_id,
                is_passing=True,
            )
        if proposer not in snapshot.reporters:
            raise ProposalRefused("not-a-reporter", f"{proposer} is no reporter", value=proposer)
        expected = proposer_of(snapshot.reporters, epoch, round_)
        if proposer != expected:
            raise ProposalRefused(
                "not-proposer",
                f"round {round_} of epoch {epoch} is {expected}'s, not {proposer}'s",
                value=proposer,
                limit=expected,
            )
        now = self._clock.now()
        if now < epoch_end(epoch):
            raise ProposalRefused(
                "not-over",
                f"epoch {epoch} ends at {epoch_end(epoch)}, it is {now}",
                value=now,
                limit=epoch_end(epoch),
                is_passing=True,
            )
        own_round = round_at(now, epoch)
        if abs(own_round - round_) > 1:
            raise ProposalRefused(
                "wrong-round",
                f"the proposal is of round {round_}, it is round {own_round}",
                value=round_,
                limit=own_round,
                is_passing=True,
            )
        for cluster in proposal.clusters:
            next_epoch = snapshot.next_epochs.get(cluster.cluster_id)
            if next_epoch != epoch:
                raise ProposalRefused(
                    "not-next",
                    f"of cluster {cluster.cluster_id} the chain waits for epoch {next_epoch}",
                    value=epoch,
                    limit=next_epoch,
                )

    async def _check_clusters(self, proposal: Proposal, peer: Peer | None) -> None:
        peers = [] if peer is None else [peer]
        await self._check_nothing_omitted(proposal)
        await self._get_manifests(proposal, peers)
        await self._check_batches(proposal, peers)
        await self._check_closed(proposal)

        async def check(cluster: ClusterProposal) -> None:
            await self._check_figures(proposal.epoch, cluster)

        await abreast(check, proposal.clusters, PARALLEL)

    async def _check_nothing_omitted(self, proposal: Proposal) -> None:
        left_out = await self._collecting.omitted(
            proposal.epoch,
            {cluster.cluster_id: cluster.batch_ids for cluster in proposal.clusters},
        )
        for cluster in proposal.clusters:
            ids = left_out[cluster.cluster_id]
            if ids:
                raise ProposalRefused(
                    "omitted",
                    f"cluster {cluster.cluster_id}: {len(ids)} batches are left out, "
                    f"the first is {to_hex(ids[0])}",
                    value=[to_hex(batch_id) for batch_id in ids[:100]],
                    limit=len(cluster.batch_ids),
                )

    async def _get_manifests(self, proposal: Proposal, peers: Sequence[Peer]) -> None:
        """Raises GpuSetUnknown for the first cluster of which the proposer has none either."""

        async def get(cluster: ClusterProposal) -> None:
            try:
                await self._manifests.at(cluster.cluster_id, proposal.epoch)
            except GpuSetUnknown as unknown:
                if not await self._collecting.fetch_manifest(unknown, peers):
                    raise

        await abreast(get, proposal.clusters, PARALLEL)

    async def _check_batches(self, proposal: Proposal, peers: Sequence[Peer]) -> None:
        listed = [batch_id for cluster in proposal.clusters for batch_id in cluster.batch_ids]
        lacking = set(await self._collecting.fetch(listed, peers))
        for cluster in proposal.clusters:
            absent = [batch_id for batch_id in cluster.batch_ids if batch_id in lacking]
            if absent:
                raise ProposalRefused(
                    "unknown-batch",
                    f"cluster {cluster.cluster_id}: {len(absent)} batches are not to be had, "
                    f"the first is {to_hex(absent[0])}",
                    value=[to_hex(batch_id) for batch_id in absent[:100]],
                    is_passing=True,
                )

    async def _check_closed(self, proposal: Proposal) -> None:
        epoch = proposal.epoch
        if self._collecting.is_time_over(epoch):
            return
        undeclared = await self._collecting.undeclared(
            [cluster.cluster_id for cluster in proposal.clusters], epoch
        )
        if undeclared:
            raise ProposalRefused(
                "not-closed",
                f"cluster {undeclared[0]}: an agent has not declared epoch {epoch} complete",
                value=epoch,
                is_passing=True,
            )

    async def _check_figures(self, epoch: Epoch, cluster: ClusterProposal) -> None:
        cluster_id = cluster.cluster_id
        evidence = await self._measuring.evidence(cluster_id, epoch, cluster.batch_ids)
        own, proposed = evidence.report, cluster.report
        if own.sample_root != proposed.sample_root:
            raise ProposalRefused(
                "differs",
                f"cluster {cluster_id}: sampleRoot is {to_hex(proposed.sample_root)}, "
                f"computed is {to_hex(own.sample_root)}",
                value=to_hex(proposed.sample_root),
                limit=to_hex(own.sample_root),
            )
        if own.figures != proposed.figures:
            raise ProposalRefused(
                "differs",
                f"cluster {cluster_id}: " + _difference(proposed.figures, own.figures),
                value=str(proposed.figures.pack()),
                limit=str(own.figures.pack()),
            )


def _difference(proposed: ClusterFigures, own: ClusterFigures) -> str:
    fields = (
        "energy_wh",
        "contracted_gpu_seconds",
        "available_gpu_seconds",
        "busy_gpu_seconds",
        "billable_gpu_seconds",
    )
    return ", ".join(
        f"{field} is {getattr(proposed, field)}, computed is {getattr(own, field)}"
        for field in fields
        if getattr(proposed, field) != getattr(own, field)
    )
