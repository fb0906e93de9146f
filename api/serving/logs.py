"""One JSON object a line on standard error; within a request each has its `request_id`."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final, TextIO, cast
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.streams import LogStream

_log = structlog.get_logger("api.serving.http")

REQUEST_ID_HEADER: Final = "x-request-id"
_MAX_REQUEST_ID_CHARS: Final = 64

PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})


def configure(level: str, **always: object) -> None:
    """Log from `level` (debug, info, warning or error) on, with `always` in every line."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, LogStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**always)
    # Libraries log their own way; of them only what is wrong is of interest.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


class RequestLog:
    """Gives each request an id, or takes the caller's, and logs how it was answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        is_usable = given.isascii() and given.isprintable()
        request_id = given[:_MAX_REQUEST_ID_CHARS] if given and is_usable else uuid4().hex
        scope["request_id"] = request_id
        started = time.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                log = _log.debug if status < 400 or scope["path"] in PROBES else _log.info
                log(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round((time.monotonic() - started) * 1_000, 1),
                )
