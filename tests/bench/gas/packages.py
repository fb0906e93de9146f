"""The peers' packages, installed into `.toolchain/` when they are missing."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".toolchain" / "gas-peers"
MODULES = HOME / "node_modules"
_WANTED = Path(__file__).with_name("peers")
_FILES = (".npmrc", "package.json", "package-lock.json")


def ensure_installed() -> None:
    """Bring `node_modules` to what the peers' lock file says; nothing if it is there."""
    digest = hashlib.sha256(b"".join((_WANTED / name).read_bytes() for name in _FILES)).hexdigest()
    stamp = HOME / "installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    HOME.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for name in _FILES:
        shutil.copy(_WANTED / name, HOME / name)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--loglevel=error"], cwd=HOME, check=True)
    stamp.write_text(digest)
