"""A whole run: the stage, the system on it, the replay, the reckoning."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from api.types import ClusterId
from scripts._lib.postgres import Postgres
from scripts._lib.processes import run_stopped_by_signals
from tests.chaos import telemetry
from tests.chaos.drawing import drawn
from tests.chaos.faults import Kill
from tests.chaos.reckoning import Reckoning
from tests.chaos.replay import Replay
from tests.chaos.report import Report
from tests.chaos.schedule import Scale, Schedule
from tests.chaos.staging import staged
from tests.chaos.system import running
from tests.support.reporting import Stage


def run(seed: int, scale: Scale, folder: Path, tell: Callable[[str], None]) -> Report:
    """`folder`, which is empty, gets the logs. `tell` is given a line for each fault."""
    measured = telemetry.drawn(seed, scale.epochs, folder)
    schedule = drawn(seed, scale)
    stage = staged(folder, {cluster: one.gpus for cluster, one in measured.items()}, schedule)
    # Short, and where the user of root's server may enter: see `api.store.embedded`.
    with TemporaryDirectory(prefix="rackstream-postgres-") as data:
        postgres = Postgres(Path(data) / "data")
        postgres.start()
        try:
            return run_stopped_by_signals(
                _replay(schedule, stage, measured, postgres, folder, tell)
            )
        finally:
            postgres.stop()


async def _replay(
    schedule: Schedule,
    stage: Stage,
    measured: Mapping[ClusterId, telemetry.Telemetry],
    postgres: Postgres,
    folder: Path,
    tell: Callable[[str], None],
) -> Report:
    world_folder = folder / "world"
    world_folder.mkdir()
    started = time.monotonic()
    async with running(stage, measured, schedule, postgres, world_folder) as system:
        replay = Replay(
            system, schedule, lambda line: tell(f"{time.monotonic() - started:6.1f} s  {line}")
        )
        figures = {"epochs": 0}
        try:
            await replay.run()
            reckoning = Reckoning(system, measured)
            wrong = await reckoning.wrong()
            figures["acknowledgements"] = reckoning.acknowledgements
        except AssertionError as failure:
            wrong = [str(failure)]
        killed = Counter(
            one.target.rpartition("-")[0] or one.target
            for one in replay.struck
            if one.fault == Kill.name
        )
        figures |= {"epochs": replay.epochs} | {
            f"{kind} killed": count for kind, count in sorted(killed.items())
        }
        figures["loops crashed"] = sum(
            one.log().count('"loop crashed"') for one in system.world.reporters
        )
        endings = tuple(f"{one.name}: {one.status} {one.last_line}" for one in system.endings)
        return Report(
            schedule,
            tuple(replay.struck),
            tuple(replay.survived),
            figures,
            endings,
            tuple(wrong),
            time.monotonic() - started,
        )
