"""What a run came to: a table for people, and a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from tests.chaos.schedule import Schedule, Strike


@dataclass(frozen=True)
class Report:
    """`figures` are what was measured; `wrong` is empty where everything held."""

    schedule: Schedule
    struck: tuple[Strike, ...]
    survived: tuple[Strike, ...]
    figures: dict[str, int]
    endings: tuple[str, ...]
    wrong: tuple[str, ...]
    seconds: float

    def counts(self) -> dict[str, tuple[int, int]]:
        """Of each fault, by name: how often it struck, and how often it was survived.

        A fault is survived when the epoch it struck in is on chain; none is where the reckoning at
        the end found anything wrong.
        """
        struck = Counter(one.fault for one in self.struck)
        survived = Counter(one.fault for one in self.survived) if not self.wrong else Counter[str]()
        lies = self.figures.get("epochs", 0)
        named = {name: (count, survived[name]) for name, count in sorted(struck.items())}
        return named | {"lying reporter, epochs": (lies, 0 if self.wrong else lies)}

    def table(self) -> Table:
        table = Table("fault", "struck", "survived", title=f"seed {self.schedule.seed}")
        for name, (struck, survived) in self.counts().items():
            table.add_row(name, str(struck), str(survived))
        return table

    def json(self) -> dict[str, Any]:
        return {
            "seed": self.schedule.seed,
            "succeeded": not self.wrong,
            "seconds": round(self.seconds, 1),
            "figures": self.figures,
            "faults": {
                name: {"struck": struck, "survived": survived}
                for name, (struck, survived) in self.counts().items()
            },
            "ended by themselves": list(self.endings),
            "wrong": list(self.wrong),
            "schedule": list(self.schedule.lines()),
        }
