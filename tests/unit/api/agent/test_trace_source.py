from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from api.agent.sources.trace import TraceSource, load_trace
from api.domain.replay import PowerModel, Replay
from api.errors import TraceRefused
from api.types import EnergySource

TEXT = "value,timestamp_anon,container_ip\n" + "".join(
    f"{index % 100},{600 + index * 60},{name}\n" for index in range(200) for name in "ab"
)
HOUR_MS = 3_600_000


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def source_of(tmp_path: Path, after_ms: int | None = None) -> TraceSource:
    trace = load_trace(written(tmp_path / "trace.csv", TEXT.encode()))
    return TraceSource(Replay(trace, PowerModel(100, 700), anchor_ms=HOUR_MS // 2), after_ms)


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz", "trace"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_load_trace__compressed_or_not_whatever_its_name__is_read(
    tmp_path: Path, name: str, is_compressed: bool
) -> None:
    content = gzip.compress(TEXT.encode()) if is_compressed else TEXT.encode()
    trace = load_trace(written(tmp_path / name, content))
    assert (trace.name, trace.rows, len(trace.series)) == (name, 400, 2)


def test_load_trace__no_file__is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TraceRefused, match=r"nowhere\.csv cannot be read"):
        load_trace(tmp_path / "nowhere.csv")


def test_load_trace__empty_file__is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceRefused, match="row 1: the file is empty"):
        load_trace(written(tmp_path / "trace.csv", b""))


def test_load_trace__cut_off__is_refused_with_a_row(tmp_path: Path) -> None:
    content = gzip.compress(TEXT.encode())
    with pytest.raises(TraceRefused, match="the compressed file is damaged") as refused:
        load_trace(written(tmp_path / "trace.csv.gz", content[:-20]))
    assert refused.value.row is not None


def test_load_trace__damaged__is_refused_with_a_row(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(TEXT.encode()))
    content[-8] ^= 0xFF
    with pytest.raises(TraceRefused, match="the compressed file is damaged") as refused:
        load_trace(written(tmp_path / "trace.csv.gz", bytes(content)))
    assert refused.value.row is not None


def test_load_trace__not_utf8__is_refused_with_a_row(tmp_path: Path) -> None:
    content = b"value,timestamp_anon,container_ip\n1,0,\xff\xfe\n"
    with pytest.raises(TraceRefused, match="not UTF-8") as refused:
        load_trace(written(tmp_path / "trace.csv", content))
    assert refused.value.row is not None


async def test_collect__before_the_start__gives_nothing(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    assert await source.collect(HOUR_MS // 2 - 1) is None
    assert source.energy_source is EnergySource.MODELLED


async def test_collect__as_the_clock_moves__gives_what_it_passed(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    start = HOUR_MS // 2
    counts = []
    for now_ms in (start, start + 59_999, start + 60_000, start + 60_000, start + 300_000):
        collected = await source.collect(now_ms)
        counts.append(None if collected is None else len(collected.samples))
        assert collected is None or collected.through_ms == now_ms
    assert counts == [2, 0, 2, None, 8]


async def test_collect__far_behind__gives_an_epoch_at_a_time(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    found = []
    while collected := await source.collect(5 * HOUR_MS):
        found.append((collected.through_ms, len(collected.samples)))
    # 200 minutes from 00:30; what lies on the edge is declared with it.
    assert found == [
        (HOUR_MS, 62),
        (2 * HOUR_MS, 120),
        (3 * HOUR_MS, 120),
        (4 * HOUR_MS, 98),
        (5 * HOUR_MS, 0),
    ]


async def test_collect__long_after_the_end__declares_it_in_one_piece(tmp_path: Path) -> None:
    source = source_of(tmp_path, after_ms=4 * HOUR_MS)
    collected = await source.collect(100_000 * HOUR_MS)
    assert collected is not None
    assert (collected.samples, collected.through_ms) == ([], 100_000 * HOUR_MS)


async def test_collect__started_again__goes_on_where_it_was(tmp_path: Path) -> None:
    first = source_of(tmp_path)
    before = await first.collect(HOUR_MS - 1_000)
    later = await first.collect(HOUR_MS)
    assert before is not None
    again = source_of(tmp_path, after_ms=before.through_ms)
    assert await again.collect(HOUR_MS) == later
    await again.close()


async def test_collect__clock_jumps_over_an_epochs_end__declares_the_end_first(
    tmp_path: Path,
) -> None:
    source = source_of(tmp_path)
    # Behind the last sample of the epoch, ten seconds before its end.
    await source.collect(HOUR_MS - 10_000)
    first = await source.collect(HOUR_MS + 290_000)
    assert first is not None
    assert first.through_ms == HOUR_MS
    then = await source.collect(HOUR_MS + 290_000)
    assert then is not None
    assert then.through_ms == HOUR_MS + 290_000
    assert {sample.at_ms for sample in first.samples} == {HOUR_MS}
    assert {sample.at_ms for sample in then.samples} == {
        HOUR_MS + minute * 60_000 for minute in range(1, 5)
    }
