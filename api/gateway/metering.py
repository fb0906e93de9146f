"""How many tokens a request took: what the upstream says, held against what can be counted.

Without a tokenizer a token has at least one byte of text, and each message at most
`MESSAGE_TOKENS` around it: claims above that are cut. With one, claims are cut to what it counts,
with room for the upstream's own template. What is cut is the customer's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads: `texts`, `ids` tokens given as numbers, in `messages` pieces."""

    texts: tuple[str, ...]
    ids: int
    messages: int

    def bytes(self) -> int:
        """The most tokens that it can be: one for each byte and each number."""
        return self.ids + self.template() + sum(len(text.encode()) for text in self.texts)

    def least(self, count: CountTokens) -> int:
        """What it is without any template."""
        return self.ids + sum(count(text) for text in self.texts)

    def template(self) -> int:
        """The most that a template may add."""
        return _TEMPLATE_TOKENS + MESSAGE_TOKENS * self.messages


class Meter:
    """Of one answer. Takes it whole, or as the events of a stream.

    `most` is what was held for: no claim goes beyond.
    """

    __slots__ = (
        "_bytes",
        "_claimed",
        "_count",
        "_counted",
        "_least",
        "_most",
        "_pieces",
        "_prompt",
        "_texts",
        "_total",
    )

    def __init__(self, prompt: Prompt, most: Usage, count: CountTokens | None) -> None:
        self._prompt = prompt
        self._most = most
        self._count = count
        # Counted once, and when it is asked for: a long prompt takes longer than all the rest.
        self._least: int | None = None
        self._total: Usage | None = None
        self._claimed: Usage | None = None
        self._texts: dict[str, list[str]] = {}
        self._bytes = 0
        self._pieces = 0
        # What the pieces have, each by itself: near enough while an answer is on its way.
        self._counted = 0

    def take_answer(self, body: bytes) -> None:
        """A whole answer. Raises UpstreamFault: No JSON, or without its usage."""
        answer = _parsed(body)
        usage = _usage(answer)
        if usage is None:
            raise UpstreamFault("the answer does not say what it used")
        self._claimed, self._total = usage, None
        self._take_choices(answer)

    def take_event(self, data: bytes) -> bool:
        """One event of a stream; whether it carries nothing but the usage."""
        event = _parsed(data)
        usage = _usage(event)
        self._total = None
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
                    self._counted += self._count(text)
        return True

    @property
    def has_begun(self) -> bool:
        """Whether the model has said anything."""
        return self._pieces > 0

    def so_far(self) -> Usage:
        """What was delivered yet, to be noted while there is more to come."""
        if not self.has_begun:
            return Usage(0, 0)
        pieces = self._pieces if self._count is None else self._counted
        claimed = self._claimed.output if self._claimed is not None else pieces
        return Usage(self._input(), min(claimed, pieces, self._most.output))

    def total(self) -> Usage:
        """What is to be paid for: what was delivered, as far as the answer came."""
        if self._total is None:
            self._total = self._totalled()
        return self._total

    def _totalled(self) -> Usage:
        if self._claimed is None and not self.has_begun:
            # A request that failed costs nothing.
            return Usage(0, 0)
        most, cut_off = self._bytes, self._pieces
        if self._count is not None:
            most = cut_off = sum(self._count("".join(texts)) for texts in self._texts.values())
        claimed = cut_off if self._claimed is None else self._claimed.output
        return Usage(self._input(), min(claimed, most, self._most.output))

    def _input(self) -> int:
        """What went in, which is to be paid for as soon as an answer has begun."""
        if self._claimed is None:
            # Broken off before the server told. Without a tokenizer nobody can say.
            return min(self._counted_prompt() or 0, self._most.input)
        claimed, counted = self._claimed.input, self._counted_prompt()
        most = self._most.input
        if counted is not None and claimed > counted:
            most = min(most, counted + self._prompt.template())
        return min(claimed, most)

    def _counted_prompt(self) -> int | None:
        if self._least is None and self._count is not None:
            self._least = self._prompt.least(self._count)
        return self._least

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
    read, made = usage.get("prompt_tokens"), usage.get("completion_tokens")
    # Of embeddings nothing comes out.
    numbers = [read, 0 if made is None else made]
    for number in numbers:
        if type(number) is not int or number < 0:
            raise UpstreamFault("the usage is no number of tokens")
    return Usage(*numbers)  # type: ignore[arg-type]


def _spoken(said: object) -> list[tuple[str, str]]:
    """What a model has said, by kind: its text, its thoughts, its calls."""
    if isinstance(said, str):
        return [("text", said)]
    if not isinstance(said, Mapping):
        return []
    kinds = (
        "content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call",
    )  # fmt: skip
    return [(kind, text) for kind in kinds for text in _texts_of(said.get(kind))]


def _texts_of(value: object) -> list[str]:
    """All text in a part of an answer."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts_of(item)]
    return []
