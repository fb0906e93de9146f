"""Which tests judge the mutants of a source: those that kill fastest first.

1. forge's tests of the source's own module, with few runs: seconds.
2. The unit tests of every module that uses the source, on a chain.
3. Every forge test that uses the source, as `make test` runs it.
4. The models, where one is of a module that uses the source.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from scripts._lib.build import dependents

CODE_SIZE = 1_000_000
"""A mutant may be larger than EIP-170 allows, and so is what is compiled without the optimiser."""

_FORGE = {
    "FOUNDRY_OPTIMIZER": "false",  # A third of the time, and the same program.
    "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0",  # That a search fails is enough.
}
_FEW = {
    "FOUNDRY_FUZZ_RUNS": "32",
    "FOUNDRY_INVARIANT_RUNS": "8",
    "FOUNDRY_INVARIANT_DEPTH": "50",
}
_MODELLED = {"share", "revenue", "compliance"}
"""Modules that the models act on."""
_OTHER_MODELS = {"tests/model/test_meter.py"}
"""Of the measurements, not of money."""

_SETTINGS = ("package-lock.json", "requirements.lock", "foundry.toml", "ape-config.yaml")
_IMPORT = re.compile(r'^\s*import\b[^;]*?"(\.[^"]+)"\s*;', re.MULTILINE)
_FORGE_FAILURE = re.compile(
    r"^\[FAIL(?:: (?P<why>.*?))?(?:; counterexample.*)?\]"
    # An invariant's name stands behind the calls that broke it.
    r"(?:\n\t\[Sequence\].*\n(?:\t\t.*\n)*)? (?P<test>\w+)\(",
    re.MULTILINE,
)
_PYTEST_FAILURE = re.compile(r"^(?:FAILED|ERROR) (?P<test>\S+)(?: - (?P<why>.*))?", re.MULTILINE)
DOES_NOT_COMPILE = 90
"""What `run_pytest` ends with for a source that the compiler refuses."""


@dataclass(frozen=True)
class Stage:
    """One run of some tests."""

    name: str
    command: tuple[str, ...]
    inputs: frozenset[str]
    """Files that decide how it ends, by their paths."""
    environment: Mapping[str, str] = field(default_factory=dict)
    is_forge: bool = True

    def key(self, files: Mapping[str, bytes]) -> str:
        """The same for the same command on the same files, some of them replaced by `files`."""
        said = repr((self.command[1:], sorted(self.environment.items())))
        digest = hashlib.sha256(said.encode())
        for name in sorted(self.inputs):
            digest.update(name.encode() + hashlib.sha256(files[name]).digest())
        return digest.hexdigest()

    def outcome(self, status: int, output: str) -> tuple[str, str] | None:
        """("survived" | "killed" | "invalid", what failed and why); None if none can be said."""
        if status == 0:
            return "survived", ""
        if (self.is_forge and "Compiler run failed" in output) or status == DOES_NOT_COMPILE:
            return "invalid", ""
        failure = (_FORGE_FAILURE if self.is_forge else _PYTEST_FAILURE).search(output)
        if failure is None or status != 1:
            return None
        return "killed", f"{failure['test']}: {failure['why'] or 'failed'}"


class Suites:
    """The tests of one state of the repository, and what each of them reads."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = {name: content for name, content in files.items() if _decides(name)}

    def stages(self, source: str) -> list[Stage]:
        """The runs that judge a source's mutants, in order."""
        users = dependents(self._imports, {source})
        module = source.split("/")[1]
        tests = sorted(name for name in users if name.endswith(".t.sol"))
        own = [name for name in tests if name.startswith(f"tests/invariant/{module}/")]
        modules = {name.split("/")[1] for name in users if name.startswith("contracts/")}
        folders = (f"tests/unit/contracts/{each}" for each in sorted(modules))
        units = [folder for folder in folders if self._below(f"{folder}/")]
        models = [
            name
            for name in self.files
            if modules & _MODELLED
            and name.startswith("tests/model/test_")
            and name not in _OTHER_MODELS
        ]
        return [
            *([self._forge("forge", own or tests, _FEW)] if tests else []),
            *([self._pytest("unit", units)] if units else []),
            *([self._forge("forge at length", tests, {})] if tests else []),
            *([self._pytest("model", models)] if models else []),
        ]

    def _forge(self, name: str, tests: list[str], runs: Mapping[str, str]) -> Stage:
        threads = max(1, (os.cpu_count() or 2) // 2)
        command = ("forge", "test", "--fail-fast", "--threads", str(threads))
        size = ("--code-size-limit", str(CODE_SIZE))
        where = ("--match-path", "{" + ",".join(tests) + "}" if len(tests) > 1 else tests[0])
        inputs = self._needed(tests) | {name for name in _SETTINGS if name in self.files}
        return Stage(name, (*command, *size, *where), inputs, {**_FORGE, **runs})

    def _pytest(self, name: str, tests: list[str]) -> Stage:
        command = (sys.executable, "-m", "tests.mutation.run_pytest", *tests)
        inputs = {
            file
            for file in self._below("contracts/", "scripts/_lib/", "api/", "tests/support/")
            | self._below(*(test if test.endswith(".py") else f"{test}/" for test in tests))
            | self._below("tests/model/", "tests/conftest.py", "pyproject.toml", *_SETTINGS)
            if not file.startswith("tests/model/test_") or file in tests
        }
        return Stage(name, command, frozenset(inputs), is_forge=False)

    def _below(self, *prefixes: str) -> set[str]:
        return {name for name in self.files if name.startswith(prefixes)}

    @cached_property
    def _imports(self) -> dict[str, frozenset[str]]:
        return {
            name: frozenset(
                os.path.normpath(Path(name).parent / target)
                for target in _IMPORT.findall(content.decode())
            )
            for name, content in self.files.items()
            if name.endswith(".sol")
        }

    def _needed(self, sources: list[str]) -> frozenset[str]:
        """Some sources with all that they import, directly or not."""
        needed: set[str] = set()
        waiting = list(sources)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(self._imports[name])
        return frozenset(needed)


def _decides(name: str) -> bool:
    """Whether a file could decide how a test of money ends."""
    is_code = name.endswith((".sol", ".py", ".js", ".json")) or name in _SETTINGS
    return (is_code or name == "pyproject.toml") and not name.startswith("tests/mutation/")
