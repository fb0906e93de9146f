from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.codec import gpu_id_of
from api.domain.trace import Trace, TraceSeries, read_trace
from api.errors import TraceRefused
from tests.support.search import searched

HEADER = "value,timestamp_anon,container_ip\n"


def trace_of(*rows: tuple[object, object, object], header: str = HEADER) -> Trace:
    return read_trace([header, *(f"{v},{t},{c}\n" for v, t, c in rows)], "test")


def regular(identity: str, interval: int, count: int, start: int = 0) -> list[tuple[Any, ...]]:
    return [(50, start + interval * index, identity) for index in range(count)]


def refusal(*lines: str) -> TraceRefused:
    with pytest.raises(TraceRefused) as refused:
        read_trace(lines, "test")
    return refused.value


def test_read_trace__a_file__is_its_series_by_identity() -> None:
    trace = trace_of((0.5, 60.25, "b"), (99.999, 120.25, "b"), (0, 0, "a"), (100, 60, "a"))
    assert [one.identity for one in trace.series] == ["a", "b"]
    assert list(trace.series[1].at_ms) == [60_250, 120_250]
    assert list(trace.series[1].busy_bps) == [50, 10_000]
    assert trace.series[0].gpu_id == gpu_id_of("a")
    assert (trace.start_ms, trace.end_ms, trace.samples) == (0, 120_250, 4)
    assert (trace.rows, trace.repeated_rows, trace.left_out) == (4, 0, ())
    assert trace.interval_ms == 60_000


@st.composite
def shuffled_files(draw: st.DrawFn) -> tuple[list[str], dict[str, dict[int, int]], int]:
    """Lines in any order with repetitions; what they say; how many are repetitions."""
    said: dict[str, dict[int, int]] = {
        identity: draw(
            st.dictionaries(
                st.integers(0, 200).map(lambda tick: tick * 57_000),
                st.integers(0, 10_000),
                min_size=2,
                max_size=20,
            )
        )
        for identity in draw(st.sets(st.text("abcxyz0", min_size=1, max_size=5), min_size=1))
    }
    rows = [
        f"{identity},{bps // 100}.{bps % 100:02},{at // 1_000}\n"
        for identity, samples in said.items()
        for at, bps in samples.items()
    ]
    repeated = draw(st.lists(st.sampled_from(rows), max_size=5))
    lines = draw(st.permutations(rows + repeated))
    return ["container_ip,value,timestamp_anon\n", *lines], said, len(repeated)


@pytest.mark.property
@searched(100)
@given(shuffled_files())
def test_read_trace__any_order_and_repetition__says_the_same(
    file: tuple[list[str], dict[str, dict[int, int]], int],
) -> None:
    lines, said, repeated = file
    trace = read_trace(lines, "test")
    assert trace.repeated_rows == repeated
    assert trace.rows == len(lines) - 1
    found = {one.identity: dict(zip(one.at_ms, one.busy_bps, strict=True)) for one in trace.series}
    assert found.keys() == said.keys()
    for identity, samples in said.items():
        # Where the common gap is longer than can be registered, samples were added between.
        assert samples.items() <= found[identity].items()
        assert set(found[identity].values()) == set(samples.values())


def test_read_trace__columns_in_any_order_with_others__finds_them_by_name() -> None:
    lines = ["note,container_ip,value,timestamp_anon\n", "x,a,1,0\n", "y,a,2,60\n"]
    assert list(read_trace(lines, "test").series[0].busy_bps) == [100, 200]


def test_read_trace__byte_order_mark_quotes_and_empty_lines__is_read() -> None:
    lines = ["\ufeffvalue,timestamp_anon,container_ip\r\n", '"1","0","a"\r\n', "\r\n", "2,60, a \n"]
    assert [one.identity for one in read_trace(lines, "test").series] == ["a"]


@pytest.mark.parametrize(
    ("lines", "row", "rule"),
    [
        ([], 1, "the file is empty"),
        ([HEADER], 2, "no row of data"),
        (["value,container_ip\n"], 1, "column timestamp_anon is there 0 times"),
        (["value,value,timestamp_anon,container_ip\n"], 1, "column value is there 2 times"),
        ([HEADER, "1,0,a\n", "1,60\n"], 3, "2 fields, the header has 3"),
        ([HEADER, "1,0,a\n", "1,60,a,b\n"], 3, "4 fields, the header has 3"),
        ([HEADER, "1,0,a\n", "x,60,a\n"], 3, "value 'x' is not a number"),
        ([HEADER, ",0,a\n"], 2, "value '' is not a number"),
        ([HEADER, "1_0,0,a\n"], 2, "value '1_0' is not a number"),
        ([HEADER, "0x1,0,a\n"], 2, "value '0x1' is not a number"),
        ([HEADER, "１,0,a\n"], 2, "is not a number"),
        ([HEADER, "nan,0,a\n"], 2, "value 'nan' is not finite"),
        ([HEADER, "-Infinity,0,a\n"], 2, "value '-Infinity' is not finite"),
        ([HEADER, "1,inf,a\n"], 2, "timestamp_anon 'inf' is not finite"),
        ([HEADER, "1,NaN,a\n"], 2, "timestamp_anon 'NaN' is not finite"),
        ([HEADER, "100.01,0,a\n"], 2, "value '100.01' is outside 0 to 100"),
        ([HEADER, "-0.01,0,a\n"], 2, "value '-0.01' is outside 0 to 100"),
        ([HEADER, "1,-1,a\n"], 2, "timestamp_anon '-1' is outside 0 to"),
        ([HEADER, "1,1e999999,a\n"], 2, "timestamp_anon '1e999999' is outside"),
        ([HEADER, "1,1662858720000,a\n"], 2, "timestamp_anon '1662858720000' is outside"),
        ([HEADER, "1,0,\n"], 2, "container_ip has 0 characters"),
        ([HEADER, "1,0,   \n"], 2, "container_ip has 0 characters"),
        ([HEADER, f"1,0,{'x' * 257}\n"], 2, "container_ip has 257 characters, .* 256"),
        ([HEADER, "1,0,a\n", "2,60,a\n", "1,0,b\n", "3,60,a\n"], 5, "contradicts row 3"),
        ([HEADER, '1,0,"a\n'], 2, "not CSV"),
        ([HEADER, "1,0,a\0\n"], 2, "container_ip .* characters that cannot be printed"),
    ],
)
def test_read_trace__malformed__is_refused_with_row_and_rule(
    lines: list[str], row: int, rule: str
) -> None:
    refused = refusal(*lines)
    assert refused.row == row
    with pytest.raises(TraceRefused, match=rule):
        raise refused


def test_read_trace__contradiction__names_container_instant_and_both_values() -> None:
    refused = refusal(HEADER, "1,0,a\n", "2.5,60,a\n", "3,60,a\n")
    assert str(refused) == (
        "row 4: contradicts row 3: container a at 60000 ms is 250 and 300 basis points busy"
    )


def test_read_trace__container_with_one_sample__is_left_out_by_name() -> None:
    trace = trace_of(*regular("a", 60, 5), (1, 0, "once"), (1, 0, "once"))
    assert [one.identity for one in trace.series] == ["a"]
    assert trace.left_out == ("once",)
    assert trace.repeated_rows == 1


def test_read_trace__only_single_samples__is_refused() -> None:
    with pytest.raises(TraceRefused, match="none of 2 containers has two samples"):
        trace_of((1, 0, "a"), (1, 60, "b"))


def test_interval__gaps_of_several_lengths__is_the_most_common() -> None:
    rows = [(1, at, "a") for at in (0, 57, 114, 171, 342, 399, 1_000, 1_057)]
    assert trace_of(*rows).interval_ms == 57_000


def test_interval__container_of_another_rhythm__has_its_own() -> None:
    trace = trace_of(*regular("a", 60, 100), *regular("b", 30, 30), *regular("c", 200, 4))
    assert {one.identity: one.interval_ms for one in trace.series} == {
        "a": 60_000,
        "b": 30_000,
        "c": 60_000,  # too few gaps to have a rhythm
    }


def test_interval__two_gaps_equally_common__is_the_shorter() -> None:
    assert trace_of(*((1, at, "a") for at in (0, 90, 180, 210, 240))).interval_ms == 30_000


def test_interval__jitter_of_milliseconds__is_their_middle() -> None:
    moments = [index * 57 + (index * 7 % 11 - 5) / 100 for index in range(200)]
    interval = trace_of(*((1, moment + 1, "a") for moment in moments)).series[0].interval_ms
    assert abs(interval - 57_000) <= 100


def test_interval__below_a_second__is_a_second() -> None:
    trace = trace_of(*((1, index / 10, "a") for index in range(50)))
    assert trace.series[0].interval_ms == 1_000
    assert trace.samples == 50


@pytest.mark.parametrize("interval", [301, 600, 1_000, 86_400])
def test_interval__longer_than_can_be_registered__is_held_in_pieces(interval: int) -> None:
    series = trace_of(*regular("a", interval, 20)).series[0]
    assert 1_000 <= series.interval_ms <= 300_000
    assert (series.from_ms, series.until_ms) == (0, interval * 19_000)
    # Nothing of the time is lost, and no piece is a gap.
    covered = sum(series.cover_ms(index) for index in range(len(series.at_ms) - 1))
    assert covered == interval * 19_000


def test_interval__held_and_a_sample_missing__leaves_the_gap() -> None:
    rows = [row for row in regular("a", 600, 20) if row[1] != 6_000]
    series = trace_of(*rows).series[0]
    covered = sum(series.cover_ms(index) for index in range(len(series.at_ms) - 1))
    assert covered == 18 * 600_000


def test_interval__held_and_a_sample_late__covers_until_it_comes() -> None:
    rows = [(v, t + 200 if t >= 6_000 else t, c) for v, t, c in regular("a", 600, 20)]
    series = trace_of(*rows).series[0]
    covered = sum(series.cover_ms(index) for index in range(len(series.at_ms) - 1))
    assert covered == series.until_ms == 19 * 600_000 + 200_000


def test_interval__more_than_a_day__is_refused() -> None:
    with pytest.raises(TraceRefused, match="gap is 86401000 ms, at most 86400000"):
        trace_of(*regular("a", 86_401, 3))


def test_part__of_several_agents__is_every_nth_container() -> None:
    trace = trace_of(*(row for name in "edcba" for row in regular(name, 60, 2)))
    parts = [trace.part(number, 3) for number in range(3)]
    assert [[one.identity for one in part] for part in parts] == [["a", "d"], ["b", "e"], ["c"]]


def test_cover_ms__by_gap__is_the_gap_up_to_one_and_a_half_intervals() -> None:
    series = TraceSeries("a", array("q", [0, 150, 301]), array("H", [1, 1, 1]), 100)
    assert [series.cover_ms(index) for index in range(3)] == [150, 100, 100]
