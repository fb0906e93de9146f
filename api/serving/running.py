"""A service's process: its application on its socket, until it is told to stop or fails."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine

import structlog
import uvicorn
from starlette.types import ASGIApp

from api.errors import ConfigurationError, RackstreamError
from api.serving.connections import PATIENCE_SECONDS, timely

_log = structlog.get_logger(__name__)

Failed = Callable[[BaseException], None]
"""Told when what an application runs has ended with an error."""


def serve(
    create_app: Callable[[Failed], ASGIApp],
    listening: socket.socket,
    patience_seconds: float = PATIENCE_SECONDS,
) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status: 0, or 1 after a failure. Whoever
    is slower than `patience_seconds` to ask or to read is cut off.

    Raises ConfigurationError if that is what it failed with.
    """
    failures: list[BaseException] = []

    async def work() -> None:
        def failed(error: BaseException) -> None:
            failures.append(error)
            server.should_exit = True

        server = uvicorn.Server(
            uvicorn.Config(
                create_app(failed),
                http=timely(patience_seconds),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        host, port = listening.getsockname()[:2]
        _log.info("listening", host=host, port=port)
        await server.serve(sockets=[listening])

    # The server raises a signal again when it has stopped, which would skip what is left to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _run_loop(work())
    for error in failures:
        if isinstance(error, ConfigurationError):
            raise error
        if isinstance(error, RackstreamError):
            _log.error("ended", code=error.code, error=error.message)
        else:
            _log.error("ended", exc_info=error)
        return 1
    _log.info("stopped")
    return 0


def _run_loop(work: Coroutine[None, None, None]) -> None:
    if sys.platform == "win32":
        asyncio.run(work)
    else:
        import uvloop

        uvloop.run(work)
