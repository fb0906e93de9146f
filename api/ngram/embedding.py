"""Embeddings of texts by what they count: their tokens and pairs of tokens, hashed."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from zlib import crc32

from api.domain.tokens import tokenize


def embed(text: str, dimensions: int) -> list[float]:
    """The text as a vector of length 1, or 0 if it has no token. Deterministic.

    Each token, in lower case and without its space, and each pair adds 1 or −1 at a place, both by
    its hash: texts that share many are close.
    """
    tokens = [token.strip().lower() for token in tokenize(text)]
    counts = [0] * dimensions
    for feature in (*tokens, *map("\0".join, pairwise(tokens))):
        if feature:
            hashed = crc32(feature.encode("utf-8", "surrogatepass"))
            counts[(hashed >> 1) % dimensions] += 1 if hashed & 1 else -1
    length = sqrt(sum(count * count for count in counts)) or 1.0
    return [count / length for count in counts]
