"""The whole way from the recorded file to figures, against pandas, to the last millisecond.

Uptime and utilisation are fractions of whole numbers: there is no tolerance anywhere. The side of
pandas takes nothing from `api.domain` but the form in which the two are compared.

The file is named by RACKSTREAM_TRACE, or lies beside the repository; without it there is nothing to
compare, and the tests are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]
import pytest

from api.agent.sources.trace import load_trace
from api.domain.codec import to_address
from api.domain.figures import ClusterFigures, Measured, epoch_figures, measure, measure_gpu
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


def by_container(frame: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Each container's contracted and available ms, busy ms × bps and mJ in [start, end)."""
    windows = frame.groupby("container_ip").agg(first=("first", "min"), last=("last", "max"))
    inside = windows["last"].clip(upper=end) - windows["first"].clip(lower=start)
    known = frame[(frame["at"] >= start - 300_000) & (frame["at"] < end)]
    until = (known["at"] + known.cover).clip(upper=end).clip(upper=known["last"])
    covered = (until - known["at"].clip(lower=start)).clip(lower=0)
    paired = (known["at"] >= start) & (known.before >= start - 300_000)
    sums = pd.DataFrame(
        {
            "container_ip": known.container_ip,
            "available": covered,
            "busy": covered * known.bps,
            "energy": known.used.where(paired, 0).astype("int64"),
        }
    )
    found = sums.groupby("container_ip").sum().reindex(windows.index, fill_value=0)
    found.insert(0, "contracted", inside.clip(lower=0))
    return found


def by_pandas(frame: pd.DataFrame, epoch: int) -> ClusterFigures:
    sums = by_container(frame, epoch * 3_600_000, (epoch + 1) * 3_600_000).sum()
    energy_mj = min(int(sums.energy), int(sums.contracted) * MAX_WATTS)
    busy_seconds = int(sums.busy) // 10_000_000
    return ClusterFigures(
        ClusterId(1),
        energy_mj // 3_600_000,
        int(sums.contracted) // 1_000,
        int(sums.available) // 1_000,
        busy_seconds,
        busy_seconds,
    )


def windows(frame: pd.DataFrame) -> Iterator[tuple[int, int]]:
    """The whole recording, then every epoch that it touches."""
    first, last = int(frame["at"].min()), int(frame["at"].max())
    yield first, last + 1
    for epoch in range(first // 3_600_000, last // 3_600_000 + 1):
        yield epoch * 3_600_000, (epoch + 1) * 3_600_000


def shares(contracted: int, available: int, busy: int) -> tuple[Fraction, Fraction] | None:
    """Uptime and technical utilisation; None where nothing was in service."""
    if not contracted:
        return None
    return Fraction(available, contracted), Fraction(busy, contracted * 10_000)


def shares_of(measured: Measured) -> tuple[Fraction, Fraction] | None:
    assert measured.billable_bps_ms == measured.busy_bps_ms
    return shares(measured.contracted_ms, measured.available_ms, measured.busy_bps_ms)


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


def test_measure_gpu__each_container__has_uptime_and_utilisation_of_pandas(
    frame: pd.DataFrame, replayed: tuple[GpuSet, list[Sample]]
) -> None:
    gpus, samples = replayed
    ordered = sorted(samples)
    of_gpu = {gpu: list(own) for gpu, own in groupby(ordered, key=attrgetter("gpu"))}
    assert len(of_gpu) == len(gpus) == frame.container_ip.nunique()
    for start, end in windows(frame):
        expected = by_container(frame, start, end)
        for gpu in gpus:
            chosen = canonical_samples(of_gpu[gpu.gpu_id], start, end)
            row = expected.loc[gpu.uuid]
            assert shares_of(measure_gpu(gpu, chosen, start, end)) == shares(
                int(row.contracted), int(row.available), int(row.busy)
            )


def test_measure__whole_cluster__has_uptime_and_utilisation_of_pandas(
    frame: pd.DataFrame, replayed: tuple[GpuSet, list[Sample]]
) -> None:
    gpus, samples = replayed
    for start, end in windows(frame):
        sums = by_container(frame, start, end).sum()
        measured = measure(gpus, canonical_samples(samples, start, end), start, end)
        assert shares_of(measured) == shares(
            int(sums.contracted), int(sums.available), int(sums.busy)
        )


def test_load_trace__recorded_trace__has_every_row_and_container(frame: pd.DataFrame) -> None:
    trace = load_trace(FILE)
    assert trace.rows == trace.samples == len(frame)
    assert [one.identity for one in trace.series] == sorted(frame.container_ip.unique())
    assert {one.interval_ms for one in trace.series} == {INTERVAL}
    assert sum(sum(one.busy_bps) for one in trace.series) == frame.bps.sum()
