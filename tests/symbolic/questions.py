"""What is put to halmos, as the compiler reads it from the contracts here; what it answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = "tests/symbolic/"

_ANSWERS = {1: "counterexample", 2: "timeout", 3: "stuck", 4: "only reverts"}
"""halmos's exit codes; 0 is a proof if no loop was cut off, any other an error."""


@dataclass(frozen=True)
class Question:
    """A theorem on the code as it is, or on a wrong variant that it has to refuse."""

    contract: str
    function: str
    statement: str
    ranges: str
    is_wrong: bool

    @property
    def name(self) -> str:
        return f"{self.contract}.{self.function}"

    @property
    def wanted(self) -> str:
        return "counterexample" if self.is_wrong else "proved"


def questions(artifacts: Iterable[Mapping[str, Any]]) -> list[Question]:
    """The theorems (of contracts named so), then the wrong variants, by what each says it refutes.

    ValueError for a theorem that no wrong variant refutes, or one that is refuted and is not there.
    """
    found = []
    for artifact in artifacts:
        metadata = json.loads(artifact["rawMetadata"])
        ((source, contract),) = metadata["settings"]["compilationTarget"].items()
        refutes = metadata["output"]["devdoc"].get("custom:refutes", "").split()
        if not source.startswith(HERE) or not (contract.endswith("Theorems") or refutes):
            continue
        theirs = _functions(metadata["output"])
        if refutes == ["all"]:
            refutes = list(theirs)
        if missing := set(refutes) - set(theirs):
            raise ValueError(f"{contract} refutes {', '.join(sorted(missing))}: no such theorem")
        found += [
            Question(contract, name, statement, ranges, bool(refutes))
            for name, (statement, ranges) in sorted(theirs.items())
            if not refutes or name in refutes
        ]
    refuted = {one.function for one in found if one.is_wrong}
    bare = [one.name for one in found if not one.is_wrong and one.function not in refuted]
    if bare:
        raise ValueError(f"no wrong variant refutes {', '.join(bare)}")
    return sorted(found, key=lambda one: (one.is_wrong, one.contract))


def artifacts(folder: Path) -> list[dict[str, Any]]:
    """What forge left in a folder of its artifacts."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.sol/*.json"))]


def _functions(output: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Statement and ranges of each theorem, by its name."""
    notices, details = output["userdoc"]["methods"], output["devdoc"]["methods"]
    return {
        signature.split("(")[0]: (words["notice"], details[signature]["custom:ranges"])
        for signature, words in notices.items()
        if signature.startswith("check_")
    }


def answer(report: Mapping[str, Any]) -> str:
    """halmos's answer to one question, from its report."""
    results = [one for many in report["test_results"].values() for one in many]
    if len(results) != 1:
        return "error"
    (result,) = results
    if result["exitcode"] == 0:
        return "loop cut off" if result["num_bounded_loops"] else "proved"
    return _ANSWERS.get(result["exitcode"], "error")
