"""A language model that counts: after which tokens came which, in a prose read in a circle.

1. The next token is drawn from those that followed the last ORDER − 1 tokens of the prose; where
   these were never seen in a row, from those after the last two, else after the last one.
2. What the prompt ends with is the beginning; where its last token is unknown, a paragraph begins.
3. A paragraph's end is the answer's end.

So each token follows its predecessor somewhere in the prose, which makes an answer's tokens those
that `api.domain.tokens` counts in its text.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final, Literal

from api.domain.tokens import prose, tokenize

ORDER: Final = 4

_END: Final = "\n"

# Enough text for the last ORDER − 1 tokens.
_LOOK_BACK_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Followers:
    """What came after some tokens: the most frequent first, with the sums of their counts."""

    tokens: tuple[str, ...]
    sums: array[int]


@dataclass(frozen=True, slots=True)
class Completion:
    """What was generated: pieces of text, of which all but a cut last one are tokens.

    Attributes:
        tokens: How many were generated, one that only led to the end by a stop text included.
    """

    pieces: tuple[str, ...]
    tokens: int
    finish_reason: Literal["stop", "length"]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class NgramModel:
    """Learns 100 KB in about half a second; generates about half a million tokens a second.

    Raises InvalidInput: There is no word in the text.
    """

    def __init__(self, text: str) -> None:
        tokens = tokenize(prose(text))
        self.learned = len(tokens)
        self._after = tuple(_count(tokens, size) for size in range(1, ORDER))

    def complete(
        self,
        prompt: str,
        *,
        limit: int,
        temperature: float,
        random: Random,
        stop: Sequence[str] = (),
        ignore_end: bool = False,
    ) -> Completion:
        """Go on with a prompt for at most `limit` tokens.

        Args:
            temperature: 0 takes the most frequent follower, 1 each as often as it was seen.
            stop: The text ends before the first of these.
            ignore_end: Go on beyond a paragraph's end.
        """
        last = tuple(tokenize(prompt[-_LOOK_BACK_CHARS:])[1 - ORDER :])
        if last[-1:] not in self._after[0]:
            last = (_END,)
        made: list[str] = []
        while len(made) < limit:
            followers = self._followers(last)
            token = _draw(followers, temperature, random)
            if token == _END and not ignore_end:
                if made:
                    return _stopped(made, stop) or Completion(tuple(made), len(made), "stop")
                last = (_END,)
                continue
            made.append(token)
            last = (*last[2 - ORDER :], token)
        return _stopped(made, stop) or Completion(tuple(made), len(made), "length")

    def _followers(self, last: tuple[str, ...]) -> Followers:
        for size in range(len(last), 0, -1):
            known = self._after[size - 1].get(last[-size:])
            if known is not None:
                return known
        raise AssertionError("the prose is a circle: something follows each of its tokens")


def _count(tokens: list[str], size: int) -> dict[tuple[str, ...], Followers]:
    """What follows each row of `size` tokens, the last ones followed by the first."""
    counts: dict[tuple[str, ...], Counter[str]] = {}
    circle = tokens + tokens[:size]
    rows = zip(*(circle[at:] for at in range(size)), strict=False)
    for row, token in zip(rows, circle[size:], strict=False):
        counts.setdefault(row, Counter())[token] += 1
    return {row: _ranked(counter) for row, counter in counts.items()}


def _ranked(counter: Counter[str]) -> Followers:
    ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return Followers(
        tuple(token for token, _ in ranked), array("L", accumulate(count for _, count in ranked))
    )


def _draw(followers: Followers, temperature: float, random: Random) -> str:
    tokens, sums = followers.tokens, followers.sums
    if len(tokens) == 1 or temperature == 0:
        return tokens[0]
    if temperature == 1:
        return tokens[bisect_right(sums, random.random() * sums[-1])]
    counts = [after - before for before, after in zip([0, *sums], sums, strict=False)]
    # Shares of the most frequent one, so that no temperature leaves the range of a float.
    weights = list(accumulate((count / counts[0]) ** (1 / temperature) for count in counts))
    return tokens[bisect_right(weights, random.random() * weights[-1])]


def _stopped(made: list[str], stop: Sequence[str]) -> Completion | None:
    """The completion cut before the first stop text; None if there is none in it."""
    if not stop:
        return None
    text = "".join(made)
    found = [(at, at + len(one)) for one in stop if (at := text.find(one)) >= 0]
    if not found:
        return None
    # The text that is complete first ends the generation, as if looked for after each token.
    at, end = min(found, key=lambda place: (place[1], place[0]))
    pieces: list[str] = []
    length = tokens = 0
    for token in made:
        tokens += 1
        pieces.append(token[: max(at - length, 0)])
        length += len(token)
        if length >= end:
            break
    return Completion(tuple(piece for piece in pieces if piece), tokens, "stop")
