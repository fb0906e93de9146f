"""A short replay under every fault, and what makes a long one worth its time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos.changes import EquivocatorSlashed, ReporterReplaced
from tests.chaos.drawing import drawn
from tests.chaos.faults import CHANGES, DISPUTES, HELD, KINDS, PASSING, Kill
from tests.chaos.run import run
from tests.chaos.schedule import FULL, SHORT, Scale

SEED = 3


@pytest.mark.chaos
def test_run__short_replay__loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    report = run(SEED, SHORT, tmp_path, print)
    assert report.wrong == ()
    assert report.figures["epochs"] == SHORT.epochs
    assert report.figures["loops crashed"] == 0
    assert sum(one.fault == Kill.name for one in report.survived) == SHORT.kills
    assert {one.fault for one in report.survived} == {kind.name for kind in KINDS}


def test_drawn__same_seed__same_schedule() -> None:
    assert list(drawn(11, FULL).lines()) == list(drawn(11, FULL).lines())
    assert list(drawn(11, FULL).lines()) != list(drawn(12, FULL).lines())


@pytest.mark.parametrize("seed", range(20))
def test_drawn__long_replay__every_fault_and_a_hundred_kills_of_every_kind(seed: int) -> None:
    strikes = drawn(seed, FULL).strikes
    killed = Counter(one.target.partition("-")[0] for one in strikes if one.fault == Kill.name)
    assert killed.total() == 100
    assert min(killed[kind] for kind in ("reporter", "agent", "anvil", "postgresql")) >= 15
    struck = Counter(one.fault for one in strikes)
    assert all(struck[kind.name] >= 8 for kind in (*HELD, *PASSING))
    assert all(struck[kind.name] == FULL.changes for kind in CHANGES)
    assert all(struck[kind.name] == FULL.disputes for kind in DISPUTES)
    assert struck[EquivocatorSlashed.name] == 1


@pytest.mark.parametrize("scale", [SHORT, FULL])
@pytest.mark.parametrize("seed", range(20))
def test_drawn__changes_of_who_reports__in_force_in_turn_and_never_of_a_set_without_a_bond(
    seed: int, scale: Scale
) -> None:
    """Whoever activates what is due activates all of it; an operator without a bond is in no set
    that is announced or waits."""
    schedule = drawn(seed, scale)
    (punished,) = [one.epoch for one in schedule.strikes if one.fault == EquivocatorSlashed.name]
    dues = [notice.due for notice in schedule.notices]
    assert all(later - earlier >= 2 for earlier, later in pairwise(dues))
    assert dues[-1] < scale.epochs
    for notice in schedule.notices:
        if notice.fault == ReporterReplaced.name:
            assert notice.due < punished or (
                punished < notice.epoch and notice.seat == schedule.liar
            )
        else:
            assert notice.seat != schedule.liar
