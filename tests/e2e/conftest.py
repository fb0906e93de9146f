"""Commands as processes of their own, with everything that they start in sight."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from scripts._lib.anvil import rpc

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Command:
    """A running command; `folder` is its --out."""

    process: subprocess.Popen[str]
    folder: Path
    output: Path

    def text(self) -> str:
        """What it said so far."""
        return self.output.read_text()

    def started(self) -> list[psutil.Process]:
        """Everything that it started and that runs, its database server included."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        pid = self.database_pid()
        if pid is not None and psutil.pid_exists(pid):
            found.append(psutil.Process(pid))
        return found

    def database_pid(self) -> int | None:
        file = self.folder / "state" / "postgres" / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None

    def pids(self, word: str) -> list[int]:
        """Process ids of its children whose command line has this word, oldest first."""
        found: list[tuple[float, int]] = []
        for child in psutil.Process(self.process.pid).children():
            try:
                if any(word in part for part in child.cmdline()):
                    found.append((child.create_time(), child.pid))
            except psutil.NoSuchProcess:
                # It ended between being listed and being asked.
                continue
        return [pid for _, pid in sorted(found)]

    def chain_hour(self) -> int:
        """The hour of the newest block, since 1970. Its anvil has to run."""
        command = psutil.Process(self.pids("anvil")[0]).cmdline()
        port = int(command[command.index("--port") + 1])
        newest = rpc(port, "eth_getBlockByNumber", "latest", False)
        return int(newest["timestamp"], 16) // 3_600

    def settled(self) -> int:
        """How many reports the reporters' logs say are on chain."""
        logs = (self.folder / "logs").glob("reporter-*.log")
        return sum(log.read_text().count('"on_chain"') for log in logs)

    def wait_until(self, what: str, is_so: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, f"ended before {what}:\n{self.text()}"
            assert time.monotonic() < deadline, f"no {what} in {seconds} s:\n{self.text()}"
            time.sleep(0.05)

    def wait(self, seconds: float = 480) -> int:
        """Its exit status."""
        return self.process.wait(seconds)


Start = Callable[[str, Sequence[str]], Command]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a script with its own --out; whatever is left of it is ended with the test."""
    commands: list[Command] = []

    def run(script: str, arguments: Sequence[str]) -> Command:
        folder, output = tmp_path / f"{script}-out", tmp_path / f"{script}.txt"
        environment = {**os.environ, "COLUMNS": "200"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with output.open("w") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", f"scripts.{script}", "--out", str(folder), *arguments],
                cwd=ROOT,
                env=environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        commands.append(Command(process, folder, output))
        return commands[-1]

    yield run
    for command in commands:
        if command.process.poll() is None:
            command.process.send_signal(signal.SIGTERM)
            command.process.wait(60)


def end_and_look(command: Command, number: int, seconds: float = 60) -> tuple[int, list[int]]:
    """Send a signal; the exit status, and what it had started that still runs."""
    started = command.started()
    command.process.send_signal(number)
    status = command.wait(seconds)
    _, alive = psutil.wait_procs(started, timeout=5)
    return status, [one.pid for one in alive]
