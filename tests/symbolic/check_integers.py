"""The translation against the bit vectors: `python -m tests.symbolic.check_integers`.

Random facts on vectors so small that circuits decide them at once: the integers have a solution if
and only if the bit vectors have one. In halmos's environment, by `python -m tests.symbolic`, before
anything is proved.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence

import z3  # type: ignore[import-not-found]

from tests.symbolic.integers import UntranslatableError, integers
from tests.symbolic.solver import with_meaning

BITS = 3
SEED = 20_260
ROUNDS = 150

_SORT = z3.BitVecSort(BITS)
_OPEN = [
    z3.Function(f"f_evm_{name}_{BITS}", _SORT, _SORT, _SORT)
    for name in ("bvmul", "bvudiv", "bvurem")
]
_COMPARISONS = (z3.ULT, z3.ULE, z3.UGT, z3.UGE, lambda x, y: x == y)


class Dice:
    """Random facts on three variables."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.variables = [z3.BitVec(name, BITS) for name in "abc"]

    def facts(self) -> list[z3.BoolRef]:
        return [self._fact(2) for _ in range(self._random.randint(2, 4))]

    def _fact(self, depth: int) -> z3.BoolRef:
        form = self._random.randrange(5 if depth else 2)
        if form == 2:
            return z3.Not(self._fact(depth - 1))
        if form in (3, 4):
            join = z3.And if form == 3 else z3.Or
            return join(self._fact(depth - 1), self._fact(depth - 1))
        return self._random.choice(_COMPARISONS)(self._term(2), self._term(2))

    def _term(self, depth: int) -> z3.BitVecRef:
        form = self._random.randrange(9) if depth else self._random.randrange(2)
        if form == 0:
            return z3.BitVecVal(self._random.randrange(2**BITS), BITS)
        if form == 1:
            return self._random.choice(self.variables)
        one, other = self._term(depth - 1), self._term(depth - 1)
        if form == 2:
            return one + other
        if form == 3:
            return one - other
        if form == 4:
            return one * self._random.randrange(2**BITS)
        if form == 5:
            return self._random.choice(_OPEN)(one, other)
        if form == 6:
            cut = self._random.randrange(1, BITS)
            return z3.Concat(z3.Extract(cut - 1, 0, one), z3.Extract(BITS - 1, cut, other))
        if form == 7:
            return z3.If(self._fact(0), one, other)
        return ~one


def has_solution(facts: Sequence[z3.BoolRef]) -> bool:
    solver = z3.Solver()
    solver.add(*facts)
    answer = solver.check()
    assert answer != z3.unknown, facts
    return bool(answer == z3.sat)


def main() -> None:
    dice = Dice(SEED)
    counts = {True: 0, False: 0}
    for number in range(ROUNDS):
        facts = dice.facts()
        try:
            found = has_solution(integers(facts))
        except UntranslatableError:
            continue
        if found != has_solution(with_meaning(facts)):
            sys.exit(f"integers: round {number} differs, {found} over the integers:\n{facts}")
        counts[found] += 1
    if min(counts.values()) < ROUNDS // 10:
        sys.exit(f"integers: {counts} says too little")
    print(f"as the bit vectors, {counts[True]} with and {counts[False]} without a solution")


if __name__ == "__main__":
    main()
