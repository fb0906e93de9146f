"""The endpoints. An answer is generated before its first byte is sent: that takes two
microseconds a token, and pacing is a matter of when it is told.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.clock import Clock
from api.domain.tokens import count_tokens
from api.errors import InvalidInput, NotFound, Oversized
from api.ngram.answers import (
    MODEL,
    Answer,
    Kind,
    embeddings_body,
    error_body,
    models_body,
    to_json,
)
from api.ngram.embedding import embed
from api.ngram.model import NgramModel
from api.ngram.shapes import (
    DEFAULT_DIMENSIONS,
    ChatRequest,
    EmbeddingsRequest,
    TextRequest,
    TokenizeRequest,
    require_room,
)

MAX_BODY_BYTES: Final = 8 * 1024 * 1024

_EVENTS_A_WRITE: Final = 32
"""Of answers that are not paced: fewer writes cost less, and the first event goes out alone."""

Endpoint = Callable[[Request], Awaitable[Response]]


class Service:
    """A model behind its endpoints.

    Args:
        tokens_per_second: Of each answer; 0 as fast as possible.
        context_tokens: Most that a prompt and its answer have together.
        seed: Of answers whose request names none.
    """

    def __init__(
        self,
        model: NgramModel,
        clock: Clock,
        *,
        tokens_per_second: int,
        context_tokens: int,
        seed: int,
    ) -> None:
        self._model = model
        self._clock = clock
        self._tokens_per_second = tokens_per_second
        self._context_tokens = context_tokens
        self._random = Random(seed)  # noqa: S311 - it writes texts, it guards nothing
        self._started_at = clock.now()

    def app(self) -> Starlette:
        routes: list[tuple[str, str, Endpoint]] = [
            ("GET", "/health", self._health),
            ("GET", "/v1/models", self._models),
            ("POST", "/v1/chat/completions", self._chat),
            ("POST", "/v1/completions", self._text),
            ("POST", "/v1/embeddings", self._embeddings),
            ("POST", "/tokenize", self._tokenize),
        ]
        return Starlette(
            routes=[Route(path, endpoint, methods=[method]) for method, path, endpoint in routes],
            exception_handlers={InvalidInput: _refused, NotFound: _refused, HTTPException: _other},
        )

    async def _health(self, _request: Request) -> Response:
        return Response()

    async def _models(self, _request: Request) -> Response:
        return _json(models_body(self._started_at, self._context_tokens))

    async def _chat(self, request: Request) -> Response:
        return await self._answer("chat", ChatRequest.parse(await _body(request)))

    async def _text(self, request: Request) -> Response:
        return await self._answer("text", TextRequest.parse(await _body(request)))

    async def _answer(self, kind: Kind, asked: ChatRequest | TextRequest) -> Response:
        _require_model(asked.model)
        prompt_tokens = asked.prompt_tokens
        require_room(prompt_tokens, asked.limit, self._context_tokens)
        completion = self._model.complete(
            asked.prompt_text,
            limit=asked.limit,
            temperature=1.0 if asked.temperature is None else asked.temperature,
            random=self._random if asked.seed is None else Random(asked.seed),  # noqa: S311
            stop=asked.stops,
            ignore_end=asked.ignore_eos,
        )
        answer = Answer(kind, secrets.token_hex(16), self._clock.now(), prompt_tokens, completion)
        if asked.stream:
            pieces, end = answer.events(includes_usage=asked.includes_usage)
            return EventStream(pieces, end, self._tokens_per_second)
        if self._tokens_per_second:
            await asyncio.sleep(completion.tokens / self._tokens_per_second)
        return _json(answer.body())

    async def _embeddings(self, request: Request) -> Response:
        asked = EmbeddingsRequest.parse(await _body(request))
        _require_model(asked.model)
        counts = [count_tokens(text) for text in asked.texts]
        require_room(max(counts), 0, self._context_tokens)
        vectors = [embed(text, asked.dimensions or DEFAULT_DIMENSIONS) for text in asked.texts]
        return _json(embeddings_body(vectors, asked.encoding_format, sum(counts)))

    async def _tokenize(self, request: Request) -> Response:
        asked = TokenizeRequest.parse(await _body(request))
        return _json(to_json({"count": asked.count, "max_model_len": self._context_tokens}))


class EventStream(Response):
    """Server-sent events: each piece in its time, the end at once after the last."""

    media_type = "text/event-stream"

    def __init__(self, pieces: list[bytes], end: list[bytes], per_second: int) -> None:
        super().__init__(headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._pieces = pieces
        self._end = b"".join(end)
        self._per_second = per_second

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if self._per_second:
            await self._send_paced(Request(scope, receive), send)
        else:
            await send(_part(b"".join(self._pieces[:1])))
            for at in range(1, len(self._pieces), _EVENTS_A_WRITE):
                await send(_part(b"".join(self._pieces[at : at + _EVENTS_A_WRITE])))
        await send(_part(self._end, is_last=True))

    async def _send_paced(self, request: Request, send: Send) -> None:
        """By the loop's clock from the start on, so that a late piece delays none after it."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number, piece in enumerate(self._pieces):
            await asyncio.sleep(max(started + number / self._per_second - loop.time(), 0))
            if await request.is_disconnected():
                return
            await send(_part(piece))


def _part(content: bytes, *, is_last: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": content, "more_body": not is_last}


async def _body(request: Request) -> bytes:
    """Raises Oversized: Above MAX_BODY_BYTES."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise Oversized("bytes", size, MAX_BODY_BYTES)
        parts.append(part)
    return b"".join(parts)


def _require_model(name: str) -> None:
    if name != MODEL:
        raise NotFound(f"the model {name!r} does not exist", value=name)


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidInput | NotFound)
    if isinstance(error, NotFound):
        return _json(error_body(error.message, "model_not_found", "model"), 404)
    status = 413 if isinstance(error, Oversized) else 400
    return _json(error_body(error.message, error.code, getattr(error, "field", None)), status)


async def _other(_request: Request, error: Exception) -> Response:
    """No such path, or another method."""
    assert isinstance(error, HTTPException)
    return _json(error_body(error.detail, "not_found"), error.status_code)
