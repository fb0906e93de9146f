"""Keeps ape's cache of compiled contracts true.

Ape compiles a source that changed, but not those that import it: after a change in a library or a
base contract its users would go on with yesterday's bytecode. And a process that read the cache
before a change writes it back, as a whole, after it. So before ape looks at its cache, every
contract goes out of it whose source, or anything that this imports, is not what was compiled last;
and all of them go if the cache holds anything else than what was compiled then.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Whatever else decides what the compiler makes of a source: its settings and the locked libraries.
SETTINGS = ("ape-config.yaml", "package-lock.json")

_IMPORT = re.compile(r'^\s*import\b[^;]*?"(\.[^"]+)"\s*;', re.MULTILINE)


@cache
def contracts() -> Any:
    """Ape's contracts by name, none of them stale."""
    ensure_compiled()
    from ape import project

    return project.contracts


def ensure_compiled(root: Path = ROOT, load: Callable[[], object] | None = None) -> frozenset[str]:
    """Compile what is not, in one process at a time; returns the sources that were compiled anew.

    `load` compiles what ape's cache lacks; ape's own way unless given.
    """
    build = root / ".build"
    ape_cache, mark = build / "__local__.json", build / "compiled.json"
    with _locked(build):
        digests = _digests(root)
        stale = _stale(root, digests, ape_cache, mark)
        if stale:
            _forget(ape_cache, stale)
            (load or _load)()
            compiled = {"sources": digests, "contracts": _contracts_digest(ape_cache)}
            _replace(mark, json.dumps(compiled, indent=1, sort_keys=True))
        return stale


def _load() -> None:
    from ape import project

    project.load_contracts()


def _stale(root: Path, digests: Mapping[str, str], ape_cache: Path, mark: Path) -> frozenset[str]:
    everything = frozenset(digests) - frozenset(SETTINGS)
    if not mark.exists():
        return everything
    compiled = json.loads(mark.read_text())
    before = compiled["sources"]
    changed = {
        name for name in digests.keys() | before.keys() if digests.get(name) != before.get(name)
    }
    if changed & set(SETTINGS) or compiled["contracts"] != _contracts_digest(ape_cache):
        return everything
    return dependents(_imports(root, digests), changed)


def _contracts_digest(ape_cache: Path) -> str | None:
    """Of what the cache says each contract's source and bytecode are; None if it cannot be read."""
    try:
        contract_types = json.loads(ape_cache.read_text())["contractTypes"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    told = {
        name: (contract.get("sourceId"), contract.get("deploymentBytecode"))
        for name, contract in contract_types.items()
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@contextmanager
def _locked(build: Path) -> Iterator[None]:
    build.mkdir(exist_ok=True)
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def dependents(imports: Mapping[str, frozenset[str]], changed: Iterable[str]) -> frozenset[str]:
    """The changed sources, and every source that imports one of them, directly or not."""
    stale = set(changed)
    while True:
        more = {name for name, wanted in imports.items() if name not in stale and wanted & stale}
        if not more:
            return frozenset(stale)
        stale |= more


def _digests(root: Path) -> dict[str, str]:
    files = [*sorted((root / "contracts").rglob("*.sol")), *(root / name for name in SETTINGS)]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if ".cache" not in path.parts
    }


def _imports(root: Path, names: Iterable[str]) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(
            ((root / name).parent / target).resolve().relative_to(root.resolve()).as_posix()
            for target in _IMPORT.findall((root / name).read_text())
        )
        for name in names
        if name.endswith(".sol")
    }


def _forget(ape_cache: Path, stale: frozenset[str]) -> None:
    """Take the stale sources and their contracts out of ape's cache."""
    if not ape_cache.exists():
        return
    try:
        manifest = json.loads(ape_cache.read_text())
    except ValueError:
        ape_cache.unlink()
        return
    manifest["sources"] = {
        name: source for name, source in manifest.get("sources", {}).items() if name not in stale
    }
    manifest["contractTypes"] = {
        name: contract
        for name, contract in manifest.get("contractTypes", {}).items()
        if contract.get("sourceId") not in stale
    }
    _replace(ape_cache, json.dumps(manifest))


def _replace(path: Path, text: str) -> None:
    replacement = path.with_suffix(".new")
    replacement.write_text(text)
    replacement.replace(path)
