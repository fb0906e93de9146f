"""Copies of the repository in which mutants are judged; the working tree is never touched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.mutation.suites import Stage

_LINKS = ("node_modules", ".venv", ".toolchain/bin", ".toolchain/solcx")
_OWN = ("contracts", "tests", "scripts", "api")
_TIMEOUT = ("timeout", "")

_REMEMBERED = (".toolchain/forge/failures", ".toolchain/forge/test-failures")
"""Where forge keeps what failed, to try it first: one mutant would be judged by another."""


class JudgementError(Exception):
    """A run ended in a way that says nothing of the mutant; the message has its last words."""


def snapshot(root: Path) -> dict[str, bytes]:
    """The files of the working tree as they are now, ignored ones left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    names = {name for name in listed.stdout.split("\0") if name}
    return {name: (root / name).read_bytes() for name in sorted(names) if (root / name).is_file()}


class Workspace:
    """One copy, in which one run at a time is done."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self._root = root
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Make the copy hold these files and no others, caches of compilers apart."""
        for room in _OWN:
            for path in sorted((self.folder / room).rglob("*")):
                name = path.relative_to(self.folder).as_posix()
                if path.is_file() and name not in files and path.suffix != ".pyc":
                    path.unlink()
        for name, content in files.items():
            self._write(name, content)
        for name in _LINKS:
            link = self.folder / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(self._root / name)
        anvil = self.folder / ".toolchain" / "own" / "anvil"
        anvil.parent.mkdir(exist_ok=True)
        real = self._root / ".toolchain" / "bin" / "anvil"
        anvil.write_text(f'#!/bin/sh\nexec "{real}" --disable-code-size-limit "$@"\n')
        anvil.chmod(0o755)

    def run(self, stage: Stage, changed: Mapping[str, bytes], seconds: float) -> tuple[str, str]:
        """How a stage ends with some files changed: an outcome and the test that decided.

        Also ("timeout", "") after `seconds`. A run that ends otherwise than with a test is tried
        once more: on a busy machine a chain may not be up in time. Raises JudgementError.
        """
        for name in _REMEMBERED:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        originals = {name: (self.folder / name).read_bytes() for name in changed}
        for name, content in changed.items():
            self._write(name, content)
        try:
            for _ in range(2):
                returncode, output = self._finish(stage, seconds)
                outcome = stage.outcome(returncode, output) if returncode is not None else _TIMEOUT
                if outcome is not None:
                    return outcome
        finally:
            for name, content in originals.items():
                self._write(name, content)
        raise JudgementError(f"{stage.name} ended with {returncode}:\n{output[-4000:]}")

    def _finish(self, stage: Stage, seconds: float) -> tuple[int | None, str]:
        """Exit status and output of a run; None for a run that was still on after `seconds`."""
        process = self._start(stage)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            return None, ""
        return process.returncode, output

    def _write(self, name: str, content: bytes) -> None:
        """Give a file this content, unless it has it."""
        path = self.folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _start(self, stage: Stage) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise JudgementError("stopped")
            self._process = subprocess.Popen(
                stage.command,
                cwd=self.folder,
                env=self._environment(stage),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            return self._process

    def stop(self) -> None:
        """End the run in progress, and begin no other."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def _environment(self, stage: Stage) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FOUNDRY_", "HYPOTHESIS_", "PYTEST_"))
        }
        own = self.folder / ".toolchain" / "own"
        return {
            **kept,
            **stage.environment,
            "PATH": f"{own}{os.pathsep}{os.environ['PATH']}",
            "APE_DATA_FOLDER": str(own / "ape"),
        }


def _kill(process: subprocess.Popen[str]) -> None:
    """End a run with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
