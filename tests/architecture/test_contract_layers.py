"""Contracts import downward only, and of other modules only what they show to others."""

from __future__ import annotations

from tests.architecture.tree import files, short, solidity_imports

LAYERS = {
    "types": 0,
    "libraries": 0,
    "access": 1,
    "registry": 2,
    "compliance": 2,
    "share": 3,
    "oracle": 3,
    "revenue": 4,
    "payments": 5,
    # Test tokens stand beside the house: they may use any of it, and nothing of it uses them.
    "mocks": 99,
}

OPEN_TO_ALL = {"types", "libraries", "access"}


def _module(path: str) -> str:
    return path.split("/")[1]


def _crossings() -> list[tuple[str, str]]:
    """(source, imported file) of every import from one module into another."""
    found = [
        (short(source), target)
        for source in files("contracts", ".sol")
        for target in solidity_imports(source)
        if target.startswith("contracts/")
    ]
    return [(source, target) for source, target in found if _module(source) != _module(target)]


def test_modules__as_in_the_tree__each_has_its_layer() -> None:
    modules = {_module(short(source)) for source in files("contracts", ".sol")}
    assert modules == LAYERS.keys()


def test_imports__between_modules__only_downward() -> None:
    upward = [
        f"{source} imports {target}"
        for source, target in _crossings()
        if LAYERS[_module(target)] > LAYERS[_module(source)]
    ]
    assert not upward
    assert _crossings()


def test_imports__between_modules_of_one_layer__none_but_the_lowest() -> None:
    sideways = [
        f"{source} imports {target}"
        for source, target in _crossings()
        if LAYERS[_module(target)] == LAYERS[_module(source)]
        and not {_module(source), _module(target)} <= OPEN_TO_ALL
    ]
    assert not sideways


def test_imports__between_modules__only_what_is_shown_to_others() -> None:
    inner = [
        f"{source} imports {target}"
        for source, target in _crossings()
        if _module(target) not in OPEN_TO_ALL and "/interfaces/" not in target
    ]
    assert not inner


def test_imports__of_packages__only_openzeppelin() -> None:
    foreign = [
        f"{short(source)} imports {target}"
        for source in files("contracts", ".sol")
        for target in solidity_imports(source)
        if not target.startswith(("contracts/", "@openzeppelin/contracts/"))
    ]
    assert not foreign
