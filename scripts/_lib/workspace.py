"""Where a command that starts processes keeps their things, one command at a time."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts._lib.postgres import Postgres
from scripts._lib.processes import ProcessFailure


@dataclass(frozen=True)
class Workspace:
    """`output` is for people, the rest for processes."""

    output: Path

    @property
    def logs(self) -> Path:
        return self.output / "logs"

    @property
    def state(self) -> Path:
        return self.output / "state"


@contextmanager
def claimed(workspace: Workspace) -> Iterator[None]:
    """The workspace for this command alone, emptied of an earlier run.

    Raises ProcessFailure if another command runs in it.
    """
    workspace.output.mkdir(parents=True, exist_ok=True)
    with (workspace.output / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProcessFailure(
                f"another command is running in {workspace.output}; end it, or choose --out"
            ) from None
        leftover = workspace.state / "postgres"
        if (leftover / "postmaster.pid").exists():
            # An earlier run was killed: its database server may still be there.
            abandoned = Postgres(leftover)
            abandoned.start()
            abandoned.stop()
        for folder in (workspace.logs, workspace.state):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        yield
