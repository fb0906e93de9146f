"""How many tokens a request took: what the upstream says, held against what can be counted.

Without a tokenizer a token has at least one byte of text, and each message at most
`MESSAGE_TOKENS` around it: claims above that are cut. With one, claims are cut to what it counts,
with room for the upstream's own template. What is cut is the customer's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from api.errors import UpstreamFault

CountTokens = Callable[[str], int]

MESSAGE_TOKENS: Final = 16
"""That a template may put around a message: its role, its beginning and end."""

_TEMPLATE_TOKENS: Final = 32


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that went in and came out."""

    input: int
    output: int


def texts_of(value: object) -> list[str]:
    """All text in a part of a request or an answer: strings, in lists and under keys."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, Sequence):
        return [text for item in value for text in texts_of(item)]
    return []


def most_input_tokens(prompt: object, count: CountTokens | None) -> int:
    """The most that an upstream may claim to have read for `prompt`."""
    if isinstance(prompt, list) and prompt and type(prompt[0]) is int:
        # Token ids.
        return _TEMPLATE_TOKENS + len(prompt)
    parts = prompt if isinstance(prompt, list) else [prompt]
    if any(isinstance(part, list) for part in parts):
        return sum(most_input_tokens(part, count) for part in parts)
    around = _TEMPLATE_TOKENS + MESSAGE_TOKENS * len(parts)
    return around + sum(count(text) if count else len(text.encode()) for text in texts_of(prompt))


class Meter:
    """Of one answer. Takes it whole, or as the events of a stream.

    `most` is what was held for: no claim goes beyond.
    """

    __slots__ = ("_bytes", "_claimed", "_count", "_most", "_pieces", "_texts")

    def __init__(self, most: Usage, count: CountTokens | None) -> None:
        self._most = most
        self._count = count
        self._claimed: Usage | None = None
        self._texts: dict[str, list[str]] = {}
        self._bytes = 0
        self._pieces = 0

    def take_answer(self, body: bytes) -> None:
        """A whole answer. Raises UpstreamFault: No JSON, or without its usage."""
        answer = _parsed(body)
        usage = _usage(answer)
        if usage is None:
            raise UpstreamFault("the answer does not say what it used")
        self._claimed = usage
        self._take_choices(answer)

    def take_event(self, data: bytes) -> bool:
        """One event of a stream; whether it carries nothing but the usage."""
        event = _parsed(data)
        usage = _usage(event)
        if usage is not None:
            self._claimed = usage
        return not self._take_choices(event) and usage is not None

    def _take_choices(self, answer: Mapping[str, Any]) -> bool:
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices:
            return False
        for choice in choices:
            if not isinstance(choice, Mapping):
                continue
            said = choice.get("delta") or choice.get("message") or choice.get("text")
            texts = [(kind, text) for kind, text in _spoken(said) if text]
            if texts:
                self._pieces += 1
                self._bytes += sum(len(text.encode()) for _, text in texts)
            if self._count is not None:
                for kind, text in texts:
                    place = f"{choice.get('index', 0)}/{kind}"
                    self._texts.setdefault(place, []).append(text)
        return True

    def so_far(self) -> Usage:
        """The least that was surely delivered yet: a piece has at least a token."""
        claimed = self._claimed
        return Usage(
            min(claimed.input, self._most.input) if claimed else 0,
            min(self._pieces, self._most.output),
        )

    def total(self) -> Usage:
        """What is to be paid for: what was delivered, as far as the answer came."""
        counted = None
        if self._count is not None:
            counted = sum(self._count("".join(texts)) for texts in self._texts.values())
        most = min(self._most.output, self._bytes if counted is None else counted)
        if self._claimed is None:
            # Cut off before the upstream said anything: what came out can be counted, and what
            # went in is not charged.
            return Usage(0, min(most, self._pieces if counted is None else counted))
        return Usage(
            min(self._claimed.input, self._most.input),
            max(min(self._claimed.output, most), self.so_far().output),
        )

    def is_overclaimed(self) -> bool:
        """Whether the upstream said more than can be."""
        total = self.total()
        claimed = self._claimed
        return claimed is not None and (
            claimed.input > total.input or claimed.output > total.output
        )


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        value = from_json(data)
    except ValueError:
        raise UpstreamFault("the answer is not JSON") from None
    if not isinstance(value, dict):
        raise UpstreamFault("the answer is no object")
    return value


def _usage(answer: Mapping[str, Any]) -> Usage | None:
    usage = answer.get("usage")
    if not isinstance(usage, Mapping):
        return None
    read, made = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    for number in (read, made):
        if type(number) is not int or number < 0:
            raise UpstreamFault("the usage is no number of tokens")
    assert read is not None
    return Usage(read, made)


def _spoken(said: object) -> list[tuple[str, str]]:
    """What a model has said, by kind: its text, its thoughts, its calls."""
    if isinstance(said, str):
        return [("text", said)]
    if not isinstance(said, Mapping):
        return []
    kinds = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls")
    return [(kind, text) for kind in kinds for text in texts_of(said.get(kind))]
