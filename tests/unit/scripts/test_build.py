"""What is compiled again after a change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts._lib.build import dependents, ensure_compiled

SOURCES = {
    "contracts/Base.sol": "contract Base {}",
    "contracts/lib/Maths.sol": "library Maths {}",
    "contracts/Middle.sol": 'import {Base} from "./Base.sol";\ncontract Middle is Base {}',
    "contracts/Top.sol": 'import {\n    Middle\n} from "./Middle.sol";\ncontract Top is Middle {}',
    "contracts/lib/Other.sol": 'import {Maths} from "./Maths.sol";\ncontract Other {}',
    "ape-config.yaml": "solidity:\n",
    "package-lock.json": "{}",
}


EVERYTHING = {"Base", "Maths", "Middle", "Top", "Other"}


@dataclass
class Tree:
    """Sources and their cache; what it compiles tells which state of its source it is of."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / ".build" / "__local__.json"

    def compile(self) -> set[str]:
        """The contracts that were compiled anew."""
        return {Path(name).stem for name in ensure_compiled(self.root, self._load)}

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def contracts(self) -> dict[str, str]:
        contracts = json.loads(self.cache.read_text())["contractTypes"]
        return {name: contract["deploymentBytecode"] for name, contract in contracts.items()}

    def _load(self) -> None:
        """As ape does: what the cache has is not compiled again."""
        manifest: dict[str, Any] = {"sources": {}, "contractTypes": {}, "manifest": "ethpm/3"}
        if self.cache.exists():
            manifest = json.loads(self.cache.read_text())
        for path in (self.root / "contracts").rglob("*.sol"):
            source = path.relative_to(self.root).as_posix()
            manifest["sources"].setdefault(source, {"content": path.read_text()})
            manifest["contractTypes"].setdefault(
                path.stem, {"sourceId": source, "deploymentBytecode": path.read_text()}
            )
        assert set(manifest["sources"]) == {
            contract["sourceId"] for contract in manifest["contractTypes"].values()
        }
        self.cache.write_text(json.dumps(manifest))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    for name, text in SOURCES.items():
        tree.write(name, text)
    assert tree.compile() == EVERYTHING
    return tree


def test_ensure_compiled__nothing_changed__compiles_nothing(tree: Tree) -> None:
    assert tree.compile() == set()


def test_ensure_compiled__a_base_changed__compiles_all_that_import_it(tree: Tree) -> None:
    tree.write("contracts/Base.sol", "contract Base { uint256 a; }")
    assert tree.compile() == {"Base", "Middle", "Top"}
    assert tree.contracts()["Base"] == "contract Base { uint256 a; }"
    assert tree.compile() == set()


def test_ensure_compiled__a_source_is_gone__compiles_its_users(tree: Tree) -> None:
    (tree.root / "contracts/lib/Maths.sol").unlink()
    assert tree.compile() == {"Maths", "Other"}
    assert set(tree.contracts()) == {"Base", "Middle", "Top", "Other"}


@pytest.mark.parametrize("name", ["ape-config.yaml", "package-lock.json"])
def test_ensure_compiled__settings_changed__compiles_all(tree: Tree, name: str) -> None:
    tree.write(name, "something else")
    assert tree.compile() == EVERYTHING


def test_ensure_compiled__no_record_of_before__compiles_all(tree: Tree) -> None:
    (tree.root / ".build" / "compiled.json").unlink()
    assert tree.compile() == EVERYTHING


def test_ensure_compiled__half_a_cache__compiles_all(tree: Tree) -> None:
    tree.cache.write_text('{"sources": ')
    assert tree.compile() == EVERYTHING


def test_ensure_compiled__no_cache__compiles_all(tree: Tree) -> None:
    tree.cache.unlink()
    assert tree.compile() == EVERYTHING


def test_ensure_compiled__cache_of_before_the_change_written_back__compiles_all(tree: Tree) -> None:
    """As a process does that had read it before."""
    old = tree.cache.read_text()
    tree.write("contracts/Base.sol", "contract Base { uint256 a; }")
    tree.compile()
    tree.cache.write_text(old)
    assert tree.compile() == EVERYTHING
    assert tree.contracts()["Base"] == "contract Base { uint256 a; }"


def test_ensure_compiled__stopped_while_compiling__compiles_the_same_again(tree: Tree) -> None:
    tree.write("contracts/Base.sol", "contract Base { uint256 a; }")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_compiled(tree.root, stop)
    assert {"Base", "Middle", "Top"} <= tree.compile()
    assert tree.contracts()["Base"] == "contract Base { uint256 a; }"


def test_dependents__a_circle__ends() -> None:
    imports = {"a": frozenset({"b"}), "b": frozenset({"a"}), "c": frozenset({"d"})}
    assert dependents(imports, ["a"]) == {"a", "b"}
