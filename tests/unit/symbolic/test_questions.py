"""What is asked of halmos, and what counts as an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.symbolic.questions import Question, answer, questions

FOLDER = Path(__file__).resolve().parents[2] / "symbolic"
_THEOREM = re.compile(r"function (check_\w+)\(")


def _artifact(contract: str, *functions: str, refutes: str | None = None) -> dict[str, Any]:
    methods = [f"{function}(uint256)" for function in functions]
    details = {"methods": {method: {"custom:ranges": "any"} for method in methods}}
    if refutes is not None:
        details["custom:refutes"] = refutes  # type: ignore[assignment]
    metadata = {
        "settings": {"compilationTarget": {"tests/symbolic/File.sol": contract}},
        "output": {
            "devdoc": details,
            "userdoc": {"methods": {method: {"notice": "It holds."} for method in methods}},
        },
    }
    return {"rawMetadata": json.dumps(metadata)}


def _report(exitcode: int, cut_off: int = 0) -> dict[str, Any]:
    return {"test_results": {"f": [{"exitcode": exitcode, "num_bounded_loops": cut_off}]}}


def test_questions__of_theorems_and_a_wrong_variant__are_both() -> None:
    found = questions(
        [
            _artifact("Loose", "check_a", "check_b", refutes="all"),
            _artifact("SumTheorems", "check_a", "check_b"),
            _artifact("Scene"),
        ]
    )
    assert [(one.name, one.wanted) for one in found] == [
        ("SumTheorems.check_a", "proved"),
        ("SumTheorems.check_b", "proved"),
        ("Loose.check_a", "counterexample"),
        ("Loose.check_b", "counterexample"),
    ]
    assert found[0] == Question("SumTheorems", "check_a", "It holds.", "any", is_wrong=False)


def test_questions__of_a_variant_wrong_in_part__are_that_part() -> None:
    found = questions(
        [
            _artifact("SumTheorems", "check_a", "check_b"),
            _artifact("Loose", "check_a", "check_b", refutes="check_a"),
            _artifact("Rounded", "check_a", "check_b", refutes="check_b"),
        ]
    )
    assert [one.name for one in found if one.is_wrong] == ["Loose.check_a", "Rounded.check_b"]


def test_questions__of_a_theorem_that_nothing_refutes__are_refused() -> None:
    with pytest.raises(ValueError, match=r"no wrong variant refutes SumTheorems\.check_b"):
        questions(
            [
                _artifact("SumTheorems", "check_a", "check_b"),
                _artifact("Loose", "check_a", "check_b", refutes="check_a"),
            ]
        )


def test_questions__of_a_variant_that_refutes_what_is_not_there__are_refused() -> None:
    with pytest.raises(ValueError, match="Loose refutes check_c: no such theorem"):
        questions([_artifact("Loose", "check_a", refutes="check_a check_c")])


@pytest.mark.parametrize(
    ("exitcode", "said"),
    [
        (0, "proved"),
        (1, "counterexample"),
        (2, "timeout"),
        (3, "stuck"),
        (4, "only reverts"),
        (5, "error"),
    ],
)
def test_answer__by_exit_code__is_what_halmos_found(exitcode: int, said: str) -> None:
    assert answer(_report(exitcode)) == said


def test_answer__with_a_loop_cut_off__is_no_proof() -> None:
    assert answer(_report(0, cut_off=1)) == "loop cut off"
    assert answer(_report(1, cut_off=1)) == "counterexample"


def test_answer__of_nothing_asked__is_an_error() -> None:
    assert answer({"test_results": {}}) == "error"


def test_readme__every_theorem__is_named_and_no_other() -> None:
    readme = (FOLDER / "README.md").read_text()
    named = set(re.findall(r"`(check_\w+)(?:__…)?`", readme))
    there = {
        name for path in FOLDER.glob("*Theorems.sol") for name in _THEOREM.findall(path.read_text())
    }
    assert there
    unnamed = [name for name in there if not any(name.startswith(one) for one in named)]
    gone = [one for one in named if not any(name.startswith(one) for name in there)]
    assert not unnamed
    assert not gone
