"""The figures against a model that asks of every tenth of a second whether the GPU was there."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.codec import to_address
from api.domain.epochs import epoch_window_ms
from api.domain.figures import (
    ClusterFigures,
    Measured,
    epoch_figures,
    floor_figures,
    measure,
    measure_gpu,
)
from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.samples import Sample, canonical_samples
from api.errors import Incoherent, OutOfRange
from api.types import DRAINING_XIDS, STILL_IN_SERVICE_MS, UINT64_MAX, ClusterId, Epoch
from tests.support.search import searched

AGENT = to_address(b"\x11" * 20)
TICK_MS = 100
START_MS, END_MS = 1_000_000, 1_030_000
FIGURES = ClusterFigures(ClusterId(1), 700, 3_600, 3_500, 1_800, 900)


def gpu_of(
    from_ms: int = 0, until_ms: int = STILL_IN_SERVICE_MS, interval: int = 60_000, uuid: str = "a"
) -> GpuRecord:
    return GpuRecord(uuid, AGENT, from_ms, until_ms, interval)


def sample_of(gpu: GpuRecord, at_ms: int, busy: int = 10_000, **more: Any) -> Sample:
    sample = Sample(gpu.gpu_id, at_ms, busy, busy, 0, 0)
    return sample._replace(**more)


def model(gpu: GpuRecord, samples: list[Sample]) -> tuple[Fraction, ...]:
    """Contracted, available, busy and billable milliseconds and millijoules, tick by tick."""
    known = sorted(sample for sample in samples if sample.at_ms < END_MS)
    contracted = available = busy = billable = Fraction(0)
    for tick in range(START_MS, END_MS, TICK_MS):
        if not gpu.from_ms <= tick < gpu.until_ms:
            continue
        contracted += TICK_MS
        before = [sample for sample in known if sample.at_ms <= tick]
        if not before:
            continue
        latest = before[-1]
        later = [sample.at_ms for sample in known if sample.at_ms > tick]
        is_followed = later and Fraction(later[0] - latest.at_ms) <= Fraction(3, 2) * (
            gpu.sample_interval_ms
        )
        is_fresh = tick < latest.at_ms + gpu.sample_interval_ms
        if (is_followed or is_fresh) and latest.xid not in DRAINING_XIDS:
            available += TICK_MS
            busy += TICK_MS * Fraction(latest.busy_bps, 10_000)
            billable += TICK_MS * Fraction(latest.billable_bps, 10_000)
    energy = Fraction(0)
    for one, other in pairwise(known):
        is_in_service = gpu.from_ms <= one.at_ms and other.at_ms <= gpu.until_ms
        if is_in_service and other.at_ms >= START_MS:
            was_reset = other.energy_mj < one.energy_mj
            energy += other.energy_mj if was_reset else other.energy_mj - one.energy_mj
    return contracted, available, busy, billable, energy


@st.composite
def gpus_with_samples(draw: st.DrawFn, uuid: str = "a") -> tuple[GpuRecord, list[Sample]]:
    ticks = st.integers(START_MS // TICK_MS - 100, END_MS // TICK_MS + 20)
    from_ms, until_ms = sorted(draw(st.tuples(ticks, ticks).filter(lambda two: two[0] != two[1])))
    is_open = draw(st.booleans())
    gpu = gpu_of(
        from_ms * TICK_MS,
        STILL_IN_SERVICE_MS if is_open else until_ms * TICK_MS,
        draw(st.integers(10, 60)) * TICK_MS,
        uuid,
    )
    samples = []
    for at in sorted(draw(st.sets(ticks, max_size=25))):
        busy = draw(st.integers(0, 10_000))
        samples.append(
            Sample(
                gpu.gpu_id,
                at * TICK_MS,
                busy,
                draw(st.integers(0, busy)),
                draw(st.integers(0, UINT64_MAX)),
                draw(st.sampled_from([0, 0, 0, 13, 31, 48, 64, 74, 79])),
            )
        )
    return gpu, samples


def exact(measured: Measured) -> tuple[Fraction, ...]:
    return (
        Fraction(measured.contracted_ms),
        Fraction(measured.available_ms),
        Fraction(measured.busy_bps_ms, 10_000),
        Fraction(measured.billable_bps_ms, 10_000),
        Fraction(measured.energy_mj),
    )


@pytest.mark.property
@searched(200)
@given(gpus_with_samples())
def test_measure_gpu__anything__is_the_models(case: tuple[GpuRecord, list[Sample]]) -> None:
    gpu, samples = case
    assert exact(measure_gpu(gpu, samples, START_MS, END_MS)) == model(gpu, samples)


@pytest.mark.property
@searched(200)
@given(st.tuples(*(gpus_with_samples(uuid) for uuid in "abcd")))
def test_measure__many_gpus__is_the_sum_of_the_models(
    cases: tuple[tuple[GpuRecord, list[Sample]], ...],
) -> None:
    everything = [sample for _, samples in cases for sample in samples]
    stranger = gpu_of(uuid="stranger")
    everything.append(sample_of(stranger, START_MS))
    measured = measure(
        GpuSet(ClusterId(1), (gpu for gpu, _ in cases)),
        canonical_samples(everything, START_MS, END_MS),
        START_MS,
        END_MS,
    )
    models = [model(gpu, samples) for gpu, samples in cases]
    assert exact(measured) == tuple(map(sum, zip(*models, strict=True)))


@pytest.mark.property
@searched(200)
@given(gpus_with_samples(), st.integers(0, 100_000))
def test_floor_figures__anything_measured__keeps_the_order_and_the_cap(
    case: tuple[GpuRecord, list[Sample]], max_watts: int
) -> None:
    gpu, samples = case
    measured = measure_gpu(gpu, samples, START_MS, END_MS)
    figures = floor_figures(ClusterId(1), measured, max_watts)
    contracted, available, busy, billable, energy = exact(measured)
    assert figures.contracted_gpu_seconds == contracted // 1_000
    assert figures.available_gpu_seconds == available // 1_000
    assert figures.busy_gpu_seconds == busy // 1_000
    assert figures.billable_gpu_seconds == billable // 1_000
    joules = min(energy / 1_000, contracted / 1_000 * max_watts)
    assert figures.energy_wh == joules // 3_600


def minutes(gpu: GpuRecord, count: int, **more: int) -> list[Sample]:
    return [sample_of(gpu, minute * 60_000, **more) for minute in range(count)]


def test_epoch_figures__every_sample_there__is_all_available() -> None:
    gpu = gpu_of()
    figures = epoch_figures(GpuSet(ClusterId(1), [gpu]), Epoch(0), minutes(gpu, 60, busy=2_500), 1)
    assert figures == ClusterFigures(ClusterId(1), 0, 3_600, 3_600, 900, 900)


def test_epoch_figures__silence__is_downtime() -> None:
    gpu = gpu_of()
    figures = epoch_figures(GpuSet(ClusterId(1), [gpu]), Epoch(0), [], 700)
    assert (figures.contracted_gpu_seconds, figures.available_gpu_seconds) == (3_600, 0)


@pytest.mark.parametrize(("late_ms", "available_ms"), [(30_000, 150_000), (30_001, 120_000)])
def test_measure_gpu__one_sample_late__is_jitter_up_to_half_an_interval(
    late_ms: int, available_ms: int
) -> None:
    gpu = gpu_of()
    samples = [sample_of(gpu, 0), sample_of(gpu, 60_000 + late_ms)]
    assert measure_gpu(gpu, samples, 0, 3_600_000).available_ms == available_ms


@pytest.mark.parametrize("xid", sorted(DRAINING_XIDS))
def test_measure_gpu__draining_error__is_downtime_until_the_next_sample(xid: int) -> None:
    gpu = gpu_of()
    samples = minutes(gpu, 60)
    samples[10] = samples[10]._replace(xid=xid)
    measured = measure_gpu(gpu, samples, 0, 3_600_000)
    assert measured.available_ms == 59 * 60_000
    assert measured.busy_bps_ms == measured.available_ms * 10_000


@pytest.mark.parametrize("xid", [13, 31, 43, 63, 92])
def test_measure_gpu__error_of_the_application__is_available(xid: int) -> None:
    gpu = gpu_of()
    assert measure_gpu(gpu, minutes(gpu, 60, xid=xid), 0, 3_600_000).available_ms == 3_600_000


def test_measure_gpu__sample_before_the_window__covers_into_it() -> None:
    gpu = gpu_of()
    samples = [sample_of(gpu, 3_570_000, 4_000)]
    assert measure_gpu(gpu, samples, 3_600_000, 7_200_000).busy_bps_ms == 30_000 * 4_000


def test_measure_gpu__counter_reset__counts_from_zero() -> None:
    gpu = gpu_of()
    counters = [5_000, 6_000, 400, 1_000]
    samples = [sample_of(gpu, at * 60_000, energy_mj=mj) for at, mj in enumerate(counters)]
    assert measure_gpu(gpu, samples, 0, 3_600_000).energy_mj == 1_000 + 400 + 600


def test_measure_gpu__first_sample_ever__adds_no_energy() -> None:
    gpu = gpu_of()
    assert measure_gpu(gpu, [sample_of(gpu, 0, energy_mj=10**12)], 0, 3_600_000).energy_mj == 0


def test_measure_gpu__pair_over_the_edge__counts_with_its_later_sample() -> None:
    gpu = gpu_of()
    samples = [sample_of(gpu, 3_590_000, energy_mj=100), sample_of(gpu, 3_650_000, energy_mj=400)]
    assert measure_gpu(gpu, samples, 0, 3_600_000).energy_mj == 0
    assert measure_gpu(gpu, samples, 3_600_000, 7_200_000).energy_mj == 300


def test_measure_gpu__sample_at_the_very_end__is_the_next_windows() -> None:
    gpu = gpu_of()
    samples = [sample_of(gpu, 3_540_000, energy_mj=100), sample_of(gpu, 3_600_000, energy_mj=400)]
    assert measure_gpu(gpu, samples, 0, 3_600_000).energy_mj == 0
    following = measure_gpu(gpu, samples, 3_600_000, 7_200_000)
    assert (following.energy_mj, following.available_ms) == (300, 60_000)


def test_measure_gpu__out_of_service__counts_neither_time_nor_energy() -> None:
    gpu = gpu_of(from_ms=600_000, until_ms=1_200_000)
    samples = [sample_of(gpu, m * 60_000, energy_mj=m * 1_000) for m in range(60)]
    measured = measure_gpu(gpu, samples, 0, 3_600_000)
    assert measured.contracted_ms == measured.available_ms == 600_000
    assert measured.energy_mj == 10_000


def test_epoch_figures__counter_faster_than_the_hardware__is_capped() -> None:
    gpu = gpu_of()
    samples = [sample_of(gpu, 0), sample_of(gpu, 60_000, energy_mj=10**15)]
    figures = epoch_figures(GpuSet(ClusterId(1), [gpu]), Epoch(0), samples, 700)
    assert figures.energy_wh == 700


def test_epoch_figures__more_gpu_seconds_than_32_bits__is_refused() -> None:
    with pytest.raises(OutOfRange, match="contractedGpuSeconds is 4294967296"):
        floor_figures(ClusterId(1), Measured(2**32 * 1_000, 0, 0, 0, 0), 700)


figures_strategy = st.builds(
    lambda cluster_id, energy, four: ClusterFigures(
        ClusterId(cluster_id), energy, *sorted(four, reverse=True)
    ),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4),
)


@pytest.mark.property
@searched(200)
@given(figures_strategy)
def test_unpack__what_pack_wrote__is_the_same(figures: ClusterFigures) -> None:
    assert ClusterFigures.unpack(figures.pack()) == figures


@pytest.mark.property
@searched(200)
@given(figures_strategy)
def test_pack__any_figures__has_the_fields_where_solidity_reads_them(
    figures: ClusterFigures,
) -> None:
    words = figures.pack().to_bytes(32, "big")
    fields = [int.from_bytes(words[at : at + 4], "big") for at in range(0, 32, 4)]
    assert fields == [
        0,
        0,
        figures.cluster_id,
        figures.energy_wh,
        figures.contracted_gpu_seconds,
        figures.available_gpu_seconds,
        figures.busy_gpu_seconds,
        figures.billable_gpu_seconds,
    ]


@pytest.mark.parametrize("word", [-1, 2**256])
def test_unpack__no_word__is_refused(word: int) -> None:
    with pytest.raises(OutOfRange, match="figures is"):
        ClusterFigures.unpack(word)


@pytest.mark.parametrize("bit", [192, 255])
def test_unpack__unused_bits__is_refused(bit: int) -> None:
    with pytest.raises(Incoherent, match="upper 64 bits"):
        ClusterFigures.unpack(FIGURES.pack() | 1 << bit)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"cluster_id": 0}, OutOfRange),
        ({"energy_wh": 2**32}, OutOfRange),
        ({"billable_gpu_seconds": -1}, OutOfRange),
        ({"billable_gpu_seconds": 1_801}, Incoherent),
        ({"busy_gpu_seconds": 3_501}, Incoherent),
        ({"available_gpu_seconds": 3_601}, Incoherent),
    ],
)
def test_cluster_figures__incoherent__is_refused(
    change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        replace(FIGURES, **change)


def test_epoch_window_ms__of_an_epoch__is_its_hour() -> None:
    assert epoch_window_ms(Epoch(2)) == (7_200_000, 10_800_000)
