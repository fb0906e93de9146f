"""What a trial found: tables for people, the same as JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rich.table import Table

from tests.mutation.judging import Verdict
from tests.mutation.mutants import Mutant
from tests.mutation.survivors import Key

REQUIRED = Fraction(9, 10)
_OUTCOMES = ("killed", "timeout", "survived", "invalid")


@dataclass(frozen=True)
class Report:
    """All mutants that were made, the verdicts on those that were tried, and known reasons."""

    made: Sequence[Mutant]
    verdicts: Sequence[Verdict]
    reasons: Mapping[Key, str]

    @property
    def score(self) -> Fraction:
        """The part of the compiling mutants that was killed, survivors explained or not."""
        return _score(self.verdicts)

    @property
    def is_enough(self) -> bool:
        return self.score >= REQUIRED

    def tables(self) -> list[Table]:
        """By file and by operator."""
        return [
            self._table("file", lambda mutant: mutant.file),
            self._table("operator", lambda mutant: mutant.operator),
        ]

    def json(self) -> dict[str, Any]:
        return {
            "made": len(self.made),
            "tried": len(self.verdicts),
            **_counts(self.verdicts),
            "killedPercent": _percent(self.score),
            "byFile": self._groups(lambda mutant: mutant.file),
            "byOperator": self._groups(lambda mutant: mutant.operator),
            "survivors": [
                {**_described(one.mutant), "why": self.reasons.get(one.mutant.key)}
                for one in self._ordered()
                if one.outcome == "survived"
            ],
            "mutants": [
                {**_described(one.mutant), "outcome": one.outcome, "stage": one.stage, "by": one.by}
                for one in self._ordered()
            ],
        }

    def _ordered(self) -> list[Verdict]:
        return sorted(self.verdicts, key=lambda one: (one.mutant.file, one.mutant.change.start))

    def _groups(self, name_of: Callable[[Mutant], str]) -> dict[str, dict[str, Any]]:
        names = sorted({name_of(mutant) for mutant in self.made})
        groups = {}
        for name in names:
            verdicts = [one for one in self.verdicts if name_of(one.mutant) == name]
            groups[name] = {
                "made": sum(name_of(mutant) == name for mutant in self.made),
                "tried": len(verdicts),
                **_counts(verdicts),
                "killedPercent": _percent(_score(verdicts)) if verdicts else None,
            }
        return groups

    def _table(self, title: str, name_of: Callable[[Mutant], str]) -> Table:
        table = Table(show_edge=False, pad_edge=False)
        table.add_column(title, no_wrap=True)
        for column in ("made", "tried", *_OUTCOMES, "killed %"):
            table.add_column(column, justify="right")
        groups = self._groups(name_of)
        for name, group in groups.items():
            table.add_row(name.removeprefix("contracts/"), *_cells(group))
        table.add_section()
        table.add_row("all", *_cells(self.json()))
        return table


def _cells(group: Mapping[str, Any]) -> list[str]:
    percent = group["killedPercent"]
    numbers = [str(group[name]) for name in ("made", "tried", *_OUTCOMES)]
    return [*numbers, "" if percent is None else str(percent)]


def _counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    counts = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: counts[outcome] for outcome in _OUTCOMES}


def _score(verdicts: Iterable[Verdict]) -> Fraction:
    valid = [verdict for verdict in verdicts if verdict.outcome != "invalid"]
    return Fraction(sum(one.is_killed for one in valid), len(valid)) if valid else Fraction(1)


def _percent(part: Fraction) -> float:
    """With one decimal, rounded down."""
    return int(part * 1000) / 10


def _described(mutant: Mutant) -> dict[str, Any]:
    return {
        "name": mutant.name,
        "file": mutant.file,
        "line": mutant.line,
        "where": mutant.where,
        "operator": mutant.operator,
        "was": mutant.was,
        "now": mutant.now,
    }
