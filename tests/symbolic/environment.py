"""halmos's own environment: nothing else should have to take the version of its solver."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

LOCK_FILE = Path(__file__).with_name("requirements.lock")


def python_of(folder: Path) -> Path:
    """The interpreter of the environment in a folder, made or brought up to the lock file first.

    Ends the run where that fails.
    """
    python, stamp, log = folder / "bin" / "python", folder / "locked", folder / "setup.log"
    wanted = hashlib.sha256(LOCK_FILE.read_bytes() + str(folder).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print("prove: making halmos's environment, which takes a minute", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False)
    if made.returncode != 0:
        sys.exit(f"prove: {sys.executable} -m venv failed; its message is above")
    command = [
        str(python), "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input",
        "--progress-bar", "off", "--disable-pip-version-check", "-r", str(LOCK_FILE),
    ]  # fmt: skip
    with log.open("w") as output:
        installed = subprocess.run(command, stdout=output, stderr=output, check=False)
    if installed.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        sys.exit(f"{tail}\nprove: pip failed; the whole output is in {log}")
    stamp.write_text(wanted)
    return python
