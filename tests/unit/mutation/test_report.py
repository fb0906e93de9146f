"""The figures of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from tests.mutation.judging import Verdict
from tests.mutation.mutants import Mutant
from tests.mutation.report import Report


def report(till: Sequence[Mutant], *outcomes: str) -> Report:
    verdicts = [Verdict(mutant, outcome) for mutant, outcome in zip(till, outcomes, strict=False)]
    return Report(till, verdicts, {till[0].key: "it is the same"})


def test_score__what_does_not_compile__counts_for_nothing(till: Sequence[Mutant]) -> None:
    assert report(till, "killed", "timeout", "survived", "invalid").score == Fraction(2, 3)


@pytest.mark.parametrize(("survived", "enough"), [(1, True), (2, False)])
def test_is_enough__nine_in_ten_killed_or_fewer__yes_or_no(
    till: Sequence[Mutant], survived: int, enough: bool
) -> None:
    outcomes = ["survived"] * survived + ["killed"] * (10 - survived)
    assert report(till, *outcomes).is_enough is enough


def test_json__survivors__with_their_reasons_or_none(till: Sequence[Mutant]) -> None:
    told = report(till, "survived", "survived", "killed").json()
    assert {each["now"]: each["why"] for each in told["survivors"]} == {
        till[0].now: "it is the same",
        till[1].now: None,
    }
    assert (told["made"], told["tried"], told["killed"]) == (len(till), 3, 1)
    assert told["killedPercent"] == 33.3
    assert sum(each["made"] for each in told["byOperator"].values()) == len(till)


def test_tables__by_file_and_operator__one_row_each_and_their_sum(till: Sequence[Mutant]) -> None:
    by_file, by_operator = report(till, "killed").tables()
    assert by_file.row_count == 2
    assert by_operator.row_count == len({mutant.operator for mutant in till}) + 1
