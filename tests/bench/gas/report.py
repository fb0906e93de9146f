"""The results as tables: for the terminal, for `gas.json` and for a README."""

from __future__ import annotations

import json
from dataclasses import fields

from rich.console import Console

from tests.bench.gas.opcodes import Spent
from tests.bench.gas.reasons import reason
from tests.bench.gas.results import COMPOSED, OPERATIONS, Results, Row
from tests.bench.tables import FOLDER, WIDTH, Table, aims

HEADINGS = {
    "transfer": "transfer",
    "transfer_delegated": "both delegated",
    "funding": "funding",
    "claim": "claim",
    "issue_100": "issue to 100",
}
KINDS = [each.name.replace("_", " ") for each in fields(Spent)]
NOBODY_SAID = "nobody has written why yet: it belongs into tests/bench/gas/reasons.py"


def operations(results: Results) -> Table:
    def cell(row: Row, operation: str) -> str:
        gas = row.measured.gas.get(operation)
        if gas is None:
            return f"({row.measured.not_offered[operation]})"
        return f"{gas:,}" + ("*" if operation == "funding" and row.serves_each else "")

    return Table(
        "Gas of one operation, whole transactions, 100 holders (* serves each of them)",
        ["system", *(HEADINGS[operation] for operation in OPERATIONS), "compiler"],
        [
            [row.title, *(cell(row, operation) for operation in OPERATIONS), row.built]
            for row in results.rows
        ],
    )


def days(results: Results) -> Table:
    how = [f"{n:,} holders, {'composed' if n == COMPOSED else 'measured'}" for n in results.sizes]
    ours = results.ours
    return Table(
        "Gas a day of a cluster: funded hourly, 1 % of the holders trade, 5 % claim",
        ["system", *how],
        [
            [
                row.title,
                *(
                    f"{row.day(n):,}"
                    + ("" if row is ours else f" ({row.day(n) / ours.day(n):.2f} ×)")
                    for n in results.sizes
                ),
            ]
            for row in results.rows
        ],
    )


def spending(results: Results) -> Table:
    """On what ours and every other system that was looked into spent an operation's gas."""
    return _spending(
        "Where the gas went, by kind of instruction",
        [(operation, row) for operation in OPERATIONS for row in results.rows],
    )


def spending_beside_cheaper(results: Results) -> Table:
    """The same of ours, and of those alone that are cheaper."""
    cheaper = list(results.cheaper())
    return _spending(
        "Where ours goes, beside those that are cheaper",
        [
            (operation, row)
            for operation in OPERATIONS
            for row in results.rows
            if row is results.ours or (operation, row) in cheaper
        ],
    )


def _spending(title: str, wanted: list[tuple[str, Row]]) -> Table:
    lines = [
        [
            HEADINGS[operation],
            row.title,
            *(f"{part:,}" for part in spent.values()),
            f"{sum(spent.values()):,}",
        ]
        for operation, row in wanted
        if (spent := row.measured.spent.get(operation))
    ]
    return Table(title, ["operation", "system", *KINDS, "total"], lines)


def cheaper(results: Results) -> list[str]:
    """A line for each operation and each peer that is cheaper there: why, and the difference."""
    return [
        f"{HEADINGS[operation]}, {peer.title}: {reason(operation, peer.name) or NOBODY_SAID} "
        f"Ours less theirs: {_difference(results.ours, peer, operation)}."
        for operation, peer in results.cheaper()
    ]


def _difference(ours: Row, peer: Row, operation: str) -> str:
    a, b = ours.measured.spent.get(operation), peer.measured.spent.get(operation)
    whole = ours.measured.gas[operation] - peer.measured.gas[operation]
    if a is None or b is None:
        return f"{whole:+,}"
    parts = [
        f"{kind} {more - less:+,}"
        for kind, more, less in zip(KINDS, a.values(), b.values(), strict=True)
        if more != less
    ]
    return f"{whole:+,} ({', '.join(parts)})"


def uses(results: Results) -> list[str]:
    return [f"{row.title}: {row.use}." for row in results.rows]


def publish(results: Results) -> None:
    """Print the tables; write `out/bench/gas.json` and `out/bench/gas.md`."""
    console = Console(width=WIDTH)
    console.print()
    for table in (operations(results), days(results), spending(results)):
        console.print(table.rich())
    for title, lines in (
        ("How each does the work", uses(results)),
        ("Where a peer is cheaper", cheaper(results)),
    ):
        console.print(f"[bold]{title}[/bold]")
        for line in lines:
            console.print(f"- {line}", highlight=False, markup=False)
    console.print(aims(results.aims()).rich())
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results.as_json(), indent=2) + "\n"
    (FOLDER / "gas.json").write_text(text, encoding="ascii")
    (FOLDER / "gas.md").write_text(_markdown(results), encoding="utf-8")


def _markdown(results: Results) -> str:
    parts = [
        operations(results).markdown(),
        days(results).markdown(),
        "\n".join(f"- {line}" for line in uses(results)),
        "**Where a peer is cheaper**\n\n" + "\n".join(f"- {line}" for line in cheaper(results)),
        spending_beside_cheaper(results).markdown(),
        aims(results.aims()).markdown(),
    ]
    return "\n\n".join(parts) + "\n"
