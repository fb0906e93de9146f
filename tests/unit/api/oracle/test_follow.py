"""How a reporter comes by what reports rest on that were posted before its time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.chain.views import Block
from api.clock import ManualClock
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport
from api.errors import GpuSetUnknown
from api.oracle.chain_watch import ChainSnapshot
from api.oracle.follow import Follower
from api.oracle.metrics import Metrics
from api.oracle.proposals import ClusterProposal, Proposal
from api.store.reports import Position
from api.types import Address, ClusterId, Digest, Epoch

CLUSTER, EPOCH = ClusterId(1), Epoch(472_223)
SAMPLE_ROOT = Digest(b"\x09" * 32)
BATCH = Digest(b"\x0a" * 32)
FIGURES = ClusterFigures(CLUSTER, 5, 3_600, 3_500, 3_000, 2_000)
PROPOSAL = Proposal(0, EPOCH, 0, (ClusterProposal((BATCH,), ClusterReport(FIGURES, SAMPLE_ROOT)),))
BLOCK = Block(10, 1, b"\x01", b"", 1)


@dataclass
class Newcomer:
    """What a reporter holds that has just started: nothing yet. Its peer has everything."""

    manifest_at_peer: bool = True
    has_manifest: bool = False
    batches: set[Digest] = field(default_factory=set)
    proposals: list[Digest] = field(default_factory=list)

    async def without_proposal(self, limit: int) -> list[tuple[Digest, Epoch]]:
        return [(PROPOSAL.root, EPOCH)]

    async def position(self) -> Position:
        return Position(BLOCK.number, Digest(BLOCK.hash))

    async def proposal(self, root: Digest) -> bytes:
        return PROPOSAL.content

    async def fetch(self, ids: Collection[Digest], peers: Sequence[object]) -> None:
        # A batch is checked against the manifest.
        if self.has_manifest:
            self.batches.update(ids)

    async def fetch_manifest(self, unknown: GpuSetUnknown, peers: Sequence[object]) -> bool:
        assert unknown.cluster_id == CLUSTER
        self.has_manifest = self.manifest_at_peer
        return self.has_manifest

    async def evidence(self, cluster_id: ClusterId, epoch: Epoch, ids: Collection[Digest]) -> Any:
        if not self.has_manifest:
            raise GpuSetUnknown(cluster_id, "0x" + "0b" * 32)
        root = SAMPLE_ROOT if self.batches.issuperset(ids) else Digest(bytes(32))
        return SimpleNamespace(samples=SimpleNamespace(root=root))

    async def add_proposal(self, root: Digest, epoch: Epoch, content: bytes, at_ms: int) -> None:
        self.proposals.append(root)

    async def report(self, root: Digest) -> None:
        """Nothing of what was posted is known, so that it cannot be rebuilt from samples."""

    def follower(self) -> Follower:
        snapshot = ChainSnapshot(BLOCK, 1, (), 1, {})
        everything = cast(Any, self)
        peer = SimpleNamespace(address=Address("0x" + "a1" * 20), proposal=self.proposal)
        return Follower(
            watch=cast(Any, SimpleNamespace(current=lambda: snapshot)),
            clock=ManualClock(1),
            store=everything,
            agreements=everything,
            collecting=everything,
            measuring=everything,
            vigil=everything,
            peers=lambda: [cast(Any, peer)],
            metrics=Metrics(),
            confirmations=0,
            first_block=1,
        )


@pytest.mark.parametrize("at_peer", [True, False])
async def test_work__gpu_set_that_nobody_handed_in__asked_of_the_peer_with_the_batches(
    at_peer: bool,
) -> None:
    newcomer = Newcomer(manifest_at_peer=at_peer)
    await newcomer.follower().work()
    assert newcomer.proposals == ([PROPOSAL.root] if at_peer else [])
