"""An inference server that does what no server should, at a port of its own.

What it does is the last word of the prompt: see `OddUpstream.answer`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from aiohttp import web

from scripts._lib.processes import free_ports

TEXT = "one two three four"


class OddUpstream:
    """Runs in a thread. `asked` counts the requests that reached it; `enough` ends what drips."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked = 0
        self.enough = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> OddUpstream:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/completions", self.answer)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", self.port).start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`breaks` and `hangs` after two pieces of a stream; `drips` until there is `enough`, and
        `floods`; `lies` in its usage; `errs` with 500; `leaks` with 401; `junk` is no JSON; `dies`
        in the middle of a whole answer.
        """
        self.asked += 1
        asked = await request.json()
        word = asked["prompt"].split()[-1]
        if word in ("errs", "leaks"):
            return web.Response(status=500 if word == "errs" else 401, text="secret place")
        if word == "junk":
            return web.Response(text="<html>", content_type="application/json")
        if asked.get("stream"):
            return await self._stream(request, word)
        if word == "dies":
            response = web.StreamResponse(headers={"content-length": "1000"})
            await response.prepare(request)
            await response.write(b'{"choices"')
            _hang_up(request)
            return response
        made = 10**6 if word == "lies" else 4
        return web.json_response(_shape(TEXT, {"prompt_tokens": made, "completion_tokens": made}))

    async def _stream(self, request: web.Request, word: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for piece in ("one", " two"):
            await response.write(_event(piece))
            await asyncio.sleep(0.05)
        while word == "drips" and not self.enough.is_set():
            await response.write(_event(" more"))
            await asyncio.sleep(0.1)
        while word == "floods":
            await response.write(_event(" more" * 10_000))
        if word == "drips":
            await response.write(b"data: [DONE]\n\n")
            return response
        if word == "hangs":
            await asyncio.sleep(60)
        _hang_up(request)
        return response


def _hang_up(request: web.Request) -> None:
    # Whoever asked may have done so first.
    if request.transport is not None:
        request.transport.close()


def _event(text: str) -> bytes:
    return b"data: " + json.dumps(_shape(text)).encode() + b"\n\n"


def _shape(text: str, usage: dict[str, int] | None = None) -> dict[str, Any]:
    shape: dict[str, Any] = {"choices": [{"index": 0, "text": text}]}
    return shape if usage is None else shape | {"usage": usage}
