"""The endpoints: OpenAI's, which are paid, and those that tell what was paid."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.domain.codec import parse_address, to_hex
from api.domain.receipts import parse_receipt_id
from api.domain.vouchers import MAX_USD6
from api.domain.way import ProvenReceipt
from api.domain.x402 import PAYMENT_RESPONSE_HEADER
from api.errors import NotFound, PaymentRefused
from api.gateway.asked import Asked, Endpoint
from api.gateway.metrics import CONTENT_TYPE
from api.gateway.purse import Purse
from api.gateway.service import Gateway
from api.gateway.serving import MAX_ANSWER_SECONDS, Served, Stream
from api.gateway.shapes import receipt_shape
from api.serving.documented import documents, problems, read_body
from api.serving.rationing import mark_unpaid

_log = structlog.get_logger(__name__)

MAX_BODY_BYTES: Final = 1024 * 1024

_ADDRESS: Final = "^0x[0-9a-fA-F]{40}$"

RECEIPT_HEADER: Final = "Receipt-Id"

inference = APIRouter(tags=["inference"], responses=problems(429))
payment = APIRouter(tags=["payment"], responses=problems(429))
operations = APIRouter(tags=["operations"])

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/json": {}, "text/event-stream": {}}}
}
_PAID: Final = _ANSWERS | problems(400, 401, 402, 404, 413, 422, 502, 503)


def _body(example: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["model", *required],
        "properties": {"model": {"type": "string", "minLength": 1, "maxLength": 128}},
        "example": example,
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def gateway_of(request: Request) -> Gateway:
    """The gateway behind the application, once it has started. Raises NotStarted."""
    gateway: Gateway = request.app.state.gateway
    gateway.require_started()
    return gateway


class _Paid(StreamingResponse):
    """A stream that is left properly however it ends, and even if it never began."""

    def __init__(self, stream: Stream, headers: dict[str, str]) -> None:
        super().__init__(stream.pieces, media_type="text/event-stream", headers=headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(MAX_ANSWER_SECONDS):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            # Its head is out: it can only be cut off.
            _log.warning("stream took too long", seconds=MAX_ANSWER_SECONDS)
        finally:
            # In a task of its own: where the customer has gone, this one is being cancelled.
            await asyncio.shield(asyncio.ensure_future(self._stream.close()))


async def _answer(request: Request, endpoint: Endpoint) -> Response:
    gateway = gateway_of(request)
    started = time.perf_counter()
    body = await read_body(request, MAX_BODY_BYTES)
    asked = Asked.parse(endpoint, body, gateway.default_max_tokens)
    choices = gateway.serving.choices(asked)
    most = gateway.serving.most_usd6(asked, choices)
    try:
        purse = await gateway.desk.purse(request.headers, most, str(request.url))
    except PaymentRefused as refusal:
        gateway.metrics.refused(refusal.reason)
        raise
    gateway.metrics.payment_checked(time.perf_counter() - started)
    answer = await gateway.serving.serve(asked, choices, purse)
    try:
        headers = _headers(purse, answer)
        if isinstance(answer, Served):
            return Response(answer.body, media_type=answer.content_type, headers=headers)
        return _Paid(answer, headers)
    except BaseException:
        if isinstance(answer, Stream):
            await answer.close()
        raise


def _headers(purse: Purse, answer: Served | Stream) -> dict[str, str]:
    """What the customer is told of the payment; a stream's charge is in its receipt."""
    response = purse.response(answer.receipt.charge_usd6 if isinstance(answer, Served) else None)
    return {
        PAYMENT_RESPONSE_HEADER: response.to_header(),
        RECEIPT_HEADER: answer.receipt.id.hex(),
    }


@inference.post(
    Endpoint.CHAT,
    summary="A chat's next message",
    responses=_PAID,
    openapi_extra=_body(
        {"model": "rackstream-ngram", "messages": [{"role": "user", "content": "What is a rack?"}]},
        "messages",
    ),
)
async def post_chat(request: Request) -> Response:
    """As OpenAI's, streamed too. Unpaid it is answered by 402, which says how to pay."""
    return await _answer(request, Endpoint.CHAT)


@inference.post(
    Endpoint.COMPLETIONS,
    summary="A text's continuation",
    responses=_PAID,
    openapi_extra=_body({"model": "rackstream-ngram", "prompt": "A rack is"}, "prompt"),
)
async def post_completions(request: Request) -> Response:
    """As OpenAI's, streamed too."""
    return await _answer(request, Endpoint.COMPLETIONS)


@inference.post(
    Endpoint.EMBEDDINGS,
    summary="Texts as vectors",
    responses=_PAID,
    openapi_extra=_body({"model": "rackstream-ngram", "input": "A rack"}, "input"),
)
async def post_embeddings(request: Request) -> Response:
    """As OpenAI's."""
    return await _answer(request, Endpoint.EMBEDDINGS)


@inference.get("/v1/models", summary="What is served, where, and at which price")
async def get_models(request: Request) -> dict[str, Any]:
    """Prices are integers in 10⁻⁶ dollars for a million tokens: the present ones, and the
    operators' signed quotes between whose floor and ceiling they follow each cluster's load."""
    gateway = gateway_of(request)
    return {
        "object": "list",
        "data": [
            {
                "id": model,
                "object": "model",
                "created": min(seat.quote.valid_from for seat in seats),
                "owned_by": "rackstream",
                "clusters": [
                    {
                        "clusterId": seat.cluster_id,
                        "inputPrice": price.input,
                        "outputPrice": price.output,
                        "isLive": standing is not None and standing.is_live,
                        "quote": seat.signed.to_json(),
                    }
                    for seat in seats
                    for price in [seat.quote.price_at(gateway.fleet.load_bps(seat.cluster_id))]
                    for standing in [gateway.fleet.standings.get(seat.cluster_id)]
                ],
            }
            for model, seats in gateway.fleet.models.items()
        ],
    }


@payment.get(
    "/v1/channels/{payer}/{key}",
    summary="What a payer's key has promised, spent and left here",
    responses=problems(400, 422, 502, 503),
)
async def get_channel(
    request: Request,
    payer: Annotated[str, Path(pattern=_ADDRESS, description="The payer's address.")],
    key: Annotated[str, Path(pattern=_ADDRESS, description="A session key's, or the payer's.")],
) -> dict[str, Any]:
    """Amounts in 10⁻⁶ dollars, as strings. A voucher has to promise more than `promisedUsd6`, of
    which the newest voucher's `signature` is the proof: what is spent is no more than it.
    """
    gateway = gateway_of(request)
    channel = await gateway.accounts.look(parse_address(payer, "payer"), parse_address(key, "key"))
    if not channel.spent_usd6:
        # It was asked of the chain for this question.
        mark_unpaid(request)
    return {
        "payer": channel.payer.address,
        "key": channel.key,
        "gateway": gateway.address,
        "promisedUsd6": str(channel.promised_usd6),
        "signature": None if channel.signature is None else to_hex(channel.signature),
        "spentUsd6": str(channel.spent_usd6),
        "heldUsd6": str(channel.held_usd6),
        "collectedUsd6": str(channel.collected_usd6),
        "lockedUsd6": str(channel.locked_usd6),
        "lockedUntil": channel.locked_until,
        "limitUsd6": str(min(channel.limit_usd6, MAX_USD6)),
        "expiresAt": channel.expires_at,
        "roomUsd6": str(max(channel.room_usd6(gateway.now()), 0)),
    }


@payment.get(
    "/v1/receipts/{id}",
    summary="A receipt, and the proof that it is behind a collection",
    responses=problems(404, 422, 503),
)
async def get_receipt(
    request: Request,
    receipt_id: Annotated[
        str, Path(alias="id", pattern="^[0-9a-f]{32}$", description="From the header Receipt-Id.")
    ],
) -> dict[str, Any]:
    """The leaf is its EIP-712 struct hash; the proof leads to the root that `collect` carried. What
    was paid by x402, and brought to the stablecoin by somebody else, has a `refund` instead: what
    was not used, and the transaction that gave it back.
    """
    gateway = gateway_of(request)
    stored = await gateway.journal_store.receipt(parse_receipt_id(receipt_id))
    if stored is None:
        raise NotFound(f"no receipt {receipt_id}", value=receipt_id)
    return receipt_shape(stored, await gateway.behind(stored), await gateway.fronted(stored))


@payment.get(
    "/v1/receipts/{id}/trace",
    summary="Where the dollars of one request are now",
    responses=problems(404, 409, 422, 502, 503),
)
async def get_trace(
    request: Request,
    receipt_id: Annotated[
        str, Path(alias="id", pattern="^[0-9a-f]{32}$", description="From the header Receipt-Id.")
    ],
) -> dict[str, Any]:
    """Followed over the chain to whoever has them, in exact fractions that add up to what was paid:
    the charge, or all of the request's one payment of x402, what was given back of it included.

    `ape run trace` does the same without believing this gateway anything. One at a time.
    """
    mark_unpaid(request)
    gateway = gateway_of(request)
    stored = await gateway.journal_store.receipt(parse_receipt_id(receipt_id))
    if stored is None:
        raise NotFound(f"no receipt {receipt_id}", value=receipt_id)
    shape = receipt_shape(stored, await gateway.behind(stored))
    return (await gateway.trace(ProvenReceipt.from_json(shape))).to_json()


@operations.get("/livez", summary="Whether the process lives")
async def get_livez() -> dict[str, bool]:
    """It does if it answers."""
    return {"isAlive": True}


@operations.get("/readyz", summary="Whether the gateway can work", responses={503: {}})
async def get_readyz(request: Request) -> Response:
    """200 if database and chain answer and a cluster is live; else 503 and what is missing."""
    gateway: Gateway = request.app.state.gateway
    failures = await gateway.failures()
    return JSONResponse(
        {"isReady": not failures, "gateway": gateway.address, "failures": failures},
        status_code=503 if failures else 200,
    )


@operations.get(
    "/metrics", summary="Prometheus", responses=documents("text/plain"), response_class=Response
)
async def get_metrics(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    return Response(gateway.figures(), media_type=CONTENT_TYPE)
