"""`make verify KIND=mutate`: make mutants, judge a sample, and hold what survives to account.

1. Copy the working tree as it is now: whatever changes meanwhile changes nothing here.
2. Make every mutant of the money code from the compiler's syntax trees.
3. Draw the sample; judge it, the results of earlier runs on the same files taken as they are.
4. Write the report. Status 1 if too few were killed, or a survivor is not explained, or an
   explanation has nothing to explain.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.mutation.judging import Judge, Results, Verdict
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.report import REQUIRED, Report
from tests.mutation.sampling import sample
from tests.mutation.suites import Suites
from tests.mutation.survivors import EXPLAINED, explained, problems
from tests.mutation.syntax import SourceError, trees
from tests.mutation.workspace import JudgementError, Workspace, snapshot

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".toolchain" / "mutation"
REPORT = ROOT / "out" / "verify" / "mutation.json"

MONEY = (
    "contracts/share/*.sol",
    "contracts/revenue/*.sol",
    "contracts/compliance/*.sol",
    "contracts/payments/*.sol",
    "contracts/registry/ModelRegistry.sol",
    "contracts/libraries/OperatingCost.sol",
)
SAMPLE = 120
"""Judged in well under forty minutes on two cores."""
WORKERS = 2
LOG_COLUMNS = 120


def main() -> None:
    arguments = _arguments()
    # As Ctrl-C: the runs in progress are ended, what they were about is tried again next time.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("mutate: ended from outside"))
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("mutate: another one is at work")
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    """Steps 1 to 4. Ends the process with what is wrong."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else LOG_COLUMNS)
    files = snapshot(ROOT)
    paths = [name for name in files if _matches(name, MONEY) and _matches(name, arguments.only)]
    if not paths:
        sys.exit(f"mutate: none of the money code is {' or '.join(arguments.only)}")
    workspaces = [Workspace(ROOT, CACHE / f"tree-{number}") for number in range(arguments.workers)]
    for workspace in workspaces:
        workspace.fill(files)
    try:
        reasons = {
            key: why
            for key, why in explained(EXPLAINED.read_text()).items()
            if _matches(key[0], arguments.only)
        }
        made = [each for tree in trees(workspaces[0].folder, paths) for each in mutants_of(tree)]
        chosen = sample(made, arguments.mutants)
        console.print(f"{len(made)} mutants of {len(paths)} files; {len(chosen)} are judged")
        verdicts = _judge(console, files, workspaces, chosen)
    except (ValueError, SourceError, JudgementError) as error:
        sys.exit(f"mutate: {error}")
    report = Report(made, verdicts, reasons)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report.json(), indent=1) + "\n")
    for table in report.tables():
        console.print(table, "")
    wrong = problems(verdicts, made, reasons)
    if not report.is_enough:
        wrong.append(f"{float(report.score):.1%} killed, and {float(REQUIRED):.0%} are needed")
    if wrong:
        sys.exit("\n\n".join(wrong))


def _judge(
    console: Console,
    files: Mapping[str, bytes],
    workspaces: Sequence[Workspace],
    mutants: Sequence[Mutant],
) -> list[Verdict]:
    judge = Judge(Suites(files), Results(CACHE / "results.jsonl"), workspaces)
    judge.check_originals(
        dict.fromkeys(mutant.file for mutant in mutants),
        lambda stage, result: console.print(
            f"{stage.name}: passes without a mutant, {result.seconds:.0f} s"
        ),
    )
    verdicts = []
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("mutants", total=len(mutants))
        for verdict in judge.judge(mutants):
            verdicts.append(verdict)
            progress.advance(task)
            if verdict.outcome == "survived":
                progress.print(_diff(verdict.mutant), markup=False, soft_wrap=True)
    return verdicts


def _diff(mutant: Mutant) -> str:
    place = f"survived: {mutant.file}:{mutant.line} {mutant.where} ({mutant.operator})"
    return f"{place}\n  - {mutant.was}\n  + {mutant.now}"


def _matches(name: str, patterns: Sequence[str]) -> bool:
    # The star of a pattern would cross folders.
    return any(fnmatch(name, each) and name.count("/") == each.count("/") for each in patterns)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests.mutation", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--mutants", type=_size, default=SAMPLE, help="how many, or all")
    parser.add_argument(
        "--only", nargs="+", default=MONEY, metavar="PATTERN", help="some of the money code's files"
    )
    parser.add_argument(
        "--workers", type=_positive, default=WORKERS, help="how many are judged at once"
    )
    return parser.parse_args()


def _size(text: str) -> int | None:
    """A number of mutants, or None for all."""
    return None if text == "all" else _positive(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


if __name__ == "__main__":
    main()
