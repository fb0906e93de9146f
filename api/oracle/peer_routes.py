"""What reporters ask of each other. Nothing here is secret, and nothing has to be believed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from api.domain.codec import parse_digest, to_hex
from api.errors import NotFound
from api.oracle import schemas, shapes
from api.oracle.peers import MAX_CLUSTERS_ASKED
from api.oracle.proposals import MAX_PROPOSAL_BYTES
from api.oracle.routes import EpochPath, reporter_of
from api.serving.documented import documents, problems, read_body
from api.types import UINT32_MAX, ClusterId, Epoch

peers = APIRouter(prefix="/v1/peer", tags=["peers"])

HashPath = Annotated[
    str,
    Path(
        description="0x and 64 hex digits.",
        examples=["0x" + "5d" * 32],
        # Said here, checked by `parse_digest`: what is no hash is malformed, as everywhere else.
        json_schema_extra={"pattern": "^0x[0-9a-fA-F]{64}$"},
    ),
]


@peers.get(
    "/epochs/{epoch}/batches",
    summary="The batches held for an epoch",
    responses=problems(422, 503),
)
async def get_batch_ids(
    request: Request,
    epoch: EpochPath,
    cluster_ids: Annotated[
        list[Annotated[int, Field(ge=1, le=UINT32_MAX)]],
        Query(
            alias="clusterId",
            min_length=1,
            max_length=MAX_CLUSTERS_ASKED,
            description="Given once for each cluster.",
            examples=[[1, 2]],
        ),
    ],
) -> schemas.BatchIds:
    """Those with samples of the epoch, or of the 300 s before it, and of each agent the first one
    that declares it complete; of all the clusters together."""
    clusters = {ClusterId(cluster_id) for cluster_id in cluster_ids}
    held = await reporter_of(request).collecting.inventory(clusters, Epoch(epoch))
    return schemas.BatchIds(
        batch_ids=[to_hex(record.id) for records in held.values() for record in records]
    )


@peers.get(
    "/batches/{batchId}",
    summary="A batch as its agent signed it",
    response_class=Response,
    responses=documents("application/json", 400, 404, 422, 503),
)
async def get_batch(
    request: Request, batch_id: Annotated[HashPath, Path(alias="batchId")]
) -> Response:
    """The body of the agent's request, to be verified like it."""
    wanted = parse_digest(batch_id, "batchId")
    bodies = await reporter_of(request).batches.bodies([wanted])
    if wanted not in bodies:
        raise NotFound(f"batch {batch_id} is not kept here", value=batch_id)
    return Response(bodies[wanted], media_type="application/json")


@peers.get(
    "/epochs/{epoch}/signatures",
    summary="What this reporter signed for an epoch",
    responses=problems(422, 503),
)
async def get_signatures(
    request: Request,
    epoch: EpochPath,
    reporter_set_id: Annotated[int, Query(alias="reporterSetId", ge=0, le=UINT32_MAX)],
) -> schemas.SignedRoots:
    """For a proposer who takes over from one that died."""
    signed = await reporter_of(request).promises.of_epoch(reporter_set_id, Epoch(epoch))
    return schemas.SignedRoots(
        signatures=[
            schemas.SignedRootModel(
                root=to_hex(promise.root),
                round=promise.round,
                signature=to_hex(promise.signature),
            )
            for promise in signed
        ]
    )


@peers.get(
    "/epochs/{epoch}/claims",
    summary="What this reporter heard that others signed for an epoch",
    responses=problems(422, 503),
)
async def get_claims(
    request: Request,
    epoch: EpochPath,
    reporter_set_id: Annotated[int, Query(alias="reporterSetId", ge=0, le=UINT32_MAX)],
) -> schemas.Claims:
    """For peers to compare: of two reports by one key in one round either is enough for a liar."""
    heard = await reporter_of(request).vigil.claims(reporter_set_id, Epoch(epoch))
    return schemas.Claims(claims=[shapes.claim(report) for report in heard])


@peers.get(
    "/proposals/{root}",
    summary="The clusters of a proposal that was signed here",
    response_class=Response,
    responses=documents("application/json", 400, 404, 422, 503),
)
async def get_proposal(request: Request, root: HashPath) -> Response:
    """Clusters with their batches, sample roots and figures."""
    content = await reporter_of(request).agreements.proposal(parse_digest(root, "root"))
    if content is None:
        raise NotFound(f"proposal {root} is not known here", value=root)
    return Response(content, media_type="application/json")


@peers.post(
    "/proposals",
    summary="Propose a report and ask for a signature under it",
    responses=problems(400, 409, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object"},
                    "example": {
                        "reporterSetId": 1,
                        "epoch": 472_222,
                        "round": 0,
                        "root": "0x" + "5d" * 32,
                        "clusters": [
                            {
                                "clusterId": 1,
                                "batchIds": ["0x" + "5d" * 32],
                                "sampleRoot": "0x" + "5d" * 32,
                                "figures": "1461501637330902918203684832716283019655932542976",
                            }
                        ],
                        "signature": "0x" + "1c" * 65,
                    },
                }
            },
        }
    },
)
async def post_proposal(request: Request) -> schemas.ProposalAnswer:
    """The reporter computes everything anew from the batches. If the same comes out it signs, else
    it answers 409 with `reason`: `wrong-set`, `not-a-reporter`, `not-proposer`, `not-over`,
    `wrong-round`, `not-next`, `omitted`, `unknown-batch`, `not-closed`, `differs` or
    `signed-another`; `isPassing` says whether asking again soon may help."""
    reporter = reporter_of(request)
    signature = await reporter.witness.answer(await read_body(request, MAX_PROPOSAL_BYTES))
    return schemas.ProposalAnswer(reporter=reporter.address, signature=to_hex(signature))
