"""Make the project's environment from nothing: `.venv` from requirements.lock, then the build
tools.

Run by `make` with whatever Python the machine has (`--python` names another); needs only the
standard library. What is in place is left alone, so a warm run ends at once. A lock file makes two
concurrent runs wait for each other.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
TOOLCHAIN = ROOT / ".toolchain"
STAMP = TOOLCHAIN / "environment"
LOG = TOOLCHAIN / "setup.log"
LOCK_FILE = ROOT / "requirements.lock"

# requirements.lock holds packages whose wheels exist for these versions only (numpy 1.26, which ape
# pins).
SUPPORTED = ((3, 11), (3, 12))
CANDIDATES = ("python3", "python3.12", "python3.11", "python")
SUPPORTED_WORDS = " or ".join(f"{major}.{minor}" for major, minor in SUPPORTED)

_PROBE = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1])"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def version_of(python: str) -> tuple[int, int] | None:
    """An interpreter's major and minor version; None if it cannot make environments."""
    try:
        answer = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    major, minor = answer.stdout.split()
    return int(major), int(minor)


def find_python(asked: str | None) -> str:
    """An interpreter of a supported version: the one asked for, or the first on PATH. Ends the run
    if there is none.
    """
    seen = []
    for name in [asked] if asked else CANDIDATES:
        path = shutil.which(name)
        if path is None or Path(path).parent == VENV / "bin":
            continue
        version = version_of(path)
        if version in SUPPORTED:
            return path
        what = "cannot make environments (is its venv package installed?)"
        seen.append(f"{path}: {what if version is None else '{}.{}'.format(*version)}")
    found = "\n".join(f"  {line}" for line in seen) or f"  {asked or 'no python3'}: not found"
    sys.exit(
        f"setup: Python {SUPPORTED_WORDS} is needed, and none was found:\n{found}\n"
        f"Install one, or name it: make PYTHON=/path/to/python3.12 …"
    )


def is_usable(python: Path) -> bool:
    """Whether the environment's interpreter runs, is of a supported version and was made at this
    very place.
    """
    if not python.exists() or version_of(str(python)) not in SUPPORTED:
        return False
    pip = VENV / "bin" / "pip"
    return pip.exists() and str(VENV) in pip.read_text().splitlines()[0]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def show(text: str) -> None:
    """One line of progress, in place on a terminal."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[K{text[:width]}")
        sys.stderr.flush()


def install(python: Path) -> None:
    """Install what is locked, each file held against its hash; the output goes to the log."""
    locked = {canonical(name) for name in _PINNED.findall(LOCK_FILE.read_text())}
    command = [
        str(python), "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input",
        "--progress-bar", "off", "--disable-pip-version-check", "--no-compile",
        "-r", str(LOCK_FILE),
    ]  # fmt: skip
    done = 0
    with LOG.open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                done += 1
                bar = "█" * (30 * done // len(locked))
                show(f"setup: packages {bar:<30} {done}/{len(locked)}")
            elif line.startswith("Installing collected"):
                show(f"setup: unpacking {done} packages")
        status = process.wait()
    show("")
    if status != 0:
        tail = "".join(LOG.read_text().splitlines(keepends=True)[-15:])
        sys.exit(f"{tail}setup: pip failed; the whole output is in {LOG}")
    remove_unlocked(python, locked)


def remove_unlocked(python: Path, locked: set[str]) -> None:
    """Uninstall what an earlier lock brought and this one does not have."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    listing = subprocess.run(
        [*pip, "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = (canonical(line.split("==")[0]) for line in listing.stdout.splitlines())
    extra = [name for name in names if name not in locked | {"pip", "setuptools", "wheel"}]
    if extra:
        subprocess.run([*pip, "uninstall", "--yes", "--quiet", *extra], check=True)


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def ensure_packages(asked: str | None) -> tuple[Path, bool]:
    """The environment's interpreter, with everything that is locked installed, and whether anything
    had to be done.
    """
    python = VENV / "bin" / "python"
    wanted = hashlib.sha256(LOCK_FILE.read_bytes() + str(ROOT).encode()).hexdigest()
    usable = is_usable(python)
    if usable and STAMP.exists() and STAMP.read_text() == wanted:
        return python, False
    if not usable:
        base = find_python(asked)
        say(f"making .venv with {base} (its packages take a minute or two)")
        made = subprocess.run([base, "-m", "venv", "--clear", str(VENV)])
        if made.returncode != 0:
            sys.exit(f"setup: {base} -m venv failed; its message is above")
    else:
        say("bringing .venv up to requirements.lock")
    STAMP.unlink(missing_ok=True)
    install(python)
    STAMP.write_text(wanted)
    return python, True


def compile_packages(python: Path) -> subprocess.Popen[bytes]:
    """Start compiling all packages' bytecode on every core, which halves each later start.

    pip would do it on one core, before anything else can begin. A package may ship files that are
    no valid Python (templates, tests): its own matter, and none of ours.
    """
    command = [str(python), "-m", "compileall", "-q", "-j", "0", str(VENV / "lib")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make .venv and .toolchain from the lock files.")
    parser.add_argument("--python", help="the interpreter to make .venv with")
    asked = parser.parse_args().python or None
    if sys.version_info < (3, 8):
        sys.exit(f"setup: Python {SUPPORTED_WORDS} is needed; this is {sys.version.split()[0]}")
    TOOLCHAIN.mkdir(exist_ok=True)
    with (TOOLCHAIN / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is setting up; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        python, is_new = ensure_packages(asked)
        compiling = compile_packages(python) if is_new else None
        toolchain = ROOT / "scripts" / "_lib" / "toolchain.py"
        status = subprocess.run([str(python), str(toolchain)], cwd=ROOT).returncode
        if compiling is not None:
            compiling.wait()
        if status != 0:
            sys.exit(1)


if __name__ == "__main__":
    main()
