"""Tables of what was measured, and aims that are met or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table as RichTable

FOLDER = Path(__file__).resolve().parents[2] / "out" / "bench"
"""Where results are written."""

WIDTH = 190
"""Of the terminal, in characters."""


@dataclass(frozen=True)
class Aim:
    words: str
    is_met: bool
    found: str


@dataclass(frozen=True)
class Table:
    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """With numbers to the right."""
        rule = ["---" if _is_wordy(self.lines, n) else "--:" for n in range(len(self.headings))]
        rows = ["| " + " | ".join(line) + " |" for line in (self.headings, rule, *self.lines)]
        return f"**{self.title}**\n\n" + "\n".join(rows)

    def rich(self) -> RichTable:
        table = RichTable(title=self.title, title_justify="left", title_style="bold")
        for n, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if _is_wordy(self.lines, n) else "right")
        for line in self.lines:
            table.add_row(*line)
        return table


def _is_wordy(lines: Sequence[Sequence[str]], column: int) -> bool:
    return any(len(line[column]) > 3 and line[column][0].isalpha() for line in lines)


def aims(found: Iterable[Aim]) -> Table:
    return Table(
        "Aims",
        ["aim", "", "found"],
        [[aim.words, "met" if aim.is_met else "NOT MET", aim.found] for aim in found],
    )
