"""Connections that nobody holds by being slow.

1. A request, its head and its body, has to be here so long after the connection was made or the
   answer before it was given.
2. What was written has to leave: a customer who does not read is cut off when nothing could be
   handed over for so long.

Either is cut off without another word: who is that slow would not read it. What an answer had cost
until then is its application's affair, which hears of the end as of any other.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 30.0


class _Timely(HttpToolsProtocol):
    """`patience_seconds` is a subclass's."""

    patience_seconds: float

    _asking: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._asking = self._cut_off_later("request did not come")

    def on_message_complete(self) -> None:
        super().on_message_complete()
        _stop(self._asking)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        _stop(self._asking)
        # Unless the next has come already, as a whole.
        if self.cycle.response_complete or self.cycle.more_body:
            self._asking = self._cut_off_later("request did not come")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self._cut_off_later("answer is not read")

    def resume_writing(self) -> None:
        super().resume_writing()
        _stop(self._writing)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        _stop(self._asking)
        _stop(self._writing)

    def _cut_off_later(self, why: str) -> asyncio.TimerHandle:
        return self.loop.call_later(self.patience_seconds, self._cut_off, why)

    def _cut_off(self, why: str) -> None:
        _log.warning("customer cut off", why=why, seconds=self.patience_seconds)
        # Closed, it would wait for what is not read.
        self.transport.abort()


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def timely(seconds: float) -> type[asyncio.Protocol]:
    """How a server speaks HTTP that waits no longer than so for its customers."""
    members: dict[str, Any] = {"patience_seconds": seconds}
    return type("Timely", (_Timely,), members)
