"""A reporter answers whatever it is sent with what was asked for, or with a typed problem."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from api.domain.eip712 import oracle_domain
from api.domain.epochs import epoch_end, epoch_start
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport
from api.oracle.proposals import ClusterProposal, Proposal
from api.oracle.witness import REASONS
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, UINT32_MAX, ClusterId, Digest, Epoch
from scripts._lib import cast
from tests.support.mangled import mangled_json
from tests.support.reporting import (
    AGENTS,
    CLUSTER,
    FIRST_EPOCH,
    GPU_SETS,
    Stage,
    World,
    batch_of,
    opened,
    proposer,
    samples_of,
)
from tests.support.search import searched

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.property]

START_MS = epoch_start(FIRST_EPOCH) * 1_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """One reporter that is no proposer of the first epoch, which is over."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("peers")) as world:
        await world.up([cast.REPORTERS[(proposer(FIRST_EPOCH) + 1) % len(cast.REPORTERS)]])
        await world.move_to(epoch_end(FIRST_EPOCH))
        yield world


def check(answer: httpx.Response) -> None:
    """It is a success, or a problem document that says what is wrong."""
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.is_success:
        return
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:rackstream:problem:{problem['code']}"
    assert problem["detail"]


def signed(stage: Stage, proposal: Proposal) -> bytes:
    """The body that the first epoch's proposer would send."""
    domain = oracle_domain(LOCAL_CHAIN_ID, stage.oracle)
    signer = cast.REPORTERS[proposer(FIRST_EPOCH)].signer
    return proposal.signed_json(signer.sign(proposal.report.digest(domain)))


digests = st.sampled_from([bytes(32), b"\xff" * 32]).map(Digest) | st.binary(
    min_size=32, max_size=32
).map(Digest)


@st.composite
def parts(draw: st.DrawFn, cluster_id: int) -> ClusterProposal:
    """One cluster's part with figures that are in order, and nothing behind them."""
    billable, busy, available, contracted = sorted(
        draw(st.lists(st.integers(0, UINT32_MAX), min_size=4, max_size=4))
    )
    energy = draw(st.integers(0, UINT32_MAX))
    figures = ClusterFigures(ClusterId(cluster_id), energy, contracted, available, busy, billable)
    ids = tuple(sorted(draw(st.sets(digests, max_size=3))))
    return ClusterProposal(ids, ClusterReport(figures, draw(digests)))


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    """Mostly of the set, the epoch and the clusters that are waited for."""
    ids = draw(st.sets(st.sampled_from([1, 1, 2, 3, UINT32_MAX]), min_size=1, max_size=3))
    return Proposal(
        draw(st.sampled_from([1, 1, 1, 0, UINT32_MAX])),
        Epoch(draw(st.sampled_from([FIRST_EPOCH] * 4 + [0, FIRST_EPOCH + 1, UINT32_MAX]))),
        draw(st.sampled_from([0, 0, 0, 1, 4, UINT32_MAX])),
        tuple(draw(parts(cluster_id)) for cluster_id in sorted(ids)),
    )


@searched(150)
@given(proposals())
async def test_post_proposal__signed_by_its_proposer_and_untrue__is_refused_with_a_reason(
    world: World, proposal: Proposal
) -> None:
    answer = await world.propose(world.reporters[0], signed(world.stage, proposal))
    check(answer)
    assert answer.status_code == 409
    assert answer.json()["reason"] in REASONS


@searched(150)
@given(st.data())
async def test_post_proposal__any_bytes__typed_problem(world: World, data: st.DataObject) -> None:
    part = data.draw(parts(CLUSTER))
    body = json.loads(signed(world.stage, Proposal(1, FIRST_EPOCH, 0, (part,))))
    answer = await world.propose(world.reporters[0], data.draw(mangled_json(body)))
    check(answer)
    assert not answer.is_success


@searched(150)
@given(st.data())
async def test_post_samples__any_bytes__taken_or_typed_problem(
    world: World, data: st.DataObject
) -> None:
    samples = samples_of(AGENTS[0], CLUSTER, START_MS, START_MS + 120_000)
    good = batch_of(world.stage, AGENTS[0], 1, samples, START_MS + 120_000)
    body = data.draw(mangled_json(json.loads(good.to_json())))
    check(await world.post(world.reporters[0], body))


@searched(100)
@given(body=mangled_json(json.loads(GPU_SETS[CLUSTER].to_manifest())))
async def test_put_gpus__any_bytes__taken_or_typed_problem(world: World, body: bytes) -> None:
    check(await world.put_gpus(world.reporters[0], CLUSTER, body))


segments = st.sampled_from(
    ["0", "1", "-1", "472223", str(2**32), str(2**64), "0x" + "5d" * 32, "..", "%00"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=70).map(lambda text: quote(text, ""))
queries = st.dictionaries(
    st.sampled_from(["clusterId", "reporterSetId", "root", "other"]), segments, max_size=3
)


@searched(200)
@given(
    path=st.sampled_from(
        ["epochs/{}/batches", "epochs/{}/signatures", "batches/{}", "proposals/{}", "{}"]
    ),
    segment=segments,
    query=queries,
)
async def test_get_from_peer__any_path_and_query__answered_or_typed_problem(
    world: World, path: str, segment: str, query: dict[str, str]
) -> None:
    written = "&".join(f"{name}={value}" for name, value in query.items())
    check(await world.get(world.reporters[0], f"/v1/peer/{path.format(segment)}?{written}"))
