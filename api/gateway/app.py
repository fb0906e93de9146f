"""The gateway as a web application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fastapi import FastAPI, Request, Response

from api.domain.x402 import PAYMENT_REQUIRED_HEADER, PAYMENT_RESPONSE_HEADER
from api.errors import RateLimited
from api.gateway.desk import PaymentNeeded
from api.gateway.exact_purse import PaymentUnsettled
from api.gateway.facilitator import facilitator_routes
from api.gateway.routes import inference, operations, payment
from api.gateway.service import Gateway
from api.gateway.upstream import UpstreamAnswered
from api.serving.application import make_app
from api.serving.problems import problem, status_of
from api.serving.rationing import Allowance, Rationing

_DESCRIPTION: Final = """
Inference by OpenAI's protocol, on clusters whose owners are paid for it.

A request is paid for by a **voucher** or an **API key** that is a session key: see `402`'s header
`PAYMENT-REQUIRED`, an x402 envelope of version 2. What it may come to at most must be covered; what
it came to is charged, by the tokens. The answer names its **receipt** (`Receipt-Id`), which the
gateway has signed, and whose hash is under the root on chain once it is collected.

Errors are problem documents (RFC 9457) with a stable `code`, and hold OpenAI's `error` as well. Who
has too many requests refused is answered by `429` for a while, wherever he asks.
Amounts are in 10⁻⁶ dollars.
"""

_TAGS: Final[list[Mapping[str, str]]] = [
    {"name": "inference", "description": "OpenAI's endpoints, paid."},
    {"name": "payment", "description": "What was promised, charged and collected."},
    {"name": "facilitator", "description": "x402's, for other servers."},
    {"name": "operations", "description": "For whoever runs the gateway."},
]


def create_app(
    gateway: Gateway, on_failure: Callable[[BaseException], None], unpaid_per_second: int
) -> FastAPI:
    """The application; it runs `gateway` while it is up.

    `on_failure` is told if the gateway ends with an error: then the process should end as well.
    Each address may have so many requests refused a second, any number if that is 0.
    """
    app = make_app(
        run=gateway.run,
        on_failure=on_failure,
        title="Rackstream gateway",
        summary="Inference for stablecoin, by the request.",
        description=_DESCRIPTION,
        tags=_TAGS,
        routers=(inference, payment, facilitator_routes(gateway.facilitator), operations),
        definitions={},
    )
    app.state.gateway = gateway
    app.add_exception_handler(PaymentNeeded, _payment_needed)
    app.add_exception_handler(PaymentUnsettled, _payment_unsettled)
    app.add_exception_handler(UpstreamAnswered, _upstream_answered)
    if unpaid_per_second:
        app.add_middleware(
            Rationing,
            allowance=Allowance(unpaid_per_second),
            paid_header=PAYMENT_RESPONSE_HEADER,
            on_refused=lambda: gateway.metrics.refused(RateLimited.code),
        )
    return app


async def _payment_needed(request: Request, error: Exception) -> Response:
    assert isinstance(error, PaymentNeeded)
    return problem(
        request,
        status_of(error),
        error.code,
        error.message,
        headers={
            PAYMENT_REQUIRED_HEADER: error.required.to_header(),
            "Cache-Control": "no-store",
        },
        reason=error.reason,
        value=error.value,
        limit=error.limit,
        error={"message": error.message, "type": error.code, "code": error.reason},
    )


async def _payment_unsettled(request: Request, error: Exception) -> Response:
    """No offers: the payment that was brought may be settled yet."""
    assert isinstance(error, PaymentUnsettled)
    return problem(
        request,
        status_of(error),
        error.code,
        error.message,
        headers={
            PAYMENT_RESPONSE_HEADER: error.response.to_header(),
            "Cache-Control": "no-store",
        },
        reason=error.reason,
        error={"message": error.message, "type": error.code, "code": error.reason},
    )


async def _upstream_answered(request: Request, error: Exception) -> Response:
    """The model's server has refused the request: its own words, and no charge."""
    assert isinstance(error, UpstreamAnswered)
    return Response(error.body, status_code=error.status, media_type="application/json")
