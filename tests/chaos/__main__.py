"""`make verify KIND=chaos`: a long replay under every fault, drawn from a seed.

1. Draw the schedule from the seed and print it; without a seed one is drawn, and printed.
2. Run the replay, a line for each fault as it strikes; logs go to `out/verify/chaos/`.
3. Print the table and write `out/verify/chaos.json`. Status 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
from pathlib import Path

from rich.console import Console

from scripts._lib.build import ensure_compiled
from tests.chaos.drawing import drawn
from tests.chaos.run import run
from tests.chaos.schedule import FULL, SHORT

OUT = Path(__file__).resolve().parents[2] / "out" / "verify"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--short", action="store_true", help="as long as in `make test`")
    parser.add_argument("--schedule", action="store_true", help="print the schedule only")
    arguments = parser.parse_args()
    seed = secrets.randbelow(10_000) if arguments.seed is None else arguments.seed
    scale = SHORT if arguments.short else FULL
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"chaos: seed {seed}; again with: make verify KIND=chaos SEED={seed}")
    for line in drawn(seed, scale).lines():
        console.print(f"  {line}", markup=False)
    if arguments.schedule:
        return
    ensure_compiled()
    folder = OUT / "chaos"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    report = run(seed, scale, folder, lambda line: console.print(line, markup=False))
    (OUT / "chaos.json").write_text(json.dumps(report.json(), indent=1) + "\n")
    console.print(report.table())
    console.print(f"{report.figures}, {report.seconds:.0f} s", markup=False)
    for ending in report.endings:
        console.print(f"ended by itself: {ending}", markup=False)
    if report.wrong:
        sys.exit("\n\n".join(report.wrong) + f"\n\nchaos: seed {seed}; the logs: {folder}")


if __name__ == "__main__":
    main()
