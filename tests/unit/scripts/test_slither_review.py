"""Slither's findings against their explanations."""

from __future__ import annotations

from typing import Any

import pytest

from scripts._lib.slither_review import (
    EXPLAINED,
    Finding,
    explained,
    findings,
    problems,
    unneeded,
)

KNOWN = Finding("reentrancy-no-eth", "Waterfall._stream", "Medium", "Reentrancy in …")
LISTED = """
[[explained]]
check = "reentrancy-no-eth"
where = ["Waterfall._stream"]
why = "the lock"
"""


def element(name: str, kind: str, parent: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "type": kind, "type_specific_fields": {"parent": parent or {}}}


def test_findings__of_slithers_json__named_by_contract_and_member() -> None:
    contract = element("Waterfall", "contract")
    function = element("_stream", "function", contract)
    report = {
        "results": {
            "detectors": [
                {
                    "check": "reentrancy-no-eth",
                    "impact": "Medium",
                    "description": "Reentrancy in …\n",
                    "elements": [element("share.fund(…)", "node", function)],
                },
                {
                    "check": "uninitialized-state",
                    "impact": "High",
                    "description": "never initialized",
                    "elements": [element("_costs", "variable", contract)],
                },
                {
                    "check": "naming-convention",
                    "impact": "Informational",
                    "description": "",
                    "elements": [contract],
                },
            ]
        }
    }
    assert findings(report) == [
        KNOWN,
        Finding("uninitialized-state", "Waterfall._costs", "High", "never initialized"),
    ]


def test_problems__all_explained__none() -> None:
    assert problems([KNOWN], explained(LISTED)) == []


def test_problems__unexplained__named_with_slithers_words() -> None:
    (problem,) = problems([KNOWN], {})
    assert "Medium: reentrancy-no-eth in Waterfall._stream" in problem
    assert KNOWN.text in problem


def test_unneeded__explained_and_not_found__named() -> None:
    assert problems([], explained(LISTED)) == []
    assert "reentrancy-no-eth in Waterfall._stream" in unneeded([], explained(LISTED))
    assert unneeded([KNOWN], explained(LISTED)) == []


def test_explained__without_a_reason__refused() -> None:
    with pytest.raises(ValueError, match="reentrancy-no-eth is listed without a reason"):
        explained(LISTED.replace("the lock", " "))


def test_explained__the_projects_own__can_be_read() -> None:
    assert all(explained(EXPLAINED.read_text()).values())
