"""Inference servers that speak OpenAI's protocol (vLLM, llama.cpp, Ollama, TGI, `api.ngram`).

`UpstreamUnavailable`: another one may do better, as this one cannot be reached, hangs, or answers
neither with success nor that the request is wrong. `UpstreamAnswered`: the request is to blame, and
any other would say so as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from api.errors import RackstreamError, UpstreamFault, UpstreamUnavailable, host_of

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
_MAX_LINE_BYTES: Final = 1024 * 1024
_MAX_REFUSAL_BYTES: Final = 64 * 1024

# The request's, not the server's or the gateway's.
_CUSTOMERS_FAULT: Final = frozenset({400, 413, 422})

# Servers on uvicorn (vLLM) close a connection that is idle for five: a request that meets that on
# its way would be lost.
_IDLE_CONNECTION_SECONDS: Final = 4.0

_FIRST_PAUSE_SECONDS: Final = 2.0
_MAX_PAUSE_SECONDS: Final = 60.0

# Weight of the newest answer in the latency, 1 / 8 as TCP's smoothed round trip (RFC 6298).
_LATENCY_SHARE: Final = 8


class UpstreamAnswered(RackstreamError):
    """The upstream refused the request itself; its answer is the customer's."""

    code = "upstream-refused"

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the model's server answered {status}", value=status)
        self.status = status
        self.body = body


@dataclass(slots=True)
class Upstream:
    """One server, and how it does. `slots` is how many requests it works on at a time."""

    url: str
    slots: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_flight: int = 0
    latency_ms: int = 0
    failures: int = 0
    away_until: float = 0.0

    @property
    def host(self) -> str:
        """What may be shown of it."""
        return host_of(self.url)

    def is_away(self, now: float) -> bool:
        """Whether it failed so lately that others are asked first."""
        return now < self.away_until

    def failed(self, now: float) -> None:
        self.failures += 1
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (self.failures - 1), _MAX_PAUSE_SECONDS)
        self.away_until = now + pause

    def answered(self, milliseconds: int) -> None:
        """It took so long to the first byte."""
        self.failures, self.away_until = 0, 0.0
        previous = self.latency_ms or milliseconds
        self.latency_ms = previous + (milliseconds - previous) // _LATENCY_SHARE


class Answer:
    """An answer that has begun with success."""

    def __init__(
        self, upstream: Upstream, response: aiohttp.ClientResponse, idle_seconds: float
    ) -> None:
        self._upstream = upstream
        self._response = response
        self._idle_seconds = idle_seconds
        self.content_type = response.headers.get("content-type", "application/json")

    async def body(self) -> bytes:
        """All of it. Raises UpstreamUnavailable or UpstreamFault."""
        parts = bytearray()
        try:
            while True:
                async with asyncio.timeout(self._idle_seconds):
                    part = await self._response.content.readany()
                if not part:
                    return bytes(parts)
                parts += part
                if len(parts) > MAX_ANSWER_BYTES:
                    raise UpstreamFault(f"the answer is above {MAX_ANSWER_BYTES} bytes")
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise self._broken("answer", error) from None

    async def events(self) -> AsyncIterator[bytes]:
        """The data of each server-sent event, as it comes; `[DONE]` is the last.

        Raises UpstreamUnavailable (it broke off, or was silent for too long) or UpstreamFault.
        """
        rest = b""
        try:
            while True:
                async with asyncio.timeout(self._idle_seconds):
                    part = await self._response.content.readany()
                if not part:
                    raise UpstreamUnavailable("the stream ended without its end")
                *lines, rest = (rest + part).split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    raise UpstreamFault(f"an event is above {_MAX_LINE_BYTES} bytes")
                for line in lines:
                    if line.startswith(b"data:"):
                        data = line[5:].strip()
                        yield data
                        if data == b"[DONE]":
                            return
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise self._broken("stream", error) from None

    def _broken(self, what: str, error: BaseException) -> UpstreamUnavailable:
        self._upstream.failed(asyncio.get_running_loop().time())
        return UpstreamUnavailable(f"the {what} broke off: {_reason(error)}")


class Upstreams:
    """Asks servers."""

    def __init__(self, *, connect_seconds: float, first_byte_seconds: float, idle_seconds: float):
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_seconds, sock_read=first_byte_seconds
        )
        self._idle_seconds = idle_seconds
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def ask(self, upstream: Upstream, path: str, body: bytes) -> AsyncIterator[Answer]:
        """Send a request and wait for the answer's head.

        Raises:
            UpstreamUnavailable: Another server may do better.
            UpstreamAnswered: It refused the request itself.
        """
        clock = asyncio.get_running_loop()
        started = clock.time()
        upstream.in_flight += 1
        try:
            async with self._open().post(
                upstream.url + path,
                data=body,
                headers={"content-type": "application/json", **upstream.headers},
                allow_redirects=False,
            ) as response:
                if response.status in _CUSTOMERS_FAULT:
                    body = await response.content.read(_MAX_REFUSAL_BYTES)
                    raise UpstreamAnswered(response.status, body)
                if response.status != 200:
                    # Its words may hold what is between it and the gateway.
                    raise UpstreamUnavailable(f"{upstream.host} answered {response.status}")
                upstream.answered(round((clock.time() - started) * 1_000))
                yield Answer(upstream, response, self._idle_seconds)
        except UpstreamUnavailable:
            if clock.time() >= upstream.away_until:
                upstream.failed(clock.time())
            raise
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            upstream.failed(clock.time())
            raise UpstreamUnavailable(f"{upstream.host}: {_reason(error)}") from None
        finally:
            upstream.in_flight -= 1

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        # Within the running loop, which does not run yet when this is made.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(
                    limit=0, ttl_dns_cache=60, keepalive_timeout=_IDLE_CONNECTION_SECONDS
                ),
                auto_decompress=True,
                skip_auto_headers=["User-Agent"],
            )
        return self._session


def _reason(error: BaseException) -> Any:
    return str(error) or type(error).__name__
