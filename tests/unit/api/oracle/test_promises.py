"""What is promised stands before it is signed, whatever becomes of the signer."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from api.clock import ManualClock
from api.domain.eip712 import TypedMessage, oracle_domain
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport
from api.domain.signing import Signer
from api.errors import ProposalRefused, SignerUnavailable
from api.oracle.ingest import Ingest
from api.oracle.promises import Promises
from api.oracle.proposals import ClusterProposal, Proposal
from api.sending.signers import LocalSigner
from api.store.agreements import AgreementStore
from api.store.database import Database
from api.types import LOCAL_CHAIN_ID, ZERO_DIGEST, Address, ClusterId, Epoch, Signature

KEY = Signer(b"\x05" * 32)
DOMAIN = oracle_domain(LOCAL_CHAIN_ID, Address("0x" + "22" * 20))
CLUSTER, EPOCH, SET = ClusterId(1), Epoch(472_222), 3


def proposal_of(energy_wh: int, round_: int = 0) -> Proposal:
    figures = ClusterFigures(CLUSTER, energy_wh, 3_600, 3_600, 0, 0)
    return Proposal(SET, EPOCH, round_, (ClusterProposal((), ClusterReport(figures, ZERO_DIGEST)),))


PROPOSAL, ANOTHER = proposal_of(700), proposal_of(701)


class Deaf(LocalSigner):
    """A signer that signs and whose answers are lost; and what was promised by then."""

    def __init__(self, store: AgreementStore) -> None:
        super().__init__(KEY)
        self.store = store
        self.is_deaf = True
        self.asked: list[bytes] = []
        self.promised_before: list[bytes] = []

    async def sign(self, message: TypedMessage) -> Signature:
        self.asked.append(message.digest)
        self.promised_before = [one.root for one in await self.store.promised(SET, EPOCH)]
        if self.is_deaf:
            raise SignerUnavailable("signer.example", "no answer within 4 s")
        return await super().sign(message)


class Closed:
    """Which epochs take no more samples."""

    def __init__(self) -> None:
        self.epochs: list[tuple[ClusterId, Epoch]] = []

    def close(self, cluster_id: ClusterId, epoch: Epoch) -> None:
        self.epochs.append((cluster_id, epoch))


class Office:
    def __init__(self, database: Database) -> None:
        self.store = AgreementStore(database)
        self.signer = Deaf(self.store)
        self.closed = Closed()
        self.promises = self._new()

    def _new(self) -> Promises:
        return Promises(
            signer=self.signer,
            domain=DOMAIN,
            clock=ManualClock(1_700_000_000_000),
            store=self.store,
            ingest=cast(Ingest, self.closed),
        )

    def restart(self) -> None:
        self.promises = self._new()

    async def fail(self, proposal: Proposal = PROPOSAL) -> None:
        with pytest.raises(SignerUnavailable):
            await self.promises.sign(proposal)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


async def test_sign__signer_asked__promised_durably_before(office: Office) -> None:
    office.signer.is_deaf = False
    signature = await office.promises.sign(PROPOSAL)
    assert signature == KEY.sign(PROPOSAL.report.digest(DOMAIN))
    assert office.signer.promised_before == [PROPOSAL.root]
    assert [one.signature for one in await office.promises.of_epoch(SET, EPOCH)] == [signature]
    assert office.closed.epochs == [(CLUSTER, EPOCH)]


async def test_sign__asked_again__signs_once(office: Office) -> None:
    office.signer.is_deaf = False
    first = await office.promises.sign(PROPOSAL)
    office.restart()
    assert await office.promises.sign(PROPOSAL) == first
    assert len(office.signer.asked) == 1


async def test_sign__answer_lost__no_other_report_of_the_round_is_signed(office: Office) -> None:
    await office.fail()
    office.restart()
    office.signer.is_deaf = False
    with pytest.raises(ProposalRefused) as refusal:
        await office.promises.sign(ANOTHER)
    assert refusal.value.reason == "signed-another"
    assert office.signer.asked == [PROPOSAL.report.digest(DOMAIN)]
    # Nothing that is not signed is told to others.
    assert await office.promises.of_epoch(SET, EPOCH) == []


async def test_sign__answer_lost__the_same_report_is_signed_later(office: Office) -> None:
    await office.fail()
    await office.fail()
    office.restart()
    assert await office.promises.of_round(SET, EPOCH, 0, frozenset({CLUSTER})) == PROPOSAL
    office.signer.is_deaf = False
    assert await office.promises.sign(PROPOSAL) == KEY.sign(PROPOSAL.report.digest(DOMAIN))


async def test_sign__answer_lost__another_report_of_the_next_round_is_signed(
    office: Office,
) -> None:
    await office.fail()
    office.signer.is_deaf = False
    later = replace(ANOTHER, round=1)
    assert await office.promises.sign(later) == KEY.sign(later.report.digest(DOMAIN))


async def test_restore_closed__promised_and_not_signed__takes_no_more_samples(
    office: Office,
) -> None:
    await office.fail()
    office.closed.epochs.clear()
    office.restart()
    await office.promises.restore_closed(SET, {CLUSTER: EPOCH})
    assert office.closed.epochs == [(CLUSTER, EPOCH)]


@pytest.mark.parametrize(("set_id", "is_closed"), [(SET, True), (SET + 1, True), (SET + 2, False)])
async def test_restore_closed__promised_for_a_set_that_may_be_counted__takes_no_more_samples(
    office: Office, set_id: int, is_closed: bool
) -> None:
    """The set may have changed since: for an hour its reports are counted as before."""
    office.signer.is_deaf = False
    await office.promises.sign(PROPOSAL)
    office.closed.epochs.clear()
    office.restart()
    await office.promises.restore_closed(set_id, {CLUSTER: EPOCH})
    assert office.closed.epochs == [(CLUSTER, EPOCH)] * is_closed
