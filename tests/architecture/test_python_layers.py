"""Where Python modules may look: types, errors, clock < domain < chain, store < services."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import files, is_within, python_imports, python_tree, short

BASE = ("api.types", "api.errors", "api.clock")
SERVICES = ("api.agent", "api.client", "api.gateway", "api.ngram", "api.oracle")
SHARED = ("api.serving", "api.sending", "api.checking")

MAY_IMPORT = {
    "api.types": (),
    "api.errors": ("api.types",),
    "api.clock": (),
    "api.files": ("api.errors",),
    "api.streams": (),
    "api.abreast": (),
    "api.domain": BASE,
    "api.keys": ("api.types", "api.errors", "api.domain"),
    "api.settings": ("api.types", "api.errors", "api.keys", "api.domain"),
    "api.chain": (*BASE, "api.abreast", "api.domain"),
    "api.store": (*BASE, "api.domain"),
    "api.serving": (*BASE, "api.streams", "api.domain", "api.store"),
    "api.sending": (*BASE, "api.domain", "api.chain", "api.store"),
    "api.checking": (*BASE, "api.serving", "api.domain", "api.chain", "api.store"),
    "api.agent": (*BASE, "api.files", "api.streams", "api.domain", "api.chain", "api.store"),
    "api.client": (*BASE, "api.domain", "api.chain"),
    "api.ngram": (*BASE, "api.domain", "api.files", "api.serving"),
    "api.gateway": (*BASE, *SHARED, "api.domain", "api.chain", "api.store"),
    "api.oracle": (
        *BASE,
        *SHARED,
        "api.abreast",
        "api.keys",
        "api.domain",
        "api.chain",
        "api.store",
    ),
}
"""What each part of `api` may import of `api`, apart from itself."""

ENTRY_POINTS = {
    f"api/{service}/__main__.py" for service in ("agent", "client", "gateway", "ngram", "oracle")
}
"""They alone read the settings, and hand values on."""


def _part(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _module_of(path: Path) -> str:
    return short(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _api_files() -> list[Path]:
    return [path for path in files("api", ".py") if short(path) != "api/__init__.py"]


def test_parts__as_in_the_tree__each_has_its_rule() -> None:
    parts = {_part(_module_of(path)) for path in _api_files()}
    assert parts == MAY_IMPORT.keys()


@pytest.mark.parametrize("path", _api_files(), ids=short)
def test_imports__within_api__only_as_the_layers_allow(path: Path) -> None:
    part = _part(_module_of(path))
    allowed = (part, *MAY_IMPORT[part])
    if short(path) in ENTRY_POINTS:
        allowed = (*allowed, "api.settings")
    wrong = [
        f"{short(path)}:{line} imports {module}"
        for line, module in python_imports(path)
        if is_within(module, "api")
        and module != "api"
        and not any(is_within(module, one) for one in allowed)
    ]
    assert not wrong


@pytest.mark.parametrize("path", _api_files(), ids=short)
def test_imports__in_api__neither_ape_nor_scripts_nor_tests(path: Path) -> None:
    wrong = [
        f"{short(path)}:{line} imports {module}"
        for line, module in python_imports(path)
        if any(is_within(module, one) for one in ("ape", "scripts", "tests"))
    ]
    assert not wrong


def test_web3__in_the_tree__imported_by_the_chain_alone() -> None:
    users = {
        short(path)
        for folder in ("api", "scripts")
        for path in files(folder, ".py")
        for _, module in python_imports(path)
        if is_within(module, "web3")
    }
    assert users
    assert all(user.startswith("api/chain/") for user in users), users


def test_environment__in_api__read_by_the_settings_alone() -> None:
    readers = {
        short(path)
        for path in _api_files()
        for node in ast.walk(python_tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"))
        or (isinstance(node, ast.Name) and node.id in ("environ", "getenv"))
    }
    assert readers <= {"api/settings.py"}


def test_domain__as_it_is__knows_no_input_output_and_no_clock() -> None:
    forbidden = {
        "asyncio", "datetime", "http", "httpx", "io", "os", "pathlib", "random", "requests",
        "secrets", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time",
        "urllib", "uuid",
    }  # fmt: skip
    wrong = [
        f"{short(path)}:{line} imports {module}"
        for path in files("api/domain", ".py")
        for line, module in python_imports(path)
        if module.split(".")[0] in forbidden
        # Seeded by the caller, so that the self-made series is the same everywhere.
        and (short(path), module.split(".")[0]) != ("api/domain/self_made.py", "random")
    ]
    assert not wrong


def _is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    if isinstance(node, ast.Name):
        return node.id == "float"
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)


@pytest.mark.parametrize(
    "path", [*files("api/domain", ".py"), *files("scripts/_lib", "money.py")], ids=short
)
def test_numbers__where_money_and_figures_are_made__are_never_floats(path: Path) -> None:
    wrong = [
        f"{short(path)}:{getattr(node, 'lineno', '?')}"
        for node in ast.walk(python_tree(path))
        if _is_float(node) and not _is_allowed_float(path, node)
    ]
    assert not wrong


def _is_allowed_float(path: Path, node: ast.AST) -> bool:
    """The self-made series throws dice: its chances are no amounts."""
    return short(path) == "api/domain/self_made.py" and isinstance(node, ast.Constant)


@pytest.mark.parametrize("service", SERVICES)
def test_services__as_they_are__have_an_entry_point(service: str) -> None:
    assert f"{service.replace('.', '/')}/__main__.py" in ENTRY_POINTS
