"""The survivors against their explanations."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.mutation.judging import Verdict
from tests.mutation.mutants import Mutant
from tests.mutation.survivors import EXPLAINED, entry, explained, problems


def listed(*mutants: Mutant) -> str:
    return "\n".join(f"{entry(mutant)}\nwhy = 'it is the same'\n" for mutant in mutants)


def test_problems__survivor_explained__none(till: Sequence[Mutant]) -> None:
    reasons = explained(listed(till[0]))
    assert problems([Verdict(till[0], "survived"), Verdict(till[1], "killed")], till, reasons) == []


def test_problems__survivor_not_explained__named_as_an_entry(till: Sequence[Mutant]) -> None:
    (problem,) = problems([Verdict(till[0], "survived")], till, {})
    assert "does not say why" in problem
    assert problem.endswith(entry(till[0]))


@pytest.mark.parametrize("outcome", ["killed", "timeout", "invalid"])
def test_problems__explained_mutant_is_no_survivor__stale(
    till: Sequence[Mutant], outcome: str
) -> None:
    (problem,) = problems([Verdict(till[0], outcome)], till, explained(listed(till[0])))
    assert "is killed" in problem


def test_problems__explained_mutant_is_not_made_any_more__stale(till: Sequence[Mutant]) -> None:
    (problem,) = problems([], till[1:], explained(listed(till[0])))
    assert "is no more" in problem


def test_problems__explained_mutant_outside_the_sample__stands(till: Sequence[Mutant]) -> None:
    assert problems([], till, explained(listed(till[0]))) == []


def test_entry__every_mutant__read_back_as_its_key(till: Sequence[Mutant]) -> None:
    different = {mutant.key: mutant for mutant in till}
    assert set(explained(listed(*different.values()))) == set(different)


@pytest.mark.parametrize("why", ["", "  "])
def test_explained__without_a_reason__refused(till: Sequence[Mutant], why: str) -> None:
    with pytest.raises(ValueError, match="without a reason"):
        explained(f"{entry(till[0])}\nwhy = '{why}'")


def test_explained__listed_twice__refused(till: Sequence[Mutant]) -> None:
    with pytest.raises(ValueError, match="twice"):
        explained(listed(till[0], till[0]))


def test_explained__the_committed_list__can_be_read() -> None:
    assert all(explained(EXPLAINED.read_text()).values())
