"""The demo's second opinion, held against the reporters' own maths."""

from __future__ import annotations

import pytest

from api.domain.figures import epoch_figures
from api.domain.replay import PowerModel, Replay, gpu_set_of_trace
from api.domain.self_made import self_made_trace
from api.domain.trace import Trace, read_trace
from api.types import Address, ClusterId, Epoch
from scripts._lib.expected import EpochFigures, expected_figures, last_epoch

FIRST = 480_000
AGENT = Address("0x00000000000000000000000000000000000A11cE")
HEADER = "value,timestamp_anon,container_ip"


def trace_of(*rows: str) -> Trace:
    return read_trace([HEADER, *rows], "short")


def test_expected_figures__two_samples__by_hand() -> None:
    # Half busy for a minute, then the end of service: 60 s × 50 %, (100 + 300) W × 60 s.
    trace = trace_of("50,1000,a", "90,1060,a")
    assert expected_figures(trace, FIRST, 1, 100, 700) == {
        FIRST: EpochFigures(
            energy_wh=400 * 60 // 3_600, contracted=60, available=60, busy=30, billable=30
        )
    }


def test_expected_figures__a_missing_sample__downtime() -> None:
    trace = trace_of(*(f"100,{at},a" for at in (0, 60, 120, 300, 360)))
    figures = expected_figures(trace, FIRST, 1, 0, 60)[FIRST]
    assert (figures.contracted, figures.available) == (360, 240)
    assert figures.energy_wh == 60 * 240 // 3_600


@pytest.mark.parametrize(("seconds", "last"), [(60, 0), (3_600, 0), (3_601, 1), (7_200, 1)])
def test_last_epoch__length_of_the_trace__counted_from_its_first(seconds: int, last: int) -> None:
    trace = trace_of("1,0,a", f"1,{seconds},a")
    assert last_epoch(trace, FIRST) == FIRST + last


def test_expected_figures__self_made_trace__what_reporters_compute() -> None:
    trace = self_made_trace(gpus=12, hours=7, interval_seconds=45)
    anchor_ms = FIRST * 3_600_000
    gpus = gpu_set_of_trace(ClusterId(1), trace, [AGENT], anchor_ms=anchor_ms)
    replay = Replay(trace, PowerModel(100, 700), anchor_ms=anchor_ms)
    epochs = last_epoch(trace, FIRST) - FIRST + 1
    expected = expected_figures(trace, FIRST, epochs, 100, 700)
    assert epochs == 7
    for epoch, figures in expected.items():
        start = epoch * 3_600_000
        samples = sorted(replay.between(start - 300_001, start + 3_600_000 - 1))
        reported = epoch_figures(gpus, Epoch(epoch), samples, 700)
        assert figures == EpochFigures(
            reported.energy_wh,
            reported.contracted_gpu_seconds,
            reported.available_gpu_seconds,
            reported.busy_gpu_seconds,
            reported.billable_gpu_seconds,
        )
