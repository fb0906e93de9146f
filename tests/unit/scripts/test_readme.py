"""scripts/README.md lists the scripts that there are, and api/chain/README.md its files."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def _table(readme: Path) -> set[str]:
    """The names in the first column of the first table."""
    rows = [line for line in readme.read_text().splitlines() if line.startswith("| `")]
    return {found[1] for row in rows if (found := re.match(r"\| `([^`]+)` \|", row))}


def test_scripts_readme__table__is_the_tree() -> None:
    assert _table(ROOT / "scripts" / "README.md") == {
        path.stem for path in (ROOT / "scripts").glob("*.py")
    }


def test_chain_readme__table__is_the_tree() -> None:
    assert _table(ROOT / "api" / "chain" / "README.md") == {
        path.name
        for path in (ROOT / "api" / "chain").iterdir()
        if path.suffix in (".py", ".json") and path.name != "__init__.py"
    }


def test_scripts__each__begins_with_what_it_does() -> None:
    for path in (ROOT / "scripts").glob("*.py"):
        assert path.read_text().startswith('"""'), path.name
