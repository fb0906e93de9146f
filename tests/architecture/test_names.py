"""Names: unique contracts, errors that say whose they are, tests that say what they show."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.tree import files, python_tree, short

_CONTRACT = re.compile(r"^(?:abstract )?(?:contract|interface|library) (\w+)", re.MULTILINE)
_ERROR = re.compile(r"^\s*error (\w+)\s*\(", re.MULTILINE)
_STANDARD_ERROR = re.compile(r"ERC\d+[A-Z]\w+\Z")
"""An ERC's own error keeps the name that the standard gives it."""
_FORGE_TEST = re.compile(r"function (test\w*|invariant\w*)\s*\(")
_NAME = re.compile(r"test_[a-z0-9]+(?:_[a-z0-9]+)*__[a-z0-9_]+?__[a-z0-9_]+\Z")
_FORGE_NAME = re.compile(r"(?:test(?:Fuzz)?|invariant)_\w+\Z")


def _sources() -> list[Path]:
    return list(files("contracts", ".sol"))


def test_contracts__in_the_whole_tree__have_names_of_their_own() -> None:
    names = Counter(
        name
        for folder in ("contracts", "tests")
        for path in files(folder, ".sol")
        for name in _CONTRACT.findall(path.read_text())
    )
    assert [name for name, count in names.items() if count > 1] == []
    assert "Waterfall" in names


def _contracts_beside(path: Path) -> set[str]:
    """The contracts of a file's module: what several of them raise may stand apart."""
    module = "/".join(short(path).split("/")[:2])
    return {
        name.removeprefix("I") if name[1:2].isupper() else name
        for source in files(module, ".sol")
        for name in _CONTRACT.findall(source.read_text())
    }


@pytest.mark.parametrize("path", _sources(), ids=short)
def test_errors__of_a_contract__start_with_its_name(path: Path) -> None:
    owners = _contracts_beside(path)
    wrong = [
        name
        for name in _ERROR.findall(path.read_text())
        if name.partition("_")[0] not in owners and not _STANDARD_ERROR.match(name)
    ]
    assert not wrong, f"{short(path)}: {wrong} start with none of {owners}"


def _test_functions(path: Path) -> list[str]:
    return [
        node.name
        for node in ast.walk(python_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", list(files("tests", ".py")), ids=short)
def test_tests__in_python__say_function_condition_and_outcome(path: Path) -> None:
    wrong = [name for name in _test_functions(path) if not _NAME.match(name)]
    assert not wrong, f"{short(path)}: {wrong}"


def test_tests__in_solidity__say_function_condition_and_outcome() -> None:
    wrong = [
        f"{short(path)}: {name}"
        for path in files("tests", ".t.sol")
        for name in _FORGE_TEST.findall(path.read_text())
        if not _FORGE_NAME.match(name)
    ]
    assert not wrong


@pytest.mark.parametrize("path", list(files("tests", ".py")), ids=short)
def test_tests__of_one_file__have_names_of_their_own(path: Path) -> None:
    names = Counter(_test_functions(path))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    "path", [one for one in files("tests", ".py") if one.name == "conftest.py"], ids=short
)
def test_conftests__with_fixtures_of_a_package__are_in_one(path: Path) -> None:
    """Without `__init__.py` such a fixture lives to the session's end, and so does its chain."""
    if 'scope="package"' in path.read_text():
        assert path.with_name("__init__.py").exists()
