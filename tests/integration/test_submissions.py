"""What one reporter takes from agents, and with which words it refuses everything else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.domain.codec import to_hex
from api.domain.epochs import epoch_end, epoch_start
from api.domain.gpu_set import GpuSet
from api.domain.samples import Sample, SignedBatch
from api.store.embedded import EmbeddedPostgres
from api.types import MAX_BATCH_BYTES, ClusterId, Epoch
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
    opened,
    samples_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENT, OTHER = AGENTS[0], AGENTS[1]
START_MS = epoch_start(FIRST_EPOCH) * 1_000
MINUTE_MS = 60_000
# The chain's clock during these tests: half an hour into the first epoch.
NOW = epoch_start(FIRST_EPOCH) + 1_800


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with opened(stage, postgres, tmp_path_factory.mktemp("submissions")) as world:
        world.add_reporters(cast.REPORTERS[:1])
        await world.ready()
        await world.move_to(NOW)
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def known(world: World) -> World:
    """The reporter knows the GPU sets."""
    await world.give_manifests()
    return world


_sequence = iter(range(1, 10_000))


def some_batch(stage: Stage, *, sequence: int | None = None, **changes: Any) -> SignedBatch:
    """Five minutes of the first agent, as it should be, with a sequence number of its own."""
    sequence = sequence or next(_sequence)
    samples = changes.pop("samples", None)
    if samples is None:
        samples = samples_of(AGENT, CLUSTER, START_MS, START_MS + 5 * MINUTE_MS)
    through_ms = changes.pop("through_ms", START_MS + 5 * MINUTE_MS)
    return batch_of(stage, AGENT, sequence, samples, through_ms, **changes)


async def post(world: World, body: bytes) -> httpx.Response:
    return await world.post(world.reporters[0], body)


def altered(batch: SignedBatch, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The batch's JSON after `change`, under the old signature."""
    value = json.loads(batch.to_json())
    change(value)
    return json.dumps(value).encode()


async def test_post_samples__manifest_not_known__come_again(world: World, stage: Stage) -> None:
    answer = await post(world, some_batch(stage).to_json())
    assert answer.status_code == 503
    assert answer.json()["code"] == "gpu-set-unknown"
    assert answer.json()["value"] == to_hex(GPU_SETS[CLUSTER].root)


async def test_put_gpus__root_not_on_chain__refused_with_both(world: World) -> None:
    wrong = GpuSet(CLUSTER, list(GPU_SETS[CLUSTER])[:-1])
    answer = await httpx.AsyncClient().put(
        f"{world.reporters[0].url}/v1/clusters/{CLUSTER}/gpus", content=wrong.to_manifest()
    )
    assert answer.status_code == 422
    assert answer.json()["code"] == "incoherent"
    assert answer.json()["value"] == to_hex(wrong.root)
    assert answer.json()["limit"] == [to_hex(GPU_SETS[CLUSTER].root)]


async def test_get_gpus__handed_in__comes_back_the_same(known: World) -> None:
    answer = await known.get(known.reporters[0], f"/v1/clusters/{CLUSTER}/gpus")
    assert GpuSet.from_manifest(answer.text) == GPU_SETS[CLUSTER]


async def test_post_samples__new__receipt_with_its_id(known: World, stage: Stage) -> None:
    batch = some_batch(stage)
    answer = await post(known, batch.to_json())
    assert answer.status_code == 200
    receipt = answer.json()
    assert receipt["batchId"] == to_hex(batch.batch.digest(stage.domain))
    assert receipt["samples"] == len(batch.batch.samples)
    assert receipt["receivedAtMs"] == NOW * 1_000


async def test_post_samples__again__the_same_answer(known: World, stage: Stage) -> None:
    batch = some_batch(stage)
    first = await post(known, batch.to_json())
    second = await post(known, batch.to_json())
    assert second.status_code == 200
    assert second.content == first.content


async def test_post_samples__at_once_many_times__kept_once(known: World, stage: Stage) -> None:
    batch = some_batch(stage)
    answers = await asyncio.gather(*(post(known, batch.to_json()) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


async def test_post_samples__no_samples__a_declaration(known: World, stage: Stage) -> None:
    answer = await post(known, some_batch(stage, samples=[], through_ms=NOW * 1_000).to_json())
    assert answer.status_code == 200
    assert answer.json()["samples"] == 0


async def test_post_samples__two_agents_declare_the_same__both_count(
    known: World, stage: Stage
) -> None:
    declarations = [batch_of(stage, agent, 9_999, [], START_MS) for agent in (AGENT, OTHER)]
    answers = [(await post(known, batch.to_json())).json() for batch in declarations]
    assert [answer["agent"] for answer in answers] == [AGENT.address, OTHER.address]
    assert answers[0]["batchId"] != answers[1]["batchId"]


@dataclass(frozen=True)
class Refusal:
    """A body that is refused, and how."""

    name: str
    body: Callable[[Stage], bytes]
    status: int
    code: str
    value: object = None
    limit: object = None


def _sample(**changes: Any) -> list[Sample]:
    (first, *_) = samples_of(AGENT, CLUSTER, START_MS, START_MS + MINUTE_MS)
    return [first._replace(**changes)]


_STRANGER = GPU_SETS[CLUSTER].of_agent(OTHER.address)[0].gpu_id
_FUTURE_MS = NOW * 1_000 + 60_001

REFUSALS = [
    Refusal("not JSON", lambda _: b"{", 400, "malformed"),
    Refusal(
        "a field is missing",
        lambda stage: altered(some_batch(stage), lambda b: b.pop("sequence")),
        400,
        "malformed",
    ),
    Refusal(
        "a share above the whole",
        lambda stage: altered(some_batch(stage), lambda b: b["samples"][0].update(busyBps=10_001)),
        400,
        "malformed",
        10_001,
    ),
    Refusal(
        "billed more than busy",
        lambda stage: altered(
            some_batch(stage), lambda b: b["samples"][0].update(busyBps=1, billableBps=2)
        ),
        422,
        "incoherent",
        2,
        1,
    ),
    Refusal(
        "tampered sample",
        lambda stage: altered(some_batch(stage), lambda b: b["samples"][0].update(energyMj=7)),
        422,
        "bad-signature",
    ),
    Refusal(
        "tampered declaration",
        lambda stage: altered(some_batch(stage), lambda b: b.update(throughMs=START_MS + 1)),
        422,
        "bad-signature",
    ),
    Refusal(
        "unsigned",
        lambda stage: altered(some_batch(stage), lambda b: b.update(signature="0x" + "00" * 65)),
        422,
        "bad-signature",
    ),
    Refusal(
        "signed for another chain",
        lambda stage: some_batch(replace(stage, oracle=AGENT.address)).to_json(),
        422,
        "bad-signature",
    ),
    Refusal(
        "sample in the future",
        lambda stage: some_batch(stage, samples=_sample(at_ms=_FUTURE_MS)).to_json(),
        422,
        "in-the-future",
        _FUTURE_MS,
        NOW * 1_000 + 60_000,
    ),
    Refusal(
        "declaration of the future",
        lambda stage: some_batch(stage, through_ms=_FUTURE_MS).to_json(),
        422,
        "in-the-future",
        _FUTURE_MS,
        NOW * 1_000 + 60_000,
    ),
    Refusal(
        "samples from before the first epoch",
        lambda stage: some_batch(stage, samples=_sample(at_ms=START_MS - 1)).to_json(),
        422,
        "backdated",
        START_MS - 1,
        START_MS,
    ),
    Refusal(
        "another agent's GPU",
        lambda stage: some_batch(stage, samples=_sample(gpu=_STRANGER)).to_json(),
        403,
        "wrong-agent",
        {"gpu": to_hex(_STRANGER), "agent": AGENT.address},
        OTHER.address,
    ),
    Refusal(
        "nobody's GPU",
        lambda stage: some_batch(stage, samples=_sample(gpu=b"\x07" * 32)).to_json(),
        404,
        "unknown-gpu",
        "0x" + "07" * 32,
        CLUSTER,
    ),
    Refusal(
        "a declaration by a stranger",
        lambda stage: some_batch(
            stage, samples=[], through_ms=START_MS, cluster_id=SECOND_CLUSTER
        ).to_json(),
        403,
        "wrong-agent",
    ),
    Refusal(
        "unknown cluster",
        lambda stage: some_batch(stage, cluster_id=ClusterId(99)).to_json(),
        404,
        "unknown-cluster",
        99,
    ),
    Refusal(
        "too many samples",
        lambda stage: altered(
            some_batch(stage), lambda b: b.update(samples=b["samples"][:1] * 10_001)
        ),
        413,
        "oversized",
        10_001,
        10_000,
    ),
    Refusal(
        "too many bytes",
        lambda _: b" " * (MAX_BATCH_BYTES + 1),
        413,
        "oversized",
        MAX_BATCH_BYTES + 1,
        MAX_BATCH_BYTES,
    ),
    Refusal(
        "a sequence that no database holds",
        lambda stage: some_batch(stage, sequence=2**63).to_json(),
        422,
        "out-of-range",
        str(2**63),
        [1, str(2**63 - 1)],
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
async def test_post_samples__not_allowed__refused_with_value_and_limit(
    known: World, stage: Stage, refusal: Refusal
) -> None:
    answer = await post(known, refusal.body(stage))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (refusal.status, refusal.code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == refusal.status
    assert problem["type"] == f"urn:rackstream:problem:{refusal.code}"
    assert problem["instance"] == "/v1/samples"
    assert problem["requestId"] == answer.headers["x-request-id"]
    if refusal.value is not None:
        assert problem["value"] == refusal.value
    if refusal.limit is not None:
        assert problem["limit"] == refusal.limit


async def test_post_samples__another_content_under_a_sequence__conflict_naming_the_first(
    known: World, stage: Stage
) -> None:
    first = some_batch(stage)
    assert (await post(known, first.to_json())).status_code == 200
    second = some_batch(stage, sequence=first.batch.sequence, samples=_sample(busy_bps=9_999))
    answer = await post(known, second.to_json())
    assert answer.status_code == 409
    assert answer.json()["code"] == "sequence-reused"
    assert answer.json()["value"] == first.batch.sequence
    assert answer.json()["limit"] == to_hex(first.batch.digest(stage.domain))


async def test_post_samples__oversized_announcement__refused_before_it_is_sent(
    known: World,
) -> None:
    _, _, address = known.reporters[0].url.rpartition("/")
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/samples HTTP/1.1\r\nHost: x\r\nContent-Length: {10**9}\r\n\r\n".encode()
    )
    await writer.drain()
    status = await asyncio.wait_for(reader.readline(), timeout=5)
    writer.close()
    await writer.wait_closed()
    assert b" 413 " in status


async def test_post_samples__unannounced_flood__cut_off_at_the_limit(known: World) -> None:
    async def flood() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.post(known.reporters[0].url + "/v1/samples", content=flood())
    assert answer.status_code == 413


async def test_post_samples__after_own_declaration_of_the_epoch__backdated(
    known: World, stage: Stage
) -> None:
    # Another agent than the others' tests use, as it closes its epoch.
    epoch = Epoch(FIRST_EPOCH + 1)
    await known.move_to(epoch_end(epoch) + 1)
    end_ms = epoch_end(FIRST_EPOCH) * 1_000
    declared = batch_of(stage, OTHER, 1, [], end_ms)
    assert (await post(known, declared.to_json())).status_code == 200
    late = batch_of(stage, OTHER, 2, samples_of(OTHER, CLUSTER, START_MS, end_ms), end_ms)
    answer = await post(known, late.to_json())
    assert answer.status_code == 422
    assert answer.json()["code"] == "backdated"
    assert answer.json()["limit"] == end_ms


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"from": NOW - 600, "to": NOW, "step": 59}, 422, "invalid-input"),
        ({"from": NOW, "to": NOW, "step": 60}, 422, "incoherent"),
        ({"from": NOW - 60_060, "to": NOW, "step": 60}, 413, "oversized"),
        ({"from": NOW - 40 * 86_400, "to": NOW, "step": 86_400}, 413, "oversized"),
        ({"from": -1, "to": NOW, "step": 60}, 422, "invalid-input"),
        ({"from": "x", "to": NOW}, 422, "invalid-input"),
        ({"to": NOW}, 422, "invalid-input"),
    ],
)
async def test_get_metrics__not_allowed__refused(
    known: World, parameters: dict[str, Any], status: int, code: str
) -> None:
    answer = await known.get(known.reporters[0], f"/v1/clusters/{CLUSTER}/metrics", **parameters)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/clusters/99", "unknown-cluster"),
        ("/v1/clusters/99/gpus", "unknown-cluster"),
        (f"/v1/clusters/99/metrics?from={NOW}&to={NOW + 60}", "unknown-cluster"),
        (f"/v1/clusters/99/reports/{FIRST_EPOCH}", "unknown-cluster"),
        (f"/v1/clusters/1/reports/{FIRST_EPOCH}", "report-not-found"),
        ("/v1/peer/batches/0x" + "00" * 32, "not-found"),
        ("/v1/peer/proposals/0x" + "00" * 32, "not-found"),
        ("/v1/nothing", "not-found"),
        ("/v1/clusters/", "not-found"),
        ("/v1/peer/proposals/", "not-found"),
    ],
)
async def test_get__not_there__problem_document(known: World, path: str, code: str) -> None:
    answer = await known.get(known.reporters[0], path)
    assert answer.status_code == 404
    assert answer.json()["code"] == code
    assert answer.headers["content-type"] == "application/problem+json"


async def test_get_openapi__complete__every_reference_resolves(known: World) -> None:
    document = (await known.get(known.reporters[0], "/openapi.json")).json()

    def references(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*map(references, node.values()))
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    operations = [entry for path in document["paths"].values() for entry in path.values()]
    assert all(entry["summary"] and entry["tags"] and entry["description"] for entry in operations)


async def test_get_docs__in_a_browser__every_endpoint_and_nothing_from_elsewhere(
    known: World,
) -> None:
    reporter = known.reporters[0]
    page = await known.get(reporter, "/docs")
    document = (await known.get(reporter, "/openapi.json")).json()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in document["paths"]:
        assert f'<code class="path">{path}</code>' in page.text
    assert "<script" not in page.text
    assert "://" not in page.text.replace("http://www.w3.org", "")
    assert (await known.get(reporter, "/")).headers["location"] == "/docs"


async def test_get_prometheus__after_refusals__counts_them_by_code(known: World) -> None:
    answer = await known.get(known.reporters[0], "/metrics")
    assert 'rackstream_batches_total{outcome="bad-signature"}' in answer.text
    assert 'rackstream_batches_total{outcome="stored"}' in answer.text
    assert "rackstream_block_number" in answer.text


async def test_get_readyz__works__says_so(known: World) -> None:
    answer = await known.get(known.reporters[0], "/readyz")
    assert answer.json()["isReady"]
    assert answer.json()["registered"]
    assert answer.json()["reporter"] == cast.REPORTERS[0].address
