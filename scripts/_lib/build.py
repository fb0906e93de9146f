"""Keeps ape's cache of compiled contracts true.

Ape compiles a source that changed, but not those that import it: after a change in a library or a
base contract its users would go on with yesterday's bytecode. `discard_stale` is called before ape
looks at its cache, and takes out of it every contract whose source, or anything that this imports,
is not what it was at the last call.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
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
    discard_stale()
    from ape import project

    return project.contracts


def discard_stale(root: Path = ROOT) -> frozenset[str]:
    """Make ape compile again what changed and what imports it; returns those sources' paths.

    Without a record of an earlier state all of the cache is discarded.
    """
    build = root / ".build"
    with _locked(build):
        digests = _digests(root)
        record = build / "sources.json"
        before = json.loads(record.read_text()) if record.exists() else None
        if before == digests:
            return frozenset()
        if before is None or any(before.get(name) != digests.get(name) for name in SETTINGS):
            stale = frozenset(digests) - frozenset(SETTINGS)
        else:
            changed = {
                name
                for name in digests.keys() | before.keys()
                if digests.get(name) != before.get(name)
            }
            stale = dependents(_imports(root, digests), changed)
        _forget(build / "__local__.json", stale)
        record.write_text(json.dumps(digests, indent=1, sort_keys=True))
        return stale


def ensure_compiled(root: Path = ROOT) -> None:
    """Compile what is not, in one process at a time: two that compile write over one another."""
    discard_stale(root)
    build = root / ".build"
    mark = build / "compiled"
    with _locked(build):
        state = (build / "sources.json").read_text()
        if mark.exists() and mark.read_text() == state and (build / "__local__.json").exists():
            return
        from ape import project

        project.load_contracts()
        mark.write_text(state)


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


def _forget(cache: Path, stale: frozenset[str]) -> None:
    """Take the stale sources and their contracts out of ape's cache."""
    if not cache.exists():
        return
    try:
        manifest = json.loads(cache.read_text())
    except ValueError:
        cache.unlink()
        return
    manifest["sources"] = {
        name: source for name, source in manifest.get("sources", {}).items() if name not in stale
    }
    manifest["contractTypes"] = {
        name: contract
        for name, contract in manifest.get("contractTypes", {}).items()
        if contract.get("sourceId") not in stale
    }
    replacement = cache.with_suffix(".new")
    replacement.write_text(json.dumps(manifest))
    replacement.replace(cache)
