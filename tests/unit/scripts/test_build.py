"""What is compiled again after a change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts._lib.build import dependents, discard_stale

SOURCES = {
    "contracts/Base.sol": "contract Base {}",
    "contracts/lib/Maths.sol": "library Maths {}",
    "contracts/Middle.sol": 'import {Base} from "./Base.sol";\ncontract Middle is Base {}',
    "contracts/Top.sol": 'import {\n    Middle\n} from "./Middle.sol";\ncontract Top is Middle {}',
    "contracts/lib/Other.sol": 'import {Maths} from "./Maths.sol";\ncontract Other {}',
    "ape-config.yaml": "solidity:\n",
    "package-lock.json": "{}",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    compile_all(tmp_path)
    discard_stale(tmp_path)
    compile_all(tmp_path)
    return tmp_path


def compile_all(root: Path) -> None:
    """As ape leaves its cache after compiling everything."""
    contracts = [name for name in SOURCES if name.endswith(".sol")]
    (root / ".build").mkdir(exist_ok=True)
    (root / ".build" / "__local__.json").write_text(
        json.dumps(
            {
                "sources": {name: {"content": ""} for name in contracts},
                "contractTypes": {Path(name).stem: {"sourceId": name} for name in contracts},
                "manifest": "ethpm/3",
            }
        )
    )


def cached(root: Path) -> set[str]:
    manifest = json.loads((root / ".build" / "__local__.json").read_text())
    names = {contract["sourceId"] for contract in manifest["contractTypes"].values()}
    assert names == set(manifest["sources"])
    assert manifest["manifest"] == "ethpm/3"
    return {Path(name).stem for name in names}


def test_discard_stale__nothing_changed__keeps_all(tree: Path) -> None:
    assert discard_stale(tree) == frozenset()
    assert cached(tree) == {"Base", "Maths", "Middle", "Top", "Other"}


def test_discard_stale__a_base_changed__all_that_import_it_go(tree: Path) -> None:
    (tree / "contracts/Base.sol").write_text("contract Base { uint256 a; }")
    stale = discard_stale(tree)
    assert {Path(name).stem for name in stale} == {"Base", "Middle", "Top"}
    assert cached(tree) == {"Maths", "Other"}
    assert discard_stale(tree) == frozenset()


def test_discard_stale__a_source_is_gone__its_users_go_too(tree: Path) -> None:
    (tree / "contracts/lib/Maths.sol").unlink()
    discard_stale(tree)
    assert cached(tree) == {"Base", "Middle", "Top"}


@pytest.mark.parametrize("name", ["ape-config.yaml", "package-lock.json"])
def test_discard_stale__settings_changed__all_go(tree: Path, name: str) -> None:
    (tree / name).write_text("something else")
    discard_stale(tree)
    assert cached(tree) == set()


def test_discard_stale__no_record_of_before__all_go(tree: Path) -> None:
    (tree / ".build" / "sources.json").unlink()
    discard_stale(tree)
    assert cached(tree) == set()


def test_discard_stale__half_a_cache__removed(tree: Path) -> None:
    (tree / ".build" / "__local__.json").write_text('{"sources": ')
    (tree / "contracts/Base.sol").write_text("contract Base { uint256 b; }")
    discard_stale(tree)
    assert not (tree / ".build" / "__local__.json").exists()


def test_dependents__a_circle__ends() -> None:
    imports = {"a": frozenset({"b"}), "b": frozenset({"a"}), "c": frozenset({"d"})}
    assert dependents(imports, ["a"]) == {"a", "b"}
