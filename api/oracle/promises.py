"""What this reporter has promised and signed, and the one rule about it."""

from __future__ import annotations

import asyncio

from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain
from api.errors import ProposalRefused
from api.oracle.ingest import Ingest
from api.oracle.proposals import Proposal, restore
from api.sending.signers import SigningAccount
from api.store.agreements import AgreementStore, PromisedRoot, SignedRoot
from api.types import ClusterId, Digest, Epoch, Signature


class Promises:
    """Signs reports: for a cluster, an epoch and a round never two of them.

    A promise is durable before whoever has the key is asked, and its epoch takes no more samples: a
    remote signer may have signed although its answer was lost. A signature is durable before it is
    returned. In another round another report may be signed, or else a proposer that died half-way
    would stop the epoch for ever; of two reports the chain counts the first.
    """

    def __init__(
        self,
        *,
        signer: SigningAccount,
        domain: Eip712Domain,
        clock: Clock,
        store: AgreementStore,
        ingest: Ingest,
    ) -> None:
        """`domain` is `oracle_domain`'s."""
        self._signer = signer
        self._domain = domain
        self._clock = clock
        self._store = store
        self._ingest = ingest
        self._lock = asyncio.Lock()

    async def sign(self, proposal: Proposal) -> Signature:
        """This reporter's signature under the proposal's report; the same if asked again.

        Raises:
            ProposalRefused: `signed-another`, for a cluster of it in this epoch and round.
            Unavailable: Whoever has the key does not sign now. What was promised stays promised.
        """
        set_id, epoch, round_, root = (
            proposal.reporter_set_id,
            proposal.epoch,
            proposal.round,
            proposal.root,
        )
        async with self._lock:
            promised = await self._store.promised(set_id, epoch)
            self._refuse_another(proposal, [one for one in promised if one.round == round_])
            for signed in await self._store.signed(set_id, epoch):
                if (signed.round, signed.root) == (round_, root):
                    return signed.signature
            promise = PromisedRoot(set_id, epoch, round_, root, proposal.content)
            await self._store.promise(promise, self._clock.now_ms())
            for cluster in proposal.clusters:
                self._ingest.close(cluster.cluster_id, epoch)
            signature = await self._signer.sign(proposal.report.message(self._domain))
            await self._store.add_signature(
                SignedRoot(set_id, epoch, round_, root, signature, proposal.content),
                self._clock.now_ms(),
            )
            return signature

    async def of_round(
        self, reporter_set_id: int, epoch: Epoch, round_: int, clusters: frozenset[ClusterId]
    ) -> Proposal | None:
        """The proposal for some of these clusters that was promised in this round."""
        for promise in await self._store.promised(reporter_set_id, epoch):
            if promise.round == round_:
                proposal = restore(reporter_set_id, epoch, round_, promise.content)
                if clusters & {cluster.cluster_id for cluster in proposal.clusters}:
                    return proposal
        return None

    async def of_epoch(self, reporter_set_id: int, epoch: Epoch) -> list[SignedRoot]:
        """Everything that was signed for an epoch."""
        return await self._store.signed(reporter_set_id, epoch)

    async def restore_closed(
        self, reporter_set_id: int, next_epochs: dict[ClusterId, Epoch]
    ) -> None:
        """After a start: close the epochs that were promised and are not on chain yet, also for the
        set before, whose reports may still be counted."""
        for epoch in set(next_epochs.values()):
            for set_id in (reporter_set_id - 1, reporter_set_id):
                for promise in await self._store.promised(set_id, epoch):
                    proposal = restore(set_id, epoch, promise.round, promise.content)
                    for cluster in proposal.clusters:
                        self._ingest.close(cluster.cluster_id, epoch)

    def _refuse_another(self, proposal: Proposal, of_round: list[PromisedRoot]) -> None:
        clusters = {cluster.cluster_id for cluster in proposal.clusters}
        for promise in of_round:
            if promise.root == proposal.root:
                continue
            other = restore(promise.reporter_set_id, promise.epoch, promise.round, promise.content)
            both = clusters & {cluster.cluster_id for cluster in other.clusters}
            if both:
                raise ProposalRefused(
                    "signed-another",
                    f"in round {proposal.round} of epoch {proposal.epoch} the report "
                    f"{to_hex(Digest(promise.root))} of cluster {min(both)} is signed already",
                    value=to_hex(proposal.root),
                    limit=to_hex(Digest(promise.root)),
                )
