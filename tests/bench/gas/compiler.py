"""Contracts compiled by the compiler that their authors pinned; results are kept by content."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tests.bench.gas.packages import HOME

CACHE = HOME / "compiled"

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_IMPORT = re.compile(r"""\bimport\b[^;]*?["']([^"']+)["'][^;]*;""")

# npm's compiler reads the standard JSON as a string: no file system, no front of its own.
_COMPILE = """
const solc = require(process.argv[1]);
process.stdout.write(solc.compile(require('node:fs').readFileSync(0, 'utf8')));
"""


class CompilationFailed(Exception):
    """The compiler's errors."""


@dataclass(frozen=True)
class Compiler:
    """One version of solc with its settings, over the sources under `base`."""

    version: str
    package: Path
    base: Path
    evm: str
    runs: int
    via_ir: bool = False
    remappings: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Version and settings, as printed beside the results."""
        ir = ", via IR" if self.via_ir else ""
        return f"solc {self.version}, {self.evm}, optimizer {self.runs:,} runs{ir}"

    def compile(self, *sources: str) -> dict[str, str]:
        """Creation bytecode by contract name, of `sources` and all that they import.

        Raises CompilationFailed.
        """
        task = {
            "language": "Solidity",
            "sources": self._with_imports(sources),
            "settings": {
                "optimizer": {"enabled": True, "runs": self.runs},
                "evmVersion": self.evm,
                "viaIR": self.via_ir,
                "remappings": [f"{name}={place}" for name, place in self.remappings.items()],
                "outputSelection": {"*": {"*": ["evm.bytecode.object"]}},
            },
        }
        text = json.dumps(task, sort_keys=True)
        kept = CACHE / f"{hashlib.sha256((self.version + text).encode()).hexdigest()}.json"
        if not kept.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(self._run(text)))
        found: dict[str, str] = json.loads(kept.read_text())
        return found

    def _with_imports(self, sources: Iterable[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        wanted = list(sources)
        while wanted:
            name = wanted.pop()
            if name in found:
                continue
            text = (self.base / name).read_text()
            found[name] = {"content": text}
            targets = _IMPORT.findall(_COMMENT.sub("", text))
            wanted.extend(self._resolved(name, target) for target in targets)
        return found

    def _resolved(self, source: str, target: str) -> str:
        if target.startswith("."):
            return _normal(PurePosixPath(source).parent / target)
        for name, place in self.remappings.items():
            if target.startswith(name):
                return place + target.removeprefix(name)
        return target

    def _run(self, text: str) -> dict[str, str]:
        answer = subprocess.run(
            ["node", "--eval", _COMPILE, str(self.package)],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        output: dict[str, Any] = json.loads(answer.stdout)
        wrong = [
            error["formattedMessage"]
            for error in output.get("errors", [])
            if error["severity"] == "error"
        ]
        if wrong:
            raise CompilationFailed("\n".join(wrong))
        return {
            name: contract["evm"]["bytecode"]["object"]
            for contracts in output["contracts"].values()
            for name, contract in contracts.items()
        }


def _normal(path: PurePosixPath) -> str:
    """The path without `.` and `..`."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
