"""The READMEs against the tree: what they name exists, and what exists has one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, files, short

_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(
    r"(?:[\w.-]+/)*[\w.-]+\.(?:py|sol|md|json|toml|ya?ml|csv|lock|in|js|t\.sol)\Z|(?:[\w.-]+/)+\Z"
)
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z]+)\b")
_APE_RUN = re.compile(r"\bape run ([a-z][a-z0-9_]*)\b")

README_WORDS = 400


def _readmes() -> list[Path]:
    documents = [path for path in files(".", ".md") if "/." not in f"/{short(path)}"]
    return [path for path in documents if path.name in ("README.md", "SECURITY.md", "CHANGELOG.md")]


def _is_ignored(path: str) -> bool:
    """Whether git ignores a path: something that a command makes."""
    asked = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False)
    return asked.returncode == 0


def _exists(name: str, readme: Path) -> bool:
    room = ROOT / short(readme).split("/")[0]
    places = (readme.parent / name, room / name, ROOT / name)
    if any(place.exists() for place in places):
        return True
    if "/" not in name.rstrip("/"):
        # A file of the module that the README describes, named without its folder.
        return any(readme.parent.rglob(name.rstrip("/"))) or _is_ignored(name)
    return _is_ignored(name)


@pytest.mark.parametrize("readme", _readmes(), ids=short)
def test_readme__paths_that_it_names__exist(readme: Path) -> None:
    text = readme.read_text()
    named = {name for name in _CODE.findall(text) if _PATH.match(name)}
    named |= {target for target in _LINK.findall(text) if "://" not in target}
    missing = sorted(name for name in named if not _exists(name, readme))
    assert not missing, f"{short(readme)} names {missing}"


@pytest.mark.parametrize("readme", _readmes(), ids=short)
def test_readme__commands_that_it_names__exist(readme: Path) -> None:
    text = readme.read_text()
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    said = "\n".join([*_CODE.findall(text), *blocks])
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    scripts = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert set(_MAKE.findall(said)) <= targets
    assert set(_APE_RUN.findall(said)) <= scripts


def test_readme__of_the_project__is_short_and_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.split()) <= README_WORDS
    commands = _MAKE.findall(text)
    assert commands[:2] == ["demo", "test"]


def test_readme__of_each_contract_module__is_there() -> None:
    modules = {path.relative_to(ROOT).parts[1] for path in files("contracts", ".sol")}
    missing = [
        name for name in sorted(modules) if not (ROOT / "contracts" / name / "README.md").exists()
    ]
    assert not missing


def test_readme__of_each_package_of_api__is_there() -> None:
    packages = {
        path.relative_to(ROOT).parts[1]
        for path in files("api", ".py")
        if len(path.relative_to(ROOT).parts) > 2
    }
    missing = [
        name for name in sorted(packages) if not (ROOT / "api" / name / "README.md").exists()
    ]
    assert not missing


def test_map__of_the_project__names_every_folder_and_no_other() -> None:
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"^\| `([\w/]+)/` \|", text, re.MULTILINE))
    rooms = {"contracts", "api", "scripts", "tests"}
    inner = {
        f"{room}/{path.relative_to(ROOT).parts[1]}"
        for room, ending in (("contracts", ".sol"), ("api", ".py"))
        for path in files(room, ending)
        if len(path.relative_to(ROOT).parts) > 2
    }
    assert named == rooms | inner


def test_makefile__every_target__says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: ([a-z]+)$", text, re.MULTILINE))
    described = set(re.findall(r"^([a-z]+):[^#\n]*## \S", text, re.MULTILINE))
    assert phony == described == set(_TARGET.findall(text))
