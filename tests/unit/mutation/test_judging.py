"""Judging with tests that are shell commands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutation.judging import Judge, Results, Verdict
from tests.mutation.mutants import Mutant
from tests.mutation.suites import Stage, Suites
from tests.mutation.workspace import JudgementError, Workspace

FILE = "contracts/share/Till.sol"
PASSES = "exit 0"
NEEDS_CHECK = f"grep -q 'if (amount > books.income) revert' {FILE}"
FAILS = "echo 'FAILED test_till.py::test_pay - paid 3' && exit 1"


class ShellSuites(Suites):
    """Each stage is a line of shell over the one source."""

    def __init__(self, mutant: Mutant, *lines: str) -> None:
        super().__init__({FILE: mutant.source.content})
        self._lines = lines

    def stages(self, source: str) -> list[Stage]:
        return [
            Stage(str(place), ("sh", "-c", line), frozenset({source}), is_forge=False)
            for place, line in enumerate(self._lines)
        ]


@pytest.fixture
def check(till: Sequence[Mutant]) -> Mutant:
    """The mutant that pays more than there is."""
    return next(each for each in till if (each.where, each.operator) == ("Till.pay", "check"))


@pytest.fixture
def event(till: Sequence[Mutant]) -> Mutant:
    return next(each for each in till if (each.where, each.operator) == ("Till.pay", "event"))


def judge(folder: Path, suites: ShellSuites, mutants: Sequence[Mutant]) -> list[Verdict]:
    """The verdicts in the mutants' order."""
    workspaces = [Workspace(folder, folder / f"tree-{number}") for number in (1, 2)]
    for workspace in workspaces:
        workspace.fill(suites.files)
    judging = Judge(suites, Results(folder / "results.jsonl"), workspaces)
    judging.check_originals([FILE], lambda *_: None)
    verdicts = {verdict.mutant.name: verdict for verdict in judging.judge(mutants)}
    for workspace in workspaces:
        assert (workspace.folder / FILE).read_bytes() == suites.files[FILE]
    return [verdicts[mutant.name] for mutant in mutants]


def test_judge__one_test_sees_one_mutant__killed_and_survived(
    tmp_path: Path, check: Mutant, event: Mutant
) -> None:
    suites = ShellSuites(check, PASSES, f"{NEEDS_CHECK} || {{ {FAILS}; }}")
    killed, survived = judge(tmp_path, suites, [check, event])
    assert killed == Verdict(check, "killed", "1", "test_till.py::test_pay: paid 3")
    assert survived == Verdict(event, "survived")


def test_judge__run_that_never_ends__counts_as_killed(
    tmp_path: Path, check: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.mutation.judging._PATIENCE_SECONDS", 0.2)
    suites = ShellSuites(check, f"{NEEDS_CHECK} || sleep 600")
    started = time.monotonic()
    (verdict,) = judge(tmp_path, suites, [check])
    assert (verdict.outcome, verdict.is_killed) == ("timeout", True)
    assert time.monotonic() - started < 60


def test_judge__again_on_the_same_files__nothing_is_run(tmp_path: Path, check: Mutant) -> None:
    runs = tmp_path / "runs"
    suites = ShellSuites(check, f"echo run >> {runs}; {NEEDS_CHECK} || {{ {FAILS}; }}")
    first = judge(tmp_path, suites, [check])
    with (tmp_path / "results.jsonl").open("a") as results:
        results.write('{"key": "cut o')
    assert judge(tmp_path, suites, [check]) == first
    assert runs.read_text().count("run") == 2


def test_check_originals__test_fails_without_a_mutant__refused(
    tmp_path: Path, check: Mutant
) -> None:
    with pytest.raises(JudgementError, match="without a mutant"):
        judge(tmp_path, ShellSuites(check, FAILS), [check])


def test_judge__run_ends_without_a_word_of_a_test__refused(tmp_path: Path, check: Mutant) -> None:
    with pytest.raises(JudgementError, match="ended with 7"):
        judge(tmp_path, ShellSuites(check, f"{NEEDS_CHECK} || exit 7"), [check])


def test_judge__mutant_of_another_text__judged_anew(tmp_path: Path, check: Mutant) -> None:
    suites = ShellSuites(check, f"! grep -q 'uint256 public constant PERIOD = 2' {FILE}")
    change = replace(check.change, replacement="uint256 private other;")
    assert [one.outcome for one in judge(tmp_path, suites, [check])] == ["survived"]
    other = replace(check, change=change, now=change.replacement)
    assert [one.outcome for one in judge(tmp_path, suites, [other])] == ["survived"]
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


def test_fill__file_that_is_no_more__removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "tree")
    workspace.fill({"contracts/A.sol": b"A", "contracts/B.sol": b"B"})
    workspace.fill({"contracts/B.sol": b"b"})
    assert not (workspace.folder / "contracts" / "A.sol").exists()
    assert (workspace.folder / "contracts" / "B.sol").read_bytes() == b"b"
