"""What a proposer makes of its peers' signatures, while the set of reporters changes under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.chain.views import Block
from api.clock import ManualClock
from api.domain.eip712 import oracle_domain
from api.domain.epochs import epoch_end
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport, quorum
from api.domain.signing import Signer, recover
from api.oracle.agree import Proposer
from api.oracle.chain_watch import ChainSnapshot
from api.oracle.metrics import Metrics
from api.oracle.proposals import ClusterProposal, Proposal, parse_proposal
from api.oracle.rounds import proposer_of
from api.store.agreements import AgreedReport
from api.types import SIGNATURE_BYTES, Address, ClusterId, Digest, Epoch, Signature

DOMAIN = oracle_domain(31337, Address("0x" + "22" * 20))
CLUSTER, EPOCH, SET = ClusterId(1), Epoch(472_223), 4
NOW = epoch_end(EPOCH)
FIGURES = ClusterFigures(CLUSTER, 5, 3_600, 3_500, 3_000, 2_000)
PROPOSAL = Proposal(
    SET,
    EPOCH,
    0,
    (ClusterProposal((), ClusterReport(FIGURES, Digest(b"\x09" * 32))),),
)

# In an order that is not that of their addresses.
_KEYS = sorted((Signer(bytes([number]) * 32) for number in range(1, 8)), key=lambda s: s.address)
SEVEN = tuple(_KEYS[number] for number in (3, 6, 0, 5, 2, 4, 1))


def snapshot_of(signers: Sequence[Signer], set_id: int) -> ChainSnapshot:
    block = Block(10, NOW, b"", b"", 1)
    reporters = tuple(signer.address for signer in signers)
    return ChainSnapshot(block, set_id, reporters, 1, {CLUSTER: EPOCH})


@dataclass
class Watch:
    """The chain, with the set that it has now."""

    snapshot: ChainSnapshot

    def current(self) -> ChainSnapshot:
        return self.snapshot


@dataclass
class Signing:
    """A peer that signs everything, and lets the set change before it answers."""

    signer: Signer
    watch: Watch
    becomes: ChainSnapshot

    @property
    def address(self) -> Address:
        return self.signer.address

    async def propose(self, body: bytes) -> Signature:
        self.watch.snapshot = self.becomes
        return self.signer.sign(parse_proposal(body).proposal.report.digest(DOMAIN))


@dataclass
class Kept:
    """What was agreed on. A Transmitter and an AgreementStore, as far as they are asked."""

    reports: list[AgreedReport] = field(default_factory=list)

    async def unsettled(self) -> list[AgreedReport]:
        return []

    async def add_agreed(self, report: AgreedReport, at_ms: int) -> None:
        self.reports.append(report)

    async def take(self, report: AgreedReport) -> None:
        assert report in self.reports


async def _nothing(*_: object) -> None:
    return None


async def _is_so(*_: object) -> bool:
    return True


def proposer_with(signer: Signer, watch: Watch, kept: Kept, peers: Sequence[Signing]) -> Proposer:
    async def proposal(*_: object) -> Proposal:
        return PROPOSAL

    async def sign(proposal: Proposal) -> Signature:
        return signer.sign(proposal.report.digest(DOMAIN))

    parts: dict[str, Any] = {
        "manifests": SimpleNamespace(at=_nothing),
        "collecting": SimpleNamespace(are_closed=_is_so),
        "measuring": None,
        "promises": SimpleNamespace(of_round=proposal, sign=sign),
        "vigil": SimpleNamespace(hear_report=_nothing),
    }
    return Proposer(
        account=signer.address,
        watch=cast(Any, watch),
        clock=ManualClock(NOW * 1_000),
        store=cast(Any, kept),
        transmitter=cast(Any, kept),
        peers={peer.address: cast(Any, peer) for peer in peers},
        domain=DOMAIN,
        metrics=Metrics(),
        **parts,
    )


@pytest.mark.parametrize(
    "becomes",
    [
        pytest.param(snapshot_of(SEVEN, SET), id="the same set"),
        pytest.param(snapshot_of(SEVEN[:4], SET + 1), id="a smaller set"),
        pytest.param(snapshot_of([*SEVEN, Signer(b"\x08" * 32)], SET + 1), id="a larger set"),
    ],
)
async def test_work__set_changes_while_peers_sign__the_quorum_of_the_set_that_was_asked(
    becomes: ChainSnapshot,
) -> None:
    """The report is for the set that it was proposed to, whose quorum the contract asks for."""
    asked = snapshot_of(SEVEN, SET)
    watch, kept = Watch(asked), Kept()
    turn = proposer_of(asked.reporters, EPOCH, 0)
    (own,) = [signer for signer in SEVEN if signer.address == turn]
    peers = [Signing(signer, watch, becomes) for signer in SEVEN if signer is not own]
    assert await proposer_with(own, watch, kept, peers).work()
    assert watch.snapshot is becomes
    (agreed,) = kept.reports
    assert agreed.reporter_set_id == SET
    digest = PROPOSAL.report.digest(DOMAIN)
    signed = [
        recover(digest, Signature(agreed.signatures[at : at + SIGNATURE_BYTES]))
        for at in range(0, len(agreed.signatures), SIGNATURE_BYTES)
    ]
    assert len(signed) == quorum(len(SEVEN))
    # The chain's order, in which the contract finds them for the least gas.
    assert signed == [who for who in asked.reporters if who in signed]
