"""A request as customers of language models send it, and as the upstream gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pydantic_core import to_json

from api.domain.codec import parse_json, parse_uint
from api.domain.prices import MAX_MODEL_CHARS
from api.errors import Incoherent, Malformed, OutOfRange
from api.gateway.metering import CountTokens, Usage, most_input_tokens

MAX_OUTPUT_TOKENS: Final = 131_072
MAX_ANSWERS: Final = 16


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


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        body: As the customer sent it.
        max_tokens: Most that may come out for each answer; 0 for embeddings.
        answers: How many answers are asked for.
        wants_usage: Whether the customer wants a stream's usage told.
    """

    endpoint: Endpoint
    body: bytes = field(repr=False)
    model: str
    is_stream: bool
    max_tokens: int
    answers: int
    wants_usage: bool
    fields: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, endpoint: Endpoint, body: bytes, default_max_tokens: int) -> Asked:
        """Raises Malformed, OutOfRange or Incoherent, naming the field."""
        fields = parse_json(body, "body")
        if not isinstance(fields, dict):
            raise Malformed("body", body[:100], "an object")
        model = fields.get("model")
        if not isinstance(model, str) or not 0 < len(model) <= MAX_MODEL_CHARS:
            raise Malformed("model", model, "the name of a model")
        prompt = fields.get(_PROMPTS[endpoint])
        if not isinstance(prompt, str | list) or not prompt:
            raise Malformed(_PROMPTS[endpoint], prompt, "a text or a list that is not empty")
        stream = fields.get("stream") or False
        if not isinstance(stream, bool):
            raise Malformed("stream", stream, "true or false")
        options = fields.get("stream_options") or {}
        if not isinstance(options, dict):
            raise Malformed("stream_options", options, "an object")
        if endpoint is Endpoint.EMBEDDINGS:
            if stream:
                raise Incoherent("embeddings are not streamed", value=stream)
            return cls(endpoint, body, model, False, 0, 1, False, fields)
        answers = _number(fields, "n", 1, MAX_ANSWERS)
        if fields.get("best_of") not in (None, answers):
            raise Incoherent("best_of other than n is not served", value=fields["best_of"])
        return cls(
            endpoint,
            body,
            model,
            stream,
            _number(
                fields,
                "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens",
                default_max_tokens,
                MAX_OUTPUT_TOKENS,
            ),
            answers,
            bool(options.get("include_usage")),
            fields,
        )

    def most(self, count: CountTokens | None) -> Usage:
        """The most that it can come to."""
        asked = self.fields
        # Tools and formats are read by the model like a message.
        around = [
            asked[name] for name in ("tools", "functions", "response_format") if name in asked
        ]
        prompt = asked[_PROMPTS[self.endpoint]]
        read = most_input_tokens(prompt, count) + (
            most_input_tokens(around, count) if around else 0
        )
        return Usage(read, self.max_tokens * self.answers)

    def for_upstream(self, model: str) -> bytes:
        """The same under the upstream's own name of the model, with the limit that is paid for."""
        fields = {**self.fields, "model": model}
        if self.endpoint is not Endpoint.EMBEDDINGS:
            if "max_completion_tokens" in fields:
                fields["max_completion_tokens"] = self.max_tokens
                fields.pop("max_tokens", None)
            else:
                fields["max_tokens"] = self.max_tokens
        if self.is_stream:
            fields["stream_options"] = {
                **(fields.get("stream_options") or {}),
                "include_usage": True,
            }
        return to_json(fields)


def _number(fields: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    number = parse_uint(value, name, most)
    if number == 0:
        raise OutOfRange(name, number, 1, most)
    return number
