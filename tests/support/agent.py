"""The agent as a process, `python -m api.agent`, replaying a trace."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

from scripts._lib.cast import Account
from scripts._lib.processes import Program

ROOT = Path(__file__).resolve().parents[2]


class AgentProcess:
    """One agent with a folder of its own. It can find the disk full."""

    def __init__(self, account: Account, environment: dict[str, str], folder: Path) -> None:
        self.account = account
        self._log = folder / f"{account.name}.log"
        self._program = Program(
            account.name,
            [sys.executable, "-m", "api.agent"],
            environment | {"RACKSTREAM_AGENT_DATA_DIR": str(folder / account.name)},
            self._log,
            lambda: True,
            directory=ROOT,
        )
        self._is_disk_full = False

    def start(self) -> None:
        """Start it without waiting."""
        self._program.launch()
        self._limit()

    def kill(self) -> None:
        """End it with SIGKILL: it gets no chance to tidy up."""
        if self._program.pid is not None:
            os.kill(self._program.pid, signal.SIGKILL)
        self._program.stop()

    def fill_disk(self) -> None:
        """From now on the kernel refuses every byte that would make one of its files longer."""
        self._is_disk_full = True
        self._limit()

    def free_disk(self) -> None:
        self._is_disk_full = False
        self._limit()

    @property
    def is_alive(self) -> bool:
        return self._program.is_alive()

    @property
    def status(self) -> int | None:
        """With what it ended; None if it runs, or was never started."""
        process = self._program._process
        return None if process is None else process.poll()

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _limit(self) -> None:
        pid = self._program.pid
        if pid is not None:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            soft = 0 if self._is_disk_full else hard
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
