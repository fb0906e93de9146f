"""The public endpoints: each parses, calls one service function and shapes the answer."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from api.domain.codec import parse_digest
from api.domain.samples import BATCH_ADAPTER
from api.errors import Malformed, RackstreamError
from api.oracle import schemas, shapes
from api.oracle.manifests import MAX_MANIFEST_BYTES
from api.oracle.metrics import CONTENT_TYPE
from api.oracle.quality import MAX_HOURS
from api.oracle.service import Reporter
from api.serving.documented import documents, problems, read_body
from api.types import JSON_SAFE_INTEGER, MAX_BATCH_BYTES, UINT32_MAX, ClusterId, Epoch

ClusterIdPath = Annotated[
    int, Path(alias="id", ge=1, le=UINT32_MAX, description="The cluster on chain.", examples=[1])
]
EpochPath = Annotated[
    int,
    Path(
        ge=0,
        le=UINT32_MAX,
        description="The hour of Unix time: epoch e starts at second 3600 e.",
        examples=[472_222],
    ),
]


def reporter_of(request: Request) -> Reporter:
    """The reporter behind the application, once it has started. Raises NotStarted."""
    reporter: Reporter = request.app.state.reporter
    reporter.require_started()
    return reporter


agents = APIRouter(tags=["agents"])
clusters = APIRouter(tags=["clusters"])
operations = APIRouter(tags=["operations"])

_BATCH_SCHEMA = BATCH_ADAPTER.json_schema(ref_template="#/components/schemas/{model}")
BATCH_DEFINITIONS: Final[dict[str, Any]] = _BATCH_SCHEMA.pop("$defs", {})
"""Schemas that the batch's schema refers to, for the application's components."""


@agents.post(
    "/v1/samples",
    summary="Hand in a signed batch of samples",
    response_model=schemas.BatchReceipt,
    responses=problems(400, 403, 404, 409, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _BATCH_SCHEMA,
                    "example": {
                        "clusterId": 1,
                        "agent": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                        "sequence": 7,
                        "throughMs": 1_700_003_600_000,
                        "energySource": "metered",
                        "samples": [
                            {
                                "gpu": "0x" + "5d" * 32,
                                "atMs": 1_700_003_543_000,
                                "busyBps": 8_000,
                                "billableBps": 8_000,
                                "energyMj": 912_345_678,
                                "xid": 0,
                            }
                        ],
                        "signature": "0x" + "1c" * 65,
                    },
                }
            },
        }
    },
)
async def post_samples(request: Request) -> Response:
    """The answer comes when the batch is durable. The same batch again gets the same answer.

    At most 2 MiB and 10,000 samples. The signature is EIP-712, in the domain ("Rackstream Agent",
    "1", chain id, MetricsOracle): `SampleBatch(uint32 clusterId,address agent,uint64
    sequence,uint64 throughMs,uint8 energySource,bytes32 samplesRoot)`. Its signer must be
    registered on chain for every GPU in the batch.

    | status | `code` | why |
    |---|---|---|
    | 400 | `malformed` | not JSON, or a field is not of its format |
    | 403 | `wrong-agent` | another agent is registered for a GPU |
    | 404 | `unknown-gpu`, `unknown-cluster` | not registered |
    | 409 | `sequence-reused` | another batch has this sequence number |
    | 413 | `oversized` | more than the limits |
    | 422 | `bad-signature` | tampered with, or not signed by the agent |
    | 422 | `in-the-future` | more than 60 s ahead of the clock |
    | 422 | `backdated` | every sample is of an epoch that is settled |
    | 422 | `out-of-range`, `incoherent`, `duplicated` | a value breaks a rule |
    | 503 | `gpu-set-unknown`, `chain-unavailable`, `store-unavailable` | try again |
    """
    reporter = reporter_of(request)
    try:
        accepted = await reporter.ingest.submit(await read_body(request, MAX_BATCH_BYTES))
    except RackstreamError as error:
        reporter.metrics.batch(error.code)
        raise
    if accepted.is_new:
        reporter.metrics.batch("stored", accepted.record.sample_count)
    else:
        reporter.metrics.batch("duplicate")
    return JSONResponse(shapes.receipt(accepted.record).model_dump(by_alias=True))


@agents.put(
    "/v1/clusters/{id}/gpus",
    summary="Hand in the manifest of a cluster's GPUs",
    response_model=schemas.GpuSetReceipt,
    responses=problems(400, 404, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object"},
                    "example": {
                        "clusterId": 1,
                        "gpus": [
                            {
                                "uuid": "GPU-2c7d6b1e-0000-4c4e-9f0e-000000000001",
                                "gpuId": "0x" + "5d" * 32,
                                "agent": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                                "fromMs": 1_700_000_000_000,
                                "untilMs": "18446744073709551615",
                                "sampleIntervalMs": 60_000,
                            }
                        ],
                    },
                }
            },
        }
    },
)
async def put_gpus(request: Request, cluster_id: ClusterIdPath) -> schemas.GpuSetReceipt:
    """Anybody may: the manifest is believed because its Merkle root is the `gpuSetRoot` that the
    cluster has on chain, now or as scheduled."""
    reporter = reporter_of(request)
    gpus = await reporter.manifests.put(
        ClusterId(cluster_id), await read_body(request, MAX_MANIFEST_BYTES)
    )
    return schemas.GpuSetReceipt(
        cluster_id=gpus.cluster_id, root="0x" + gpus.root.hex(), gpus=len(gpus)
    )


@clusters.get("/v1/clusters", summary="All clusters", responses=problems(422, 503))
async def get_clusters(
    request: Request,
    offset: Annotated[int, Query(ge=0, le=UINT32_MAX, description="Clusters to pass over.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Most clusters to return.")] = 50,
) -> schemas.ClusterList:
    """Ascending by id, with the newest figures on chain."""
    total, found = await reporter_of(request).reading.clusters(offset, limit)
    return schemas.ClusterList(
        total=total, offset=offset, clusters=[shapes.summary(overview) for overview in found]
    )


@clusters.get("/v1/clusters/{id}", summary="One cluster", responses=problems(404, 422, 503))
async def get_cluster(request: Request, cluster_id: ClusterIdPath) -> schemas.ClusterModel:
    """Specification, meters on chain, and how far each agent's samples are here."""
    return shapes.cluster(await reporter_of(request).reading.cluster(ClusterId(cluster_id)))


@clusters.get(
    "/v1/clusters/{id}/metrics",
    summary="Availability, utilisation and energy over time",
    responses=problems(404, 413, 422, 503),
)
async def get_metrics(
    request: Request,
    cluster_id: ClusterIdPath,
    from_: Annotated[
        int,
        Query(
            alias="from", ge=0, le=UINT32_MAX, description="Unix second.", examples=[1_700_000_000]
        ),
    ],
    to: Annotated[
        int,
        Query(
            ge=0, le=UINT32_MAX, description="Unix second, after `from`.", examples=[1_700_003_600]
        ),
    ],
    step: Annotated[
        int, Query(ge=60, le=UINT32_MAX, description="Seconds a point.", examples=[300])
    ] = 300,
) -> schemas.MetricSeries:
    """Computed from the samples that this reporter holds, with the formulas that reports use. At
    most 1,000 points, 31 days and 500,000 samples; the series ends at the reporter's clock. GPUs
    that are silent count as down."""
    points = await reporter_of(request).series.points(ClusterId(cluster_id), from_, to, step)
    return shapes.series(ClusterId(cluster_id), from_, to, step, points)


@clusters.get(
    "/v1/clusters/{id}/quality",
    summary="Busy time that was not billed, and income from related parties",
    responses=problems(404, 413, 422, 502, 503),
)
async def get_quality(
    request: Request,
    cluster_id: ClusterIdPath,
    hours: Annotated[
        int, Query(ge=1, le=MAX_HOURS, description="How many, the running one included.")
    ] = 24,
) -> schemas.Quality:
    """By the hour, the newest first, read from the chain as of its newest block: the figures of
    reports that became Final, and what customers paid, by who is declared to be related to the
    cluster's issuer or operator. Of the hours before the cluster's first only such as something was
    paid in.

    At most 31 days, 5,000 payments, 50,000 declarations of related parties and 30 s. One at a time.
    `ape run quality` does the same without believing this reporter anything.
    """
    found = await reporter_of(request).quality.hours(ClusterId(cluster_id), hours)
    return shapes.quality(ClusterId(cluster_id), found)


@clusters.get(
    "/v1/clusters/{id}/reports/{epoch}",
    summary="The report that an epoch was counted from, with proofs",
    responses=problems(400, 404, 422, 503),
)
async def get_report(
    request: Request,
    cluster_id: ClusterIdPath,
    epoch: EpochPath,
    gpu: Annotated[
        str | None, Query(max_length=256, description="A GPU's id (0x…) or UUID.")
    ] = None,
    at_ms: Annotated[
        int | None,
        Query(
            alias="atMs",
            ge=0,
            le=JSON_SAFE_INTEGER,
            description="A sample's instant, Unix milliseconds; needs `gpu`.",
        ),
    ] = None,
) -> schemas.ReportModel:
    """Figures, signatures, transaction, and the Merkle proof from the cluster's leaf to the root on
    chain. With `gpu` and `atMs` also the proof from that sample to the report's sample root: with
    both, anybody can check on chain what was measured. With `gpu` alone, those of its first and its
    last sample in service: what it drew in between was drawn in the epoch."""
    reading = reporter_of(request).reading
    if gpu is None and at_ms is not None:
        raise Malformed("gpu", gpu, "a GPU's id or UUID, as there is an atMs")
    detail = await reading.report(ClusterId(cluster_id), Epoch(epoch))
    samples = None
    if gpu is not None:
        samples = await reading.sample_proofs(ClusterId(cluster_id), Epoch(epoch), gpu, at_ms)
    return shapes.report(detail, samples)


@clusters.get(
    "/v1/clusters/{id}/gpus",
    summary="The manifest of a cluster's GPUs",
    responses=documents("application/json", 400, 404, 422, 503),
    response_class=Response,
)
async def get_gpus(
    request: Request,
    cluster_id: ClusterIdPath,
    root: Annotated[
        str | None, Query(description="The root of an earlier or a scheduled set.")
    ] = None,
) -> Response:
    """As it was handed in, in canonical form: the present one, or the one with `root`."""
    gpus = await reporter_of(request).reading.gpus(
        ClusterId(cluster_id), None if root is None else parse_digest(root, "root")
    )
    return Response(gpus.to_manifest(), media_type="application/json")


@clusters.get(
    "/v1/equivocations",
    summary="Reporters that signed two reports of one thing",
    responses=problems(503),
)
async def get_equivocations(request: Request) -> schemas.Equivocations:
    """One proof a reporter and round, the newest first, at most 100. `ape run challenge` hands an
    entry in and has half of the reporter's bond paid to whoever did."""
    proofs = await reporter_of(request).vigil.equivocations()
    return schemas.Equivocations(equivocations=[shapes.equivocation(one) for one in proofs])


@operations.get("/livez", summary="Whether the process lives")
async def get_livez() -> dict[str, bool]:
    """It does if it answers."""
    return {"isAlive": True}


@operations.get(
    "/readyz",
    summary="Whether the reporter can work",
    response_model=schemas.Readiness,
    responses={503: {"model": schemas.Readiness}},
)
async def get_readyz(request: Request) -> Response:
    """200 if database, chain and signer answer, the clock is right and the key a reporter's; else
    503."""
    reporter: Reporter = request.app.state.reporter
    health = await reporter.health()
    readiness = schemas.Readiness(
        is_ready=health.is_ready,
        database=health.database or "ok",
        chain=health.chain or "ok",
        clock=health.clock or "ok",
        signer=health.signer or "ok",
        registered=health.is_registered,
        reporter=reporter.address,
        transmitter=reporter.transmitter,
        block_number=health.block_number,
        now=health.now,
    )
    return JSONResponse(
        readiness.model_dump(by_alias=True), status_code=200 if health.is_ready else 503
    )


@operations.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses=documents(CONTENT_TYPE),
)
async def get_prometheus(request: Request) -> Response:
    """In the text format, version 0.0.4."""
    reporter: Reporter = request.app.state.reporter
    return Response(reporter.metrics.render(), media_type=CONTENT_TYPE)
