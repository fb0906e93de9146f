"""Requests as OpenAI's clients send them. What would change the answer and is not done here is
refused; what else they may hold is passed over, as vLLM does.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.domain.tokens import count_chat_tokens, count_tokens
from api.errors import ContextTooLong, Malformed, RequestNotSupported

CHAT_TOKENS: Final = 256
"""Most that a chat's answer has where the request does not say."""

TEXT_TOKENS: Final = 16
"""The same of a plain completion: OpenAI's default."""

DEFAULT_DIMENSIONS: Final = 256

_SEED = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_STOP = Annotated[str, Field(min_length=1, max_length=256)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises Malformed, naming the first field that is wrong."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            field = ".".join(map(str, first["loc"])) or "body"
            raise Malformed(field, first["input"], first["msg"]) from None


class StreamOptions(_Body):
    include_usage: bool | None = None


class _Generating(_Body):
    """`ignore_eos` is vLLM's: go on beyond the end until so many tokens are made."""

    model: str
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    seed: _SEED | None = None
    stop: _STOP | Annotated[list[_STOP], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    ignore_eos: bool = False
    n: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _possible(cls, data: Any) -> Any:
        for name, harmless in _NOT_DONE.items():
            if isinstance(data, dict) and data.get(name) not in harmless:
                raise RequestNotSupported(name)
        return data

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


_NOT_DONE: Final[dict[str, tuple[Any, ...]]] = {
    "n": (None, 1),
    "best_of": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "echo": (None, False),
    "suffix": (None, ""),
    "tools": (None, []),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
}
"""What is not done, and what asks for nothing of it."""


class TextPart(_Body):
    type: Literal["text"]
    text: str


class Message(_Body):
    role: Annotated[str, Field(min_length=1, max_length=64)]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(_Generating):
    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None

    @property
    def prompt_text(self) -> str:
        return self.messages[-1].text

    @property
    def prompt_tokens(self) -> int:
        return count_chat_tokens(message.text for message in self.messages)

    @property
    def limit(self) -> int:
        return self.max_completion_tokens or self.max_tokens or CHAT_TOKENS


class TextRequest(_Generating):
    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]

    @property
    def prompt_text(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    @property
    def prompt_tokens(self) -> int:
        return count_tokens(self.prompt_text)

    @property
    def limit(self) -> int:
        return self.max_tokens or TEXT_TOKENS


class EmbeddingsRequest(_Body):
    model: str
    input: str | Annotated[list[str], Field(min_length=1, max_length=2_048)]
    dimensions: Annotated[int, Field(ge=8, le=4_096)] | None = None
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class TokenizeRequest(_Body):
    """A prompt or the messages of a chat."""

    model: str | None = None
    prompt: str | None = None
    messages: Annotated[list[Message], Field(min_length=1)] | None = None

    @property
    def count(self) -> int:
        """Raises Malformed: Neither of both is there, or both are."""
        if (self.prompt is None) == (self.messages is None):
            raise Malformed("prompt", self.prompt, "either a prompt or messages")
        if self.messages is not None:
            return count_chat_tokens(message.text for message in self.messages)
        return count_tokens(self.prompt or "")


def require_room(prompt_tokens: int, limit: int, context_tokens: int) -> None:
    """Raises ContextTooLong: Prompt and answer together are more than the model takes."""
    if prompt_tokens + limit > context_tokens:
        raise ContextTooLong(prompt_tokens, limit, context_tokens)
