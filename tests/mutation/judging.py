"""Whether the tests tell a mutant from the original, one stage after the other until one does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tests.mutation.mutants import Mutant
from tests.mutation.suites import Stage, Suites
from tests.mutation.workspace import JudgementError, Workspace

_LONGEST = 1800.0
"""Seconds that a stage may take on the original."""

_PATIENCE, _PATIENCE_SECONDS = 4, 60
"""How many times as long it may take on a mutant, and how many seconds more."""

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Result:
    """How a stage ended, and after how many seconds."""

    outcome: str
    by: str
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: "killed", "timeout", "survived" or "invalid", and in which stage."""

    mutant: Mutant
    outcome: str
    stage: str = ""
    by: str = ""

    @property
    def is_killed(self) -> bool:
        """A mutant that never ends is one that a test would wait for in vain."""
        return self.outcome in ("killed", "timeout")


class Results:
    """What is known of runs, by everything that decides them; kept in a file, line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, Result] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # Cut off when it was written.
            key = record.pop("key")
            self._known[key] = Result(**record)

    def get(self, key: str) -> Result | None:
        return self._known.get(key)

    def put(self, key: str, result: Result) -> None:
        with self._lock:
            self._known[key] = result
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps({"key": key, **asdict(result)}) + "\n")


class Judge:
    """Judges mutants of one state of the repository, in several copies of it at once."""

    def __init__(self, suites: Suites, results: Results, workspaces: Sequence[Workspace]) -> None:
        self._suites = suites
        self._results = results
        self._workspaces = workspaces
        self._free: SimpleQueue[Workspace] = SimpleQueue()
        for workspace in workspaces:
            self._free.put(workspace)

    def check_originals(
        self, sources: Iterable[str], told: Callable[[Stage, Result], None]
    ) -> None:
        """Raises JudgementError unless every stage of some sources passes on what is unchanged."""
        stages = {
            self._key(stage): stage for source in sources for stage in self._suites.stages(source)
        }
        for stage, result in self._at_once(self._original, stages.values()):
            if result.outcome != "survived":
                raise JudgementError(
                    f"without a mutant, {stage.name} ends with {result.outcome} {result.by}:"
                    f" {' '.join(stage.command)}"
                )
            told(stage, result)

    def judge(self, mutants: Iterable[Mutant]) -> Iterator[Verdict]:
        """The verdicts as they fall. Raises JudgementError."""
        for _, verdict in self._at_once(self._verdict, mutants):
            yield verdict

    def _verdict(self, mutant: Mutant) -> Verdict:
        with self._workspace() as workspace:
            for stage in self._suites.stages(mutant.file):
                result = self._result(workspace, stage, {mutant.file: mutant.content})
                if result.outcome != "survived":
                    return Verdict(mutant, result.outcome, stage.name, result.by)
        return Verdict(mutant, "survived")

    def _original(self, stage: Stage) -> Result:
        with self._workspace() as workspace:
            return self._result(workspace, stage, {})

    def _result(self, workspace: Workspace, stage: Stage, changed: Mapping[str, bytes]) -> Result:
        key = self._key(stage, changed)
        known = self._results.get(key)
        if known is not None:
            return known
        limit = _LONGEST
        if changed:
            original = self._results.get(self._key(stage))
            assert original is not None, "the originals are judged first"
            limit = _PATIENCE * original.seconds + _PATIENCE_SECONDS
        started = time.monotonic()
        outcome, by = workspace.run(stage, changed, limit)
        result = Result(outcome, by, round(time.monotonic() - started, 1))
        self._results.put(key, result)
        return result

    def _key(self, stage: Stage, changed: Mapping[str, bytes] | None = None) -> str:
        return stage.key({**self._suites.files, **(changed or {})})

    @contextmanager
    def _workspace(self) -> Iterator[Workspace]:
        workspace = self._free.get()
        try:
            yield workspace
        finally:
            self._free.put(workspace)

    def _at_once(
        self, act: Callable[[Given], Made], items: Iterable[Given]
    ) -> Iterator[tuple[Given, Made]]:
        """Each item with what was made of it, in the order of their being done.

        Whatever ends this early ends the runs in progress.
        """
        with ThreadPoolExecutor(len(self._workspaces)) as pool:
            try:
                waiting = {pool.submit(act, item): item for item in items}
                for done in as_completed(waiting):
                    yield waiting[done], done.result()
            except BaseException:
                for workspace in self._workspaces:
                    workspace.stop()
                pool.shutdown(cancel_futures=True)
                raise
