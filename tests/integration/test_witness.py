"""What one reporter signs of what others propose, the test playing all the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import httpx
import pytest
import pytest_asyncio

from api.chain.views import ReportHeader
from api.domain.codec import parse_hex, to_hex
from api.domain.eip712 import oracle_domain
from api.domain.epochs import epoch_end, epoch_start, epoch_window_ms
from api.domain.figures import epoch_figures
from api.domain.reports import ClusterReport
from api.domain.samples import SampleSet, SignedBatch
from api.domain.signing import Signer, recover
from api.oracle.proposals import ClusterProposal, Proposal
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, ROUND_SECONDS, ClusterId, Digest, Epoch
from scripts._lib import cast
from tests.support.reporting import (
    AGENTS,
    CLUSTER,
    FIRST_EPOCH,
    GPU_SETS,
    SECOND_CLUSTER,
    Stage,
    World,
    batch_of,
    epoch_batches,
    opened,
    proposer,
    samples_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

EPOCH = FIRST_EPOCH
END = epoch_end(EPOCH)
MAX_WATTS = 700
TURN = proposer(EPOCH)
PROPOSER = cast.REPORTERS[TURN].signer
WITNESS = cast.REPORTERS[(TURN + 1) % 4]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with opened(stage, postgres, tmp_path_factory.mktemp("witness")) as world:
        # Nobody listens at the proposer's address: what the witness lacks it does not get.
        await world.up([WITNESS], {PROPOSER.address: "http://127.0.0.1:9"})
        yield world


def true_part(
    batches: Sequence[SignedBatch], stage: Stage, cluster_id: ClusterId = CLUSTER
) -> ClusterProposal:
    """What an honest proposer makes of these batches."""
    start_ms, end_ms = epoch_window_ms(EPOCH)
    own = [signed.batch for signed in batches if signed.batch.cluster_id == cluster_id]
    samples = SampleSet(chain.from_iterable(batch.samples for batch in own), start_ms, end_ms)
    figures = epoch_figures(GPU_SETS[cluster_id], EPOCH, samples.samples, MAX_WATTS)
    ids = tuple(sorted(batch.digest(stage.domain) for batch in own))
    return ClusterProposal(ids, ClusterReport(figures, samples.root))


@dataclass
class Proposing:
    """Proposals, honest but for what a test changes."""

    world: World
    batches: list[SignedBatch]
    reporter_set_id: int

    @property
    def part(self) -> ClusterProposal:
        return true_part(self.batches, self.world.stage)

    def proposal(self, *parts: ClusterProposal, epoch: Epoch = EPOCH, round_: int = 0) -> Proposal:
        return Proposal(self.reporter_set_id, epoch, round_, parts or (self.part,))

    async def send(self, proposal: Proposal, signer: Signer = PROPOSER) -> httpx.Response:
        return await self.send_body(self.signed(proposal, signer))

    def signed(self, proposal: Proposal, signer: Signer = PROPOSER) -> bytes:
        domain = oracle_domain(LOCAL_CHAIN_ID, self.world.stage.oracle)
        return proposal.signed_json(signer.sign(proposal.report.digest(domain)))

    async def send_body(self, body: bytes) -> httpx.Response:
        async with httpx.AsyncClient(timeout=10) as client:
            return await client.post(
                self.world.reporters[0].url + "/v1/peer/proposals", content=body
            )

    async def reason(self, proposal: Proposal, signer: Signer = PROPOSER) -> tuple[str, bool]:
        """Why it is refused, and whether that may pass."""
        answer = await self.send(proposal, signer)
        assert answer.status_code == 409, answer.text
        problem = answer.json()
        assert problem["code"] == "proposal-refused"
        return problem["reason"], problem["isPassing"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(world: World) -> Proposing:
    """The epoch still runs; the witness has half of it from each agent of the first cluster."""
    start_ms = epoch_start(EPOCH) * 1_000
    middle_ms = start_ms + 1_800_000
    batches = [
        batch_of(world.stage, agent, 1, samples_of(agent, CLUSTER, start_ms, middle_ms), middle_ms)
        for agent in AGENTS[:2]
    ]
    await world.move_to(END - 60)
    await world.send(batches)
    return Proposing(world, batches, await world.oracle.reporter_set_id())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def over(running: Proposing) -> Proposing:
    """The epoch is over; no agent has declared it complete."""
    await running.world.move_to(END)
    return running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def declared(over: Proposing) -> Proposing:
    """Every agent has declared the epoch complete."""
    end_ms = END * 1_000
    declarations = [batch_of(over.world.stage, agent, 2, [], end_ms) for agent in AGENTS[:2]]
    second = epoch_batches(over.world.stage, EPOCH, AGENTS[2:])
    await over.world.send([*declarations, *second])
    return replace(over, batches=[*over.batches, *declarations, *second])


async def test_answer__epoch_runs__not_over(running: Proposing) -> None:
    assert await running.reason(running.proposal()) == ("not-over", True)


async def test_answer__other_reporter_set__wrong_set(over: Proposing) -> None:
    other = replace(over, reporter_set_id=over.reporter_set_id + 1)
    assert await over.reason(other.proposal()) == ("wrong-set", True)


async def test_answer__signed_by_a_stranger__not_a_reporter(over: Proposing) -> None:
    assert await over.reason(over.proposal(), AGENTS[0].signer) == ("not-a-reporter", False)


async def test_answer__round_changed_after_signing__not_a_reporter(over: Proposing) -> None:
    body = over.signed(over.proposal())
    answer = await over.send_body(body.replace(b'"round":0', b'"round":1'))
    assert answer.json()["reason"] == "not-a-reporter"


async def test_answer__not_its_turn__not_proposer(over: Proposing) -> None:
    other = cast.REPORTERS[proposer(EPOCH, 2)].signer
    answer = await over.send(over.proposal(), other)
    assert answer.json()["reason"] == "not-proposer"
    assert answer.json()["value"] == other.address
    assert answer.json()["limit"] == PROPOSER.address


async def test_answer__round_of_another_time__wrong_round(over: Proposing) -> None:
    assert await over.reason(over.proposal(round_=4)) == ("wrong-round", True)


async def test_answer__epoch_that_the_chain_does_not_wait_for__not_next(over: Proposing) -> None:
    before = Epoch(EPOCH - 1)
    round_ = (END - epoch_end(before)) // ROUND_SECONDS
    signer = cast.REPORTERS[proposer(before, round_)].signer
    proposal = over.proposal(epoch=before, round_=round_)
    assert await over.reason(proposal, signer) == ("not-next", False)


async def test_answer__kept_batch_left_out__omitted_by_name(over: Proposing) -> None:
    part = true_part(over.batches[:1], over.world.stage)
    answer = await over.send(over.proposal(part))
    assert answer.json()["reason"] == "omitted"
    assert answer.json()["value"] == [to_hex(over.batches[1].batch.digest(over.world.stage.domain))]


async def test_answer__batch_that_nobody_has__unknown_batch(over: Proposing) -> None:
    invented = Digest(b"\x07" * 32)
    part = replace(over.part, batch_ids=tuple(sorted([*over.part.batch_ids, invented])))
    answer = await over.send(over.proposal(part))
    assert answer.json()["reason"] == "unknown-batch"
    assert answer.json()["isPassing"]
    assert answer.json()["value"] == [to_hex(invented)]


async def test_answer__agents_not_done__not_closed(over: Proposing) -> None:
    assert await over.reason(over.proposal()) == ("not-closed", True)


@pytest.mark.parametrize("field", ["energy_wh", "available_gpu_seconds", "billable_gpu_seconds"])
async def test_answer__figure_off_by_one__differs_naming_both(
    declared: Proposing, field: str
) -> None:
    figures = declared.part.report.figures
    wrong = replace(figures, **{field: getattr(figures, field) - 1})
    part = replace(declared.part, report=replace(declared.part.report, figures=wrong))
    answer = await declared.send(declared.proposal(part))
    assert answer.json()["reason"] == "differs"
    assert f"{field} is {getattr(wrong, field)}" in answer.json()["detail"]
    assert answer.json()["value"] == str(wrong.pack())
    assert answer.json()["limit"] == str(figures.pack())


async def test_answer__both_clusters_wrong__differs_naming_the_first(declared: Proposing) -> None:
    first, second = (
        replace(part, report=replace(part.report, sample_root=Digest(b"\x01" * 32)))
        for part in (
            declared.part,
            true_part(declared.batches, declared.world.stage, SECOND_CLUSTER),
        )
    )
    for _ in range(5):
        answer = await declared.send(declared.proposal(first, second))
        assert answer.json()["reason"] == "differs"
        assert f"cluster {CLUSTER}: " in answer.json()["detail"]


async def test_batch_ids__several_clusters__those_of_all_together(declared: Proposing) -> None:
    world = declared.world

    async def told(*clusters: int) -> set[str]:
        query = "&".join(f"clusterId={one}" for one in clusters)
        answer = await world.get(world.reporters[0], f"/v1/peer/epochs/{EPOCH}/batches?{query}")
        return set(answer.json()["batchIds"])

    of_first, of_second = await told(CLUSTER), await told(SECOND_CLUSTER)
    assert of_first
    assert of_second
    assert not of_first & of_second
    assert await told(CLUSTER, SECOND_CLUSTER, CLUSTER) == of_first | of_second
    assert await told(999) == set()


@pytest.mark.parametrize("query", ["", "?clusterId=0", "?clusterId=1" + "&clusterId=1" * 256])
async def test_batch_ids__no_cluster_none_such_or_too_many__refused(
    declared: Proposing, query: str
) -> None:
    world = declared.world
    answer = await world.get(world.reporters[0], f"/v1/peer/epochs/{EPOCH}/batches{query}")
    assert answer.status_code == 422


async def test_answer__other_sample_root__differs(declared: Proposing) -> None:
    report = replace(declared.part.report, sample_root=Digest(b"\x01" * 32))
    part = replace(declared.part, report=report)
    assert await declared.reason(declared.proposal(part)) == ("differs", False)


async def test_answer__root_of_other_clusters__incoherent(declared: Proposing) -> None:
    proposal = declared.proposal()
    body = declared.signed(proposal)
    answer = await declared.send_body(body.replace(proposal.root.hex().encode(), b"00" * 32))
    assert (answer.status_code, answer.json()["code"]) == (422, "incoherent")


async def test_answer__true__signed_the_same_every_time_and_no_other(declared: Proposing) -> None:
    stage = declared.world.stage
    proposal = declared.proposal()
    first = await declared.send(proposal)
    assert first.status_code == 200, first.text
    signature = parse_hex(first.json()["signature"], "signature", 65)
    digest = proposal.report.digest(oracle_domain(LOCAL_CHAIN_ID, stage.oracle))
    assert recover(digest, signature) == WITNESS.address == first.json()["reporter"]
    chain_digest = await declared.world.oracle.report_digest(
        ReportHeader(declared.reporter_set_id, EPOCH, 0, proposal.root), proposal.report.figures
    )
    assert digest == chain_digest

    second = await declared.send(proposal)
    assert second.content == first.content

    both = declared.proposal(declared.part, true_part(declared.batches, stage, SECOND_CLUSTER))
    assert await declared.reason(both) == ("signed-another", False)

    told = await declared.world.get(
        declared.world.reporters[0],
        f"/v1/peer/epochs/{EPOCH}/signatures",
        reporterSetId=declared.reporter_set_id,
    )
    assert told.json()["signatures"] == [
        {"root": to_hex(proposal.root), "round": 0, "signature": first.json()["signature"]}
    ]


async def test_submit__epoch_signed__backdated(declared: Proposing) -> None:
    end_ms = END * 1_000
    late = batch_of(
        declared.world.stage,
        AGENTS[0],
        3,
        samples_of(AGENTS[0], CLUSTER, end_ms - 60_000, end_ms),
        end_ms,
    )
    answer = await declared.world.post(declared.world.reporters[0], late.to_json())
    assert (answer.status_code, answer.json()["code"]) == (422, "backdated")
