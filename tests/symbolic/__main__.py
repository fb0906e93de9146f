"""`make verify KIND=prove`: prove every theorem, and have every wrong variant refuted.

1. Make halmos's environment, and hold the translation to integers against small vectors.
2. Compile the theorems; read them, and what each wrong variant should refute.
3. Put one question after the other to halmos.
4. Write the report. Status 1 if a theorem is not proved, or a wrong variant is not refuted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path

from tests.symbolic.environment import python_of
from tests.symbolic.questions import Question, answer, artifacts, questions

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".toolchain" / "halmos"
OUT = CACHE / "out"
REPORT = ROOT / "out" / "verify" / "prove.json"

LOOP = 9
"""More often than any loop here goes round: what reaches it counts as not proved."""
QUERY_SECONDS = 120
THEOREM_SECONDS = 600

_BUILD = ("forge", "build", "--ast", "--extra-output", "storageLayout", "metadata")
_ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
    "FOUNDRY_SRC": "tests/symbolic",
    "FOUNDRY_TEST": "tests/symbolic",
    "FOUNDRY_OUT": str(OUT.relative_to(ROOT)),
    "FOUNDRY_CACHE_PATH": str((CACHE / "cache").relative_to(ROOT)),
}


def main() -> None:
    arguments = _arguments()
    # As Ctrl-C: halmos is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("prove: ended from outside"))
    CACHE.mkdir(parents=True, exist_ok=True)
    python = python_of(CACHE / "environment")
    started = time.monotonic()
    print(f"prove: the translation to integers: {_checked(python)}", flush=True)
    try:
        asked = [one for one in _compiled() if fnmatch(one.name, arguments.only)]
    except ValueError as error:
        sys.exit(f"prove: {error}")
    if not asked:
        sys.exit(f"prove: no theorem is called {arguments.only}")
    report, wrong = {}, []
    for question in asked:
        before = time.monotonic()
        result, words = _ask(python, question)
        seconds = time.monotonic() - before
        mark = "✓" if result == question.wanted else "✗"
        print(f"{mark} {result:14} {seconds:6.1f} s  {question.name}", flush=True)
        report[question.name] = {
            "result": result,
            "wanted": question.wanted,
            "seconds": round(seconds, 1),
            "statement": question.statement,
            "ranges": question.ranges,
        }
        if result != question.wanted:
            wrong.append(f"{question.name}: {result}, {question.wanted} is wanted\n{words}")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if wrong:
        sys.exit("\n\n".join(wrong))
    refuted = sum(one.is_wrong for one in asked)
    minutes = (time.monotonic() - started) / 60
    print(
        f"{len(asked) - refuted} theorems proved, {refuted} wrong ones refuted: {minutes:.1f} min"
    )


def _checked(python: Path) -> str:
    """What `check_integers.py` says. Ends the run if it fails."""
    command = [str(python), "-m", "tests.symbolic.check_integers"]
    check = subprocess.run(
        command, cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if check.returncode != 0:
        sys.exit(f"{check.stdout}{check.stderr}prove: the translation to integers is wrong")
    return check.stdout.strip()


def _compiled() -> list[Question]:
    """Every question, of contracts compiled anew. Ends the run if they do not compile."""
    shutil.rmtree(OUT, ignore_errors=True)
    build = subprocess.run(
        _BUILD, cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if build.returncode != 0:
        sys.exit(f"{build.stdout}{build.stderr}prove: the theorems do not compile")
    return questions(artifacts(OUT))


def _ask(python: Path, question: Question) -> tuple[str, str]:
    """halmos's answer to a question, and its last words."""
    with tempfile.TemporaryDirectory() as folder:
        report, words = Path(folder, "report.json"), Path(folder, "words")
        command = [
            str(python), "-m", "tests.symbolic.halmos_main", "--root", ".",
            "--forge-build-out", str(OUT.relative_to(ROOT)), "--json-output", str(report),
            "--contract", question.contract, "--match-test", rf"^{question.function}\(",
            "--panic-error-codes", "*", "--loop", str(LOOP), "--no-status",
            "--solver-timeout-assertion", f"{QUERY_SECONDS}s", "--solver-threads", "1",
            "--solver-command", f"{python} -m tests.symbolic.solver",
            *(["--early-exit"] if question.is_wrong else []),
        ]  # fmt: skip
        with words.open("w") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=_ENVIRONMENT, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
            try:
                process.wait(THEOREM_SECONDS)
            except subprocess.TimeoutExpired:
                return "timeout", f"stopped after {THEOREM_SECONDS} s"
            finally:
                if process.poll() is None:
                    # Its solvers with it.
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        said = "\n".join(words.read_text().splitlines()[-20:])
        return (answer(json.loads(report.read_text())) if report.exists() else "error"), said


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests.symbolic", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--only", default="*", metavar="PATTERN", help="some of the theorems, by contract.function"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
