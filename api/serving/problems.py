"""Errors as RFC 9457 problem documents.

    {"type": "urn:rackstream:problem:in-the-future", "title": "In the future", "status": 422,
     "detail": "atMs is …, later than … by the clock", "code": "in-the-future", "value": …,
     "limit": …, "instance": "/v1/samples", "requestId": "…"}

`code` is for programs and stable; `value` is what offended and `limit` what it broke, where there
are such. Integers above 2^53 − 1 are strings. A refused proposal also has `reason` and `isPassing`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from api.domain.codec import json_integer, to_hex
from api.errors import (
    BadApiKey,
    BadSignature,
    ChainError,
    Conflict,
    InvalidInput,
    Malformed,
    NotAuthorised,
    NotFound,
    Oversized,
    PaymentRefused,
    ProposalRefused,
    RackstreamError,
    Unavailable,
    UpstreamFault,
)

_log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

# The first match counts. A signature that does not fit is a fault of the content, which no other
# time or right will heal; a key that speaks for the wrong GPU may be registered tomorrow.
_STATUS: Final[Sequence[tuple[type[RackstreamError], HTTPStatus]]] = (
    (Malformed, HTTPStatus.BAD_REQUEST),
    (Oversized, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PaymentRefused, HTTPStatus.PAYMENT_REQUIRED),
    (BadApiKey, HTTPStatus.UNAUTHORIZED),
    (BadSignature, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotAuthorised, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (ChainError, HTTPStatus.BAD_GATEWAY),
    (UpstreamFault, HTTPStatus.BAD_GATEWAY),
)

_RETRY_AFTER_SECONDS: Final = 1
_MAX_VALUE_CHARS: Final = 1_000


def status_of(error: RackstreamError) -> HTTPStatus:
    """The HTTP status that stands for an error."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""
    app.add_exception_handler(RackstreamError, _rackstream)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def problem(
    request: Request,
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **extra: object,
) -> Response:
    """A problem document; `extra` members that are None are left out."""
    members: dict[str, object] = {
        "type": f"urn:rackstream:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": int(status),
        "detail": detail,
        "code": code,
        "instance": request.url.path,
        "requestId": request.scope.get("request_id"),
        **extra,
    }
    return Response(
        json.dumps({key: _plain(value) for key, value in members.items() if value is not None}),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers) if headers else None,
    )


async def _rackstream(request: Request, error: Exception) -> Response:
    assert isinstance(error, RackstreamError)
    status = status_of(error)
    extra: dict[str, object] = {"value": error.value, "limit": error.limit}
    if isinstance(error, ProposalRefused):
        extra |= {"reason": error.reason, "isPassing": error.is_passing}
    headers = (
        {"Retry-After": str(_RETRY_AFTER_SECONDS)}
        if status is HTTPStatus.SERVICE_UNAVAILABLE
        else None
    )
    return problem(request, status, error.code, error.message, headers=headers, **extra)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-input",
        f"{field}: {first['msg']}",
        value=first.get("input"),
        limit=first["msg"],
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "-")
    return problem(request, status, code, str(error.detail), headers=error.headers)


async def _fault(request: Request, error: Exception) -> Response:
    _log.error("fault", path=request.url.path, exc_info=error)
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal-error",
        "something that should not happen; the log has it under the request id",
    )


def _plain(value: object) -> Any:
    """A value as it can stand in JSON, cut where it is too long to be of use."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return json_integer(value)
    if isinstance(value, bytes):
        return to_hex(value[: _MAX_VALUE_CHARS // 2])
    if isinstance(value, str):
        return value[:_MAX_VALUE_CHARS]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in list(value.items())[:100]}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value[:100]]
    return str(value)[:_MAX_VALUE_CHARS]
