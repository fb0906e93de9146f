from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.codec import gpu_id_of, to_address
from api.domain.figures import measure
from api.domain.replay import PowerModel, Replay, gpu_set_of_trace
from api.domain.samples import canonical_samples
from api.domain.trace import Trace, read_trace
from api.errors import InvalidInput
from api.types import STILL_IN_SERVICE_MS, ClusterId
from tests.support.search import searched

POWER = PowerModel(idle_watts=100, peak_watts=700)
AGENTS = [to_address(bytes([number]) * 20) for number in (1, 2, 3)]
ANCHOR_MS = 1_800_000_000_000


def trace_of(**containers: list[tuple[int, str]]) -> Trace:
    """Containers by name: (second, percent) each."""
    lines = ["value,timestamp_anon,container_ip\n"]
    for name, samples in containers.items():
        lines += [f"{percent},{second},{name}\n" for second, percent in samples]
    return read_trace(lines, "test")


def steady(percent: str, count: int = 20, start: int = 1_000) -> list[tuple[int, str]]:
    return [(start + 60 * index, percent) for index in range(count)]


TRACE = trace_of(
    a=steady("50"), b=steady("25.5", 15, start=1_300), c=steady("0"), d=[(1_000, "100")]
)


def test_between__everything__is_the_trace_at_the_anchor() -> None:
    samples = Replay(TRACE, POWER, anchor_ms=ANCHOR_MS).between(0, 2 * ANCHOR_MS)
    assert len(samples) == TRACE.samples == 55
    assert samples == sorted(samples, key=lambda sample: (sample.at_ms, sample.gpu))
    of_b = [sample for sample in samples if sample.gpu == gpu_id_of("b")]
    assert [sample.at_ms for sample in of_b] == [
        ANCHOR_MS + 300_000 + 60_000 * index for index in range(15)
    ]
    assert {(sample.busy_bps, sample.billable_bps, sample.xid) for sample in of_b} == {
        (2_550, 2_550, 0)
    }


def test_between__no_anchor__keeps_the_recorded_times() -> None:
    assert Replay(TRACE, POWER).between(0, 1_000_000)[0].at_ms == 1_000_000


def test_between__not_billable__bills_nothing() -> None:
    samples = Replay(TRACE, POWER, is_billable=False).between(0, ANCHOR_MS)
    assert {sample.billable_bps for sample in samples} == {0}


@pytest.mark.property
@searched(100)
@given(
    st.lists(st.integers(-100_000, 4_000_000), min_size=2, max_size=30).map(sorted),
    st.booleans(),
)
def test_between__in_any_pieces__is_the_whole(edges: list[int], is_repeated: bool) -> None:
    def replay() -> Replay:
        return Replay(TRACE, POWER, anchor_ms=0, is_repeated=is_repeated)

    pieces = replay()
    found = [sample for a, b in pairwise(edges) for sample in pieces.between(a, b)]
    assert found == replay().between(edges[0], edges[-1])


@pytest.mark.property
@searched(100)
@given(st.integers(-100_000, 4_000_000), st.booleans())
def test_next_after__any_moment__is_the_first_sample_after(moment: int, is_repeated: bool) -> None:
    replay = Replay(TRACE, POWER, anchor_ms=0, is_repeated=is_repeated)
    following = replay.next_after(moment)
    later = replay.between(moment, 6_000_000)
    assert following == (later[0].at_ms if later else None)


def test_between__energy__is_power_times_covered_time() -> None:
    samples = Replay(TRACE, POWER, anchor_ms=0).between(-1, 10**9)
    for name, watts in (("a", Fraction(400)), ("b", Fraction(253)), ("c", Fraction(100))):
        counters = [sample.energy_mj for sample in samples if sample.gpu == gpu_id_of(name)]
        assert counters == [60_000 * watts * index for index in range(len(counters))]


def test_between__missing_samples__draw_nothing_while_missing() -> None:
    samples = [sample for sample in steady("50") if sample[0] not in (1_120, 1_180, 1_240)]
    counters = [sample.energy_mj for sample in Replay(trace_of(a=samples), POWER).between(0, 10**9)]
    assert counters[1:4] == [24_000_000, 48_000_000, 72_000_000]


def test_between__repeated__goes_on_with_time_and_counters() -> None:
    replay = Replay(TRACE, POWER, anchor_ms=0, is_repeated=True)
    for name in "abc":
        samples = [s for s in replay.between(-1, 30 * 1_200_000) if s.gpu == gpu_id_of(name)]
        assert samples[0].at_ms == 0
        assert {b.at_ms - a.at_ms for a, b in pairwise(samples)} == {60_000}
        assert len({b.energy_mj - a.energy_mj for a, b in pairwise(samples)}) == 1


def test_between__parts__are_the_whole_and_share_nothing() -> None:
    whole = Replay(TRACE, POWER).between(0, ANCHOR_MS)
    parts = [Replay(TRACE, POWER, part=part, parts=2).between(0, ANCHOR_MS) for part in (0, 1)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert not {sample.gpu for sample in parts[0]} & {sample.gpu for sample in parts[1]}


def test_replay__more_agents_than_containers__is_refused() -> None:
    with pytest.raises(InvalidInput, match="3 containers, none for agent 3 of 4"):
        Replay(TRACE, POWER, part=3, parts=4)


def test_gpu_set_of_trace__agents__are_those_of_the_parts() -> None:
    gpus = gpu_set_of_trace(ClusterId(1), TRACE, AGENTS[:2], anchor_ms=ANCHOR_MS)
    for part, agent in enumerate(AGENTS[:2]):
        spoken_for = {one.gpu_id for one in TRACE.part(part, 2)}
        assert {gpu.gpu_id for gpu in gpus.of_agent(agent)} == spoken_for


def test_gpu_set_of_trace__windows__are_first_to_last_sample() -> None:
    gpus = gpu_set_of_trace(ClusterId(1), TRACE, AGENTS[:1], anchor_ms=ANCHOR_MS)
    windows = {gpu.uuid: (gpu.from_ms - ANCHOR_MS, gpu.until_ms - ANCHOR_MS) for gpu in gpus}
    assert windows == {"a": (0, 1_140_000), "b": (300_000, 1_140_000), "c": (0, 1_140_000)}
    assert {gpu.sample_interval_ms for gpu in gpus} == {60_000}


def test_gpu_set_of_trace__repeated__is_in_service_from_the_anchor_without_end() -> None:
    gpus = gpu_set_of_trace(ClusterId(1), TRACE, AGENTS[:1], anchor_ms=ANCHOR_MS, is_repeated=True)
    assert {(gpu.from_ms, gpu.until_ms) for gpu in gpus} == {(ANCHOR_MS, STILL_IN_SERVICE_MS)}


@pytest.mark.parametrize("agents", [0, 4])
def test_gpu_set_of_trace__agents_do_not_fit__is_refused(agents: int) -> None:
    with pytest.raises(InvalidInput, match=f"{agents} agents for 3 containers"):
        gpu_set_of_trace(ClusterId(1), TRACE, (AGENTS * 2)[:agents])


def test_replay__measured__is_the_trace_and_nothing_is_down() -> None:
    gpus = gpu_set_of_trace(ClusterId(1), TRACE, AGENTS[:1], anchor_ms=ANCHOR_MS)
    end_ms = ANCHOR_MS + 3_600_000
    samples = Replay(TRACE, POWER, anchor_ms=ANCHOR_MS).between(0, end_ms)
    measured = measure(gpus, canonical_samples(samples, ANCHOR_MS, end_ms), ANCHOR_MS, end_ms)
    assert measured.contracted_ms == measured.available_ms == (1_140 + 840 + 1_140) * 1_000
    assert Fraction(measured.busy_bps_ms, 10**7) == 1_140 * Fraction(1, 2) + 840 * Fraction(
        255, 1_000
    )
    assert measured.energy_mj == (1_140 * 400 + 840 * 253 + 1_140 * 100) * 1_000
