"""Run slither over the contracts and hold its findings of high and medium impact against
`slither.toml`.

Fails on a finding that nobody has explained, and names the explanations that it needed not: slither
looks at other functions from one set of sources to the next, so that these may be wanted again. A
finding is named by its detector and by what it is about (`Contract.member`), so that moving a line
changes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = ROOT / "slither.toml"
BUILD = ROOT / ".toolchain" / "slither"


@dataclass(frozen=True, order=True)
class Finding:
    """What a detector found, and where."""

    check: str
    where: str
    impact: str
    text: str


def findings(report: dict[str, Any]) -> list[Finding]:
    """The findings of high and medium impact in slither's JSON."""
    return sorted(
        Finding(
            one["check"],
            _where(one["elements"][0]) if one["elements"] else "",
            one["impact"],
            one["description"].strip(),
        )
        for one in report["results"].get("detectors", [])
        if one["impact"] in ("High", "Medium")
    )


def _where(element: dict[str, Any]) -> str:
    """`Contract.member`; of what is inside a function, the function."""
    parent = element["type_specific_fields"].get("parent", {})
    if element["type"] in ("node", "variable") and parent.get("type") == "function":
        return _where(parent)
    return f"{parent['name']}.{element['name']}" if parent.get("name") else str(element["name"])


def explained(text: str) -> dict[tuple[str, str], str]:
    """Why each known finding is none, by detector and place; ValueError for an empty reason."""
    reasons = {}
    for entry in tomllib.loads(text)["explained"]:
        if not entry["why"].strip():
            raise ValueError(f"{entry['check']} is listed without a reason")
        for where in entry["where"]:
            reasons[entry["check"], where] = entry["why"]
    return reasons


def problems(found: list[Finding], reasons: dict[tuple[str, str], str]) -> list[str]:
    """The findings that the list does not explain, in words."""
    return [
        f"{one.impact}: {one.check} in {one.where}\n{one.text}"
        for one in found
        if (one.check, one.where) not in reasons
    ]


def unneeded(found: list[Finding], reasons: dict[tuple[str, str], str]) -> list[str]:
    """The explanations of what was not found this time, in words."""
    keys = {(one.check, one.where) for one in found}
    return [f"{check} in {where}" for check, where in sorted(reasons) if (check, where) not in keys]


def run() -> dict[str, Any]:
    """Slither's report. Ends the process if slither itself fails."""
    # A build folder of its own: slither builds everything anew, and would throw away forge's.
    environment = {
        **os.environ,
        "FOUNDRY_OUT": str(BUILD / "out"),
        "FOUNDRY_CACHE_PATH": str(BUILD / "cache"),
    }
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "slither.json"
        process = subprocess.run(
            ["slither", ".", "--config-file", "slither.config.json", "--json", str(output)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        if not output.exists():
            sys.exit(f"slither failed:\n{process.stdout[-4000:]}{process.stderr[-4000:]}")
        report: dict[str, Any] = json.loads(output.read_text())
    if not report["success"]:
        sys.exit(f"slither failed: {report['error']}")
    return report


def main() -> None:
    found, reasons = findings(run()), explained(EXPLAINED.read_text())
    wrong = problems(found, reasons)
    if wrong:
        sys.exit("\n\n".join(wrong))
    print(f"slither: {len(found)} findings of high or medium impact, each explained")
    if spare := unneeded(found, reasons):
        print(f"slither: not found this time: {', '.join(spare)}")


if __name__ == "__main__":
    main()
