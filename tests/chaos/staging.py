"""The stage of a replay: what was announced before its first epoch is on chain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from api.domain.epochs import epoch_start
from api.domain.gpu_set import GpuSet
from api.types import ClusterId, Epoch
from scripts._lib import cast
from tests.chaos.faults import CHANGES
from tests.chaos.schedule import ANNOUNCED, NOTICE_EPOCHS, OFFSETS, Schedule
from tests.support.reporting import FIRST_EPOCH, GENESIS, Stage
from tests.support.scenario import Scenario, travel_to
from tests.support.stage import make_stage, name_reporters, open_in_turn


def staged(folder: Path, gpu_sets: Mapping[ClusterId, GpuSet], schedule: Schedule) -> Stage:
    """In `folder`. The reporters are named first, the clusters are opened after the notices."""
    announcements = {kind.name: kind().announcement for kind in CHANGES}
    operators = {one.name: one for one in cast.REPORTERS}

    def announce_and_open(scenario: Scenario, gpu_sets: Mapping[ClusterId, GpuSet]) -> None:
        name_reporters(scenario)
        for notice in schedule.notices:
            if notice.epoch < 0:
                travel_to(epoch_start(Epoch(FIRST_EPOCH + notice.epoch)) + OFFSETS[ANNOUNCED])
                announcements[notice.fault](operators, notice)(scenario.system)
        travel_to(GENESIS)
        open_in_turn(scenario, gpu_sets)

    genesis = epoch_start(Epoch(FIRST_EPOCH - NOTICE_EPOCHS - 1))
    return make_stage(folder, gpu_sets, announce_and_open, genesis=genesis)
