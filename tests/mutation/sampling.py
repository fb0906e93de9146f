"""Which mutants are tried when not all are: the same ones every time, of every kind its share."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

from tests.mutation.mutants import Mutant

SEED = "rackstream"


def sample(mutants: Iterable[Mutant], size: int | None, seed: str = SEED) -> list[Mutant]:
    """`size` of the mutants, all for None, in their order.

    Stratified by file and operator. A larger sample contains a smaller one, and a change of one
    function leaves the draw among the others' mutants as it was, but for its shares.
    """
    mutants = list(mutants)
    if size is None or size >= len(mutants):
        return mutants
    strata = defaultdict(list)
    for mutant in mutants:
        strata[mutant.file, mutant.operator].append(mutant)
    turns = {}
    for stratum, members in strata.items():
        # Where a stratum begins is drawn too: else every small one would come before the large.
        start = _fraction(seed, *stratum)
        members.sort(key=lambda mutant: _fraction(seed, mutant.name))
        for place, mutant in enumerate(members):
            turns[mutant.name] = (place + start) / len(members)
    chosen = {mutant.name for mutant in sorted(mutants, key=lambda one: turns[one.name])[:size]}
    return [mutant for mutant in mutants if mutant.name in chosen]


def _fraction(*parts: str) -> Fraction:
    """A number in [0, 1) that the parts decide."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return Fraction(int.from_bytes(digest[:8], "big"), 2**64)
