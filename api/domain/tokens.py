"""The tokens of `rackstream-ngram`: what its usage counts, and anybody can count again.

A token is up to 8 letters, 3 digits or 3 other signs, with the space before it, or white space by
itself. Joined, the tokens of a text are the text. Which one comes next depends on nothing before
it, so the tokens of a prose's any stretch, joined, are these tokens again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.errors import InvalidInput, OutOfRange

MESSAGE_TOKENS: Final = 3
"""What a message of a chat counts beside its content: who speaks, its begin and its end."""

MAX_PROMPT_TOKENS: Final = 1_000_000

_TOKEN: Final = re.compile(
    r" ?[^\W\d_]{1,8}| ?\d{1,3}| ?[^\w\s]{1,3}| ?_{1,3}|\s{1,8}(?!\S)|\s{1,8}"
)
_TABLE_ROW: Final = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
_PARAGRAPH: Final = re.compile(r"\n[^\S\n]*\n\s*")


def tokenize(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens a text has."""
    return len(_TOKEN.findall(text))


def count_chat_tokens(contents: Iterable[str]) -> int:
    """How many tokens the messages of a chat have, by their contents."""
    return sum(count_tokens(content) + MESSAGE_TOKENS for content in contents)


def prose(text: str) -> str:
    """A text without its tables, each paragraph in one line with nothing but single spaces within.

    Raises InvalidInput: There is no word in it.
    """
    lines = (" ".join(part.split()) for part in _PARAGRAPH.split(_TABLE_ROW.sub("", text)))
    kept = "".join(f"{line}\n" for line in lines if line)
    if not kept:
        raise InvalidInput("the text has no word")
    return kept


@dataclass(frozen=True, slots=True)
class PromptSource:
    """Prompts of as many tokens as are wanted, cut from a prose. Deterministic.

    Attributes:
        tokens: Of the prose, which is read in a circle.
    """

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> PromptSource:
        """Raises InvalidInput: There is no word in it."""
        return cls(tuple(tokenize(prose(text))))

    def prompt(self, number: int, tokens: int) -> str:
        """Prompt `number` (0 or more), of exactly so many tokens.

        Raises OutOfRange: More than MAX_PROMPT_TOKENS are wanted, or none.
        """
        if not 1 <= tokens <= MAX_PROMPT_TOKENS:
            raise OutOfRange("tokens", tokens, 1, MAX_PROMPT_TOKENS)
        # A step that shares no factor with most lengths: prompts begin all over the prose.
        start = number * 7_919 % len(self.tokens)
        rounds = -(-(start + tokens) // len(self.tokens))
        return "".join((self.tokens * rounds)[start : start + tokens])
