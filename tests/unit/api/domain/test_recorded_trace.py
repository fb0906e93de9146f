"""The whole way from the recorded file to figures, against pandas.

The file is named by RACKSTREAM_TRACE, or lies beside the repository; without it there is nothing to
compare, and the tests are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]
import pytest

from api.agent.sources.trace import load_trace
from api.domain.codec import to_address
from api.domain.figures import ClusterFigures, epoch_figures
from api.domain.gpu_set import GpuSet
from api.domain.replay import PowerModel, Replay, gpu_set_of_trace
from api.domain.samples import Sample, canonical_samples
from api.types import ClusterId, Epoch

ROOT = Path(__file__).parents[4]
FILE = Path(
    os.environ.get("RACKSTREAM_TRACE") or ROOT.parent / "shared" / "data" / "gpu_duty_cycle.csv.gz"
)
INTERVAL = 57_000
IDLE_WATTS, PEAK_WATTS, MAX_WATTS = 100, 700, 700

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not on this machine")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """One row a sample: at (ms), bps, cover (ms), counter (mJ), before (ms), container's window."""
    rows = pd.read_csv(FILE)
    rows["at"] = (rows.timestamp_anon * 1_000).round().astype("int64")
    rows["bps"] = (rows.value * 100).round().astype("int64")
    rows = rows.sort_values(["container_ip", "at"]).reset_index(drop=True)
    by = rows.groupby("container_ip")["at"]
    gap = by.shift(-1) - rows["at"]
    rows["cover"] = gap.where(gap <= INTERVAL * 3 / 2, INTERVAL).astype("int64")
    rows["before"] = by.shift(1)
    rows["first"], rows["last"] = by.transform("min"), by.transform("max")
    scaled = rows.cover * (IDLE_WATTS * 10_000 + (PEAK_WATTS - IDLE_WATTS) * rows.bps)
    total = scaled.groupby(rows.container_ip).cumsum() - scaled
    rows["counter"] = total // 10_000
    rows["used"] = rows.counter - rows.groupby("container_ip").counter.shift(1)
    return rows


@pytest.fixture(scope="module")
def replayed() -> tuple[GpuSet, list[Sample]]:
    trace = load_trace(FILE)
    agents = [to_address(bytes([number]) * 20) for number in (1, 2, 3)]
    parts = [
        Replay(trace, PowerModel(IDLE_WATTS, PEAK_WATTS), part=part, parts=3) for part in range(3)
    ]
    samples = [sample for part in parts for sample in part.between(0, trace.end_ms)]
    return gpu_set_of_trace(ClusterId(1), trace, agents), samples


def by_pandas(frame: pd.DataFrame, epoch: int) -> ClusterFigures:
    start, end = epoch * 3_600_000, (epoch + 1) * 3_600_000
    windows = frame.groupby("container_ip").agg(first=("first", "min"), last=("last", "max"))
    contracted = (windows["last"].clip(upper=end) - windows["first"].clip(lower=start)).clip(
        lower=0
    )
    known = frame[(frame["at"] >= start - 300_000) & (frame["at"] < end)]
    until = (known["at"] + known.cover).clip(upper=end).clip(upper=known["last"])
    covered = (until - known["at"].clip(lower=start)).clip(lower=0)
    paired = known[(known["at"] >= start) & (known.before >= start - 300_000)]
    energy_mj = min(int(paired.used.sum()), int(contracted.sum()) * MAX_WATTS)
    busy_seconds = int((covered * known.bps).sum()) // 10_000_000
    return ClusterFigures(
        ClusterId(1),
        energy_mj // 3_600_000,
        int(contracted.sum()) // 1_000,
        int(covered.sum()) // 1_000,
        busy_seconds,
        busy_seconds,
    )


def test_epoch_figures__recorded_trace__are_those_of_pandas(
    frame: pd.DataFrame, replayed: tuple[GpuSet, list[Sample]]
) -> None:
    gpus, samples = replayed
    first = int(frame["at"].min()) // 3_600_000
    last = int(frame["at"].max()) // 3_600_000
    assert last - first >= 1
    for epoch in range(first, last + 1):
        start, end = epoch * 3_600_000, (epoch + 1) * 3_600_000
        chosen = canonical_samples(samples, start, end)
        assert epoch_figures(gpus, Epoch(epoch), chosen, MAX_WATTS) == by_pandas(frame, epoch)


def test_load_trace__recorded_trace__has_every_row_and_container(frame: pd.DataFrame) -> None:
    trace = load_trace(FILE)
    assert trace.rows == trace.samples == len(frame)
    assert [one.identity for one in trace.series] == sorted(frame.container_ip.unique())
    assert {one.interval_ms for one in trace.series} == {INTERVAL}
    assert sum(sum(one.busy_bps) for one in trace.series) == frame.bps.sum()
