"""Feeds what comes from strangers to its parsers, new bytes all the time, for so many minutes.

    python -m tests.fuzzing --minutes 10

All targets run at once, each in one process after another; none is begun when the time is over or
one has failed, which prints what reproduces it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Final

ROOT: Final = Path(__file__).parents[1]

TARGETS: Final = {
    "sample decoder": "tests/unit/api/domain/test_samples.py",
    "peer protocol": "tests/integration/test_peer_protocol.py",
    "dcgm text parser": "tests/unit/api/agent/test_dcgm.py",
}

_PASSED = re.compile(r"(\d+) passing,")


def main() -> int:
    """The command; 1 if a target failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing")
    parser.add_argument("--minutes", type=float, default=1.0)
    until = time.monotonic() + 60 * parser.parse_args().minutes
    failed = Event()
    with ThreadPoolExecutor(len(TARGETS)) as pool:
        runs = {name: pool.submit(_feed, path, until, failed) for name, path in TARGETS.items()}
    for name, run in runs.items():
        examples, complaint = run.result()
        print(f"{name}: {examples:,} examples{', then failed:' if complaint else ''}", flush=True)
        print(complaint, end="", flush=True)
    return int(failed.is_set())


def _feed(path: str, until: float, failed: Event) -> tuple[int, str]:
    """How many examples passed, and what was said of one that did not."""
    examples = 0
    command = [sys.executable, "-m", "pytest", "-q", "-m", "property"]
    while time.monotonic() < until and not failed.is_set():
        run = subprocess.run(
            [*command, "--hypothesis-show-statistics", path],
            cwd=ROOT,
            env=os.environ | {"HYPOTHESIS_PROFILE": "deep"},
            capture_output=True,
            text=True,
            check=False,
        )
        passed = sum(map(int, _PASSED.findall(run.stdout)))
        examples += passed
        if run.returncode or not passed:
            failed.set()
            return examples, run.stdout + run.stderr
    return examples, ""


if __name__ == "__main__":
    sys.exit(main())
