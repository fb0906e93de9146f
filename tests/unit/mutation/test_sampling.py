"""Which mutants are tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.mutation.mutants import Mutant
from tests.mutation.sampling import sample


def test_sample__no_size_or_more_than_there_are__all(till: Sequence[Mutant]) -> None:
    assert sample(till, None) == list(till)
    assert sample(till, len(till) + 1) == list(till)


def test_sample__twice__the_same_and_others_with_another_seed(till: Sequence[Mutant]) -> None:
    assert sample(till, 30) == sample(till, 30)
    assert sample(till, 30) != sample(till, 30, seed="another")


@pytest.mark.parametrize("size", [1, 20, 60])
def test_sample__of_any_size__is_within_the_larger_one(till: Sequence[Mutant], size: int) -> None:
    chosen = sample(till, size)
    assert len(chosen) == size
    assert {mutant.name for mutant in chosen} < {mutant.name for mutant in sample(till, size + 20)}


def test_sample__half__half_of_every_operator(till: Sequence[Mutant]) -> None:
    made = Counter(mutant.operator for mutant in till)
    chosen = Counter(mutant.operator for mutant in sample(till, len(till) // 2))
    assert max(abs(2 * chosen[operator] - made[operator]) for operator in made) <= 3
