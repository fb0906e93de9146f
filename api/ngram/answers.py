"""Answers as OpenAI's clients read them, whole and as server-sent events.

An event is put together from bytes that are the same for a whole answer, and the text as JSON
spells it: a tenth of what it takes to write the whole object each time.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from struct import pack
from typing import Any, Final, Literal

from api.ngram.model import Completion

MODEL: Final = "rackstream-ngram"

DONE: Final = b"data: [DONE]\n\n"

Kind = Literal["chat", "text"]

_NAMES: Final = {
    "chat": ("chatcmpl-", "chat.completion", "chat.completion.chunk"),
    "text": ("cmpl-", "text_completion", "text_completion"),
}


def to_json(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion for a request.

    Attributes:
        id: 32 hex digits, its own.
        created: Unix seconds.
    """

    kind: Kind
    id: str
    created: int
    prompt_tokens: int
    completion: Completion

    @property
    def usage(self) -> dict[str, int]:
        made = self.completion.tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": made,
            "total_tokens": self.prompt_tokens + made,
        }

    def body(self) -> bytes:
        """The whole answer in one."""
        text = self.completion.text
        said = (
            {"message": {"role": "assistant", "content": text}}
            if self.kind == "chat"
            else {"text": text}
        )
        reason = self.completion.finish_reason
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": reason}
        prefix, name, _ = _NAMES[self.kind]
        return to_json({**self._head(prefix, name), "choices": [choice], "usage": self.usage})

    def events(self, *, includes_usage: bool) -> tuple[list[bytes], list[bytes]]:
        """The answer in pieces.

        Returns: The event of each piece; and what ends it: why, the usage if it is wanted, DONE.
        """
        prefix, _, name = _NAMES[self.kind]
        head = to_json(self._head(prefix, name))[:-1]
        # With the usage at the end, OpenAI's other events have an empty one.
        tail = b',"usage":null}\n\n' if includes_usage else b"}\n\n"
        start = b"data: " + head + b',"choices":[{"index":0,'
        if self.kind == "chat":
            before, after, nothing = b'"delta":{"content":', b"}", b'"delta":{}'
        else:
            before, after, nothing = b'"text":', b"", b'"text":""'
        before = start + before
        after += b',"logprobs":null,"finish_reason":null}]' + tail
        pieces = [before + _spelled(piece) + after for piece in self.completion.pieces]
        if self.kind == "chat":
            role = (
                b'"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]'
            )
            pieces.insert(0, start + role + tail)
        reason = self.completion.finish_reason.encode()
        end = [start + nothing + b',"logprobs":null,"finish_reason":"' + reason + b'"}]' + tail]
        if includes_usage:
            usage = to_json(self.usage)
            end.append(b"data: " + head + b',"choices":[],"usage":' + usage + b"}\n\n")
        return pieces, [*end, DONE]

    def _head(self, prefix: str, name: str) -> dict[str, Any]:
        return {
            "id": prefix + self.id,
            "object": name,
            "created": self.created,
            "model": MODEL,
        }


@lru_cache(maxsize=65_536)
def _spelled(piece: str) -> bytes:
    return to_json(piece)


def models_body(created: int, context_tokens: int) -> bytes:
    model = {
        "id": MODEL,
        "object": "model",
        "created": created,
        "owned_by": "rackstream",
        "max_model_len": context_tokens,
    }
    return to_json({"object": "list", "data": [model]})


def embeddings_body(vectors: list[list[float]], encoding: str, prompt_tokens: int) -> bytes:
    """`base64` is of 32-bit floats, the lowest byte first."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": vector if encoding == "float" else _packed(vector),
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return to_json({"object": "list", "data": data, "model": MODEL, "usage": usage})


def _packed(vector: list[float]) -> str:
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode()


def error_body(message: str, code: str, param: str | None = None) -> bytes:
    kind = "server_error" if code == "internal" else "invalid_request_error"
    return to_json({"error": {"message": message, "type": kind, "param": param, "code": code}})
