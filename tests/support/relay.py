"""A relay on the way to a process: real sockets that can be cut, slow, or answer something else.

It understands as much of HTTP/1.1 as our processes speak: requests one after the other on a
connection, each body with its length. What happens to a request is the relay's `behaviour`, which
may be changed at any time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

HOST: Final = "127.0.0.1"

_LENGTH: Final = re.compile(rb"^content-length:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)
# A GPU set or a batch at its largest, with room.
_MAX_HEAD_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Message:
    """A request or an answer. `head` is everything up to the empty line, that line included."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.head.split(b" ", 2)[1])

    @property
    def path(self) -> str:
        """Of a request."""
        return self.head.split(b" ", 2)[1].decode()

    def with_body(self, body: bytes) -> Message:
        head = _LENGTH.sub(b"content-length: %d\r" % len(body), self.head)
        return replace(self, head=head, body=body)


Forward = Callable[[Message], Awaitable[Message]]
Behaviour = Callable[[Message, Forward], Awaitable[Message | None]]
"""What becomes of a request: the answer, or None to break the connection off."""


async def honest(request: Message, forward: Forward) -> Message:
    """What a relay does until it is told otherwise."""
    return await forward(request)


class Relay:
    """Listens on a port of its own, which it keeps, and hands on to `target`.

    A target that is not there looks through the relay as it does without: connections break.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.behaviour: Behaviour = honest
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=_MAX_HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self.drop()
            await self._server.wait_closed()

    def become(self, behaviour: Behaviour) -> None:
        """Do this from now on; whoever waits for an answer to an earlier request gets none."""
        self.behaviour = behaviour
        self.drop()

    def drop(self) -> None:
        """Break off every connection."""
        for connection in self._connections:
            connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, line = asyncio.current_task(), _Line()
        assert connection is not None
        self._connections.add(connection)

        async def forward(message: Message) -> Message:
            return await line.ask(self.target, message)

        try:
            with suppress(OSError, EOFError, asyncio.CancelledError):
                while True:
                    answer = await self.behaviour(await _read(reader), forward)
                    if answer is None:
                        break
                    writer.write(answer.head + answer.body)
                    await writer.drain()
        finally:
            line.close()
            self._connections.discard(connection)
            writer.transport.abort()


class _Line:
    """A client's own connection to the target."""

    def __init__(self) -> None:
        self._target: int | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, target: int, message: Message) -> Message:
        """Raises OSError or EOFError if the target is not there or goes away."""
        if self._reader is None or self._reader.at_eof() or target != self._target:
            self.close()
            self._reader, self._writer = await asyncio.open_connection(
                HOST, target, limit=_MAX_HEAD_BYTES
            )
            self._target = target
        assert self._writer is not None
        self._writer.write(message.head + message.body)
        await self._writer.drain()
        return await _read(self._reader)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._reader = self._writer = None


async def _read(reader: asyncio.StreamReader) -> Message:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return Message(head, await reader.readexactly(int(length[1])) if length else b"")
