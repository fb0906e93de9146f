"""A request as customers of language models send it, and as the upstream gets it.

What is passed on is listed: a field that nobody here knows could make the model read or write what
nobody pays for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pydantic_core import to_json

from api.domain.codec import parse_json, parse_uint
from api.domain.prices import MAX_MODEL_CHARS
from api.errors import Incoherent, InvalidInput, Malformed, OutOfRange, Oversized
from api.gateway.metering import Prompt, Usage

MAX_OUTPUT_TOKENS: Final = 131_072
MAX_ANSWERS: Final = 64
"""To one request: prompts × answers to each."""

MAX_MESSAGES: Final = 4_096
_MAX_LOGPROBS: Final = 20


class Endpoint(StrEnum):
    """What is asked for, by its path at the upstream."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    EMBEDDINGS = "/v1/embeddings"


_PROMPTS: Final = {
    Endpoint.CHAT: "messages",
    Endpoint.COMPLETIONS: "prompt",
    Endpoint.EMBEDDINGS: "input",
}

# Read by the model beside the prompt.
_READ: Final = frozenset(
    {"tools", "tool_choice", "functions", "function_call", "response_format", "suffix"}
)

_SAMPLING: Final = frozenset(
    {
        "temperature", "top_p", "top_k", "min_p", "stop", "seed", "presence_penalty",
        "frequency_penalty", "repetition_penalty", "logit_bias", "logprobs", "top_logprobs",
        "parallel_tool_calls", "reasoning_effort", "ignore_eos", "min_tokens",
    }
)  # fmt: skip

_EMBEDDING: Final = frozenset({"dimensions", "encoding_format"})

# Made here, or of no concern to the model.
_OURS: Final = frozenset(
    {
        "model", "messages", "prompt", "input", "stream", "stream_options", "max_tokens",
        "max_completion_tokens", "n", "best_of", "user", "metadata", "store", "service_tier",
        "safety_identifier", "prompt_cache_key",
    }
)  # fmt: skip

_KNOWN: Final = _READ | _SAMPLING | _EMBEDDING | _OURS


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        body: As the customer sent it.
        max_tokens: Most that may come out for each answer; 0 for embeddings.
        answers: How many answers are asked for, to all prompts together.
        wants_usage: Whether the customer wants a stream's usage told.
    """

    endpoint: Endpoint
    body: bytes = field(repr=False)
    model: str
    is_stream: bool
    max_tokens: int
    answers: int
    wants_usage: bool
    prompt: Prompt = field(repr=False)
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, endpoint: Endpoint, body: bytes, default_max_tokens: int) -> Asked:
        """Raises InvalidInput of some kind, naming the field."""
        fields = parse_json(body, "body")
        if not isinstance(fields, dict):
            raise Malformed("body", body[:100], "an object")
        unknown = sorted(name for name in fields if name not in _KNOWN)
        if unknown:
            raise InvalidInput(f"{unknown[0]!r} is not served here", value=unknown[0])
        model = fields.get("model")
        if not isinstance(model, str) or not 0 < len(model) <= MAX_MODEL_CHARS:
            raise Malformed("model", model, "the name of a model")
        stream = fields.get("stream") or False
        if not isinstance(stream, bool):
            raise Malformed("stream", stream, "true or false")
        options = fields.get("stream_options") or {}
        if not isinstance(options, dict):
            raise Malformed("stream_options", options, "an object")
        given = fields.get(_PROMPTS[endpoint])
        parts, prompts = _parts(endpoint, given)
        if endpoint is Endpoint.EMBEDDINGS:
            if stream:
                raise Incoherent("embeddings are not streamed", value=stream)
            answers, most = 1, 0
        else:
            answers = prompts * _number(fields, ("n",), 1, MAX_ANSWERS)
            if answers > MAX_ANSWERS:
                raise Oversized("answers", answers, MAX_ANSWERS)
            if fields.get("best_of") not in (None, 1):
                raise Incoherent("best_of is not served here", value=fields["best_of"])
            limits = ("max_completion_tokens", "max_tokens")
            most = _number(fields, limits, default_max_tokens, MAX_OUTPUT_TOKENS)
            for name in ("logprobs", "top_logprobs"):
                if fields.get(name) not in (None, False, True):
                    parse_uint(fields[name], name, _MAX_LOGPROBS)
        read = [to_json(fields[name]).decode() for name in _READ if fields.get(name) is not None]
        return cls(
            endpoint,
            body,
            model,
            stream,
            most,
            answers,
            bool(options.get("include_usage")),
            _prompt(parts, read),
            fields,
        )

    def most(self) -> Usage:
        """The most that it can come to, whatever the tokenizer."""
        return Usage(self.prompt.bytes(), self.max_tokens * self.answers)

    def for_upstream(self, model: str, *, is_counted: bool) -> bytes:
        """The same under the upstream's own name of the model, with the limit that is paid for.

        Where nobody here can count (`is_counted`), a stream is to tell its usage all the time.
        """
        fields = {
            name: value
            for name, value in self.fields.items()
            if name in _READ or name in _SAMPLING or name in _EMBEDDING
        }
        name = _PROMPTS[self.endpoint]
        fields |= {"model": model, name: self.fields[name]}
        if self.endpoint is not Endpoint.EMBEDDINGS:
            fields["max_tokens"] = self.max_tokens
            if self.fields.get("n") is not None:
                fields["n"] = self.fields["n"]
        if self.is_stream:
            fields["stream"] = True
            fields["stream_options"] = {"include_usage": True}
            if not is_counted:
                fields["stream_options"]["continuous_usage_stats"] = True
        return to_json(fields)


def _parts(endpoint: Endpoint, given: object) -> tuple[list[Any], int]:
    """The pieces of what is to be read, and how many prompts they are."""
    name = _PROMPTS[endpoint]
    if isinstance(given, str) and given and endpoint is not Endpoint.CHAT:
        return [given], 1
    if not isinstance(given, list) or not given:
        raise Malformed(name, given, "a text or a list that is not empty")
    if endpoint is Endpoint.CHAT:
        if len(given) > MAX_MESSAGES:
            raise Oversized("messages", len(given), MAX_MESSAGES)
        if not all(isinstance(message, dict) for message in given):
            raise Malformed(name, given, "a list of messages")
        return given, 1
    if type(given[0]) is int:
        return [given], 1
    most = MAX_ANSWERS if endpoint is Endpoint.COMPLETIONS else MAX_MESSAGES
    if len(given) > most:
        raise Oversized(f"entries of {name}", len(given), most)
    return given, len(given)


def _prompt(parts: list[Any], read: list[str]) -> Prompt:
    texts, ids = list(read), 0
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, list) and all(type(token) is int for token in part):
            ids += len(part)
        elif isinstance(part, dict):
            texts += _message(part)
        else:
            raise Malformed("prompt", part, "texts, token ids or messages")
    return Prompt(tuple(texts), ids, len(parts))


def _message(message: Mapping[str, Any]) -> list[str]:
    """The texts of a message; pictures and sounds have a price that nobody quotes here."""
    texts: list[str] = []
    for name, value in message.items():
        if name == "content" and isinstance(value, list):
            for part in value:
                text = part.get("text") if isinstance(part, dict) else None
                if not isinstance(text, str) or part.get("type") != "text":
                    raise Malformed("content", part, "parts of the type text")
                texts.append(text)
        elif isinstance(value, str):
            texts.append(value)
        elif value is not None:
            texts.append(to_json(value).decode())
    return texts


def _number(fields: Mapping[str, Any], names: tuple[str, ...], default: int, most: int) -> int:
    """The first of these fields that is given, 1 to `most`."""
    for name in names:
        value = fields.get(name)
        if value is not None:
            number = parse_uint(value, name, most)
            if number == 0:
                raise OutOfRange(name, number, 1, most)
            return number
    return default
