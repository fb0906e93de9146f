"""The repository as the architecture tests see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_SKIPPED = {
    "node_modules", "out", "var", "cache", "__pycache__", ".cache", ".git", ".venv", ".toolchain",
    ".build", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis",
}  # fmt: skip

_SOLIDITY_IMPORT = re.compile(r'^\s*import\b[^;]*?"([^"]+)"\s*;', re.MULTILINE)


def files(folder: str, ending: str) -> Iterator[Path]:
    """The project's own files under a folder, by the end of their names."""
    for path in sorted((ROOT / folder).rglob(f"*{ending}")):
        if not _SKIPPED & set(path.relative_to(ROOT).parts):
            yield path


def short(path: Path) -> str:
    """A file's path from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def solidity_imports(path: Path) -> list[str]:
    """What a Solidity source imports: paths from the root, packages by their names."""
    return [
        short((path.parent / target).resolve()) if target.startswith(".") else target
        for target in _SOLIDITY_IMPORT.findall(path.read_text())
    ]


@cache
def python_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def python_imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in a Python file; `from a import b` gives a and a.b."""
    for node in ast.walk(python_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{short(path)}:{node.lineno} imports relatively"
            yield node.lineno, node.module
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def is_within(module: str, package: str) -> bool:
    """Whether a module is a package or inside it."""
    return module == package or module.startswith(f"{package}.")
