from __future__ import annotations

import hashlib

import pytest

from api.domain.self_made import self_made_rows, self_made_trace
from api.errors import OutOfRange


def test_self_made_trace__default__is_named_and_shaped_like_a_cluster() -> None:
    trace = self_made_trace()
    assert trace.name == "self-made"
    assert len(trace.series) == 24
    assert {one.interval_ms for one in trace.series} == {60_000}
    assert all("self-made" in one.identity for one in trace.series)
    assert trace.end_ms - trace.start_ms == 86_400_000
    # Some come late, some miss samples, all are busy at times.
    assert sum(one.from_ms > trace.start_ms for one in trace.series) == 4
    assert 0 < 24 * 1_441 - 4 * (180 + 240) - trace.samples < 1_000
    assert all(0 < max(one.busy_bps) <= 10_000 for one in trace.series)


def test_self_made_rows__on_any_machine__are_the_same() -> None:
    text = "".join(self_made_rows())
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "788051978fb9dc36aa4ef90d92e0001564d1d72f75bf3df3fa2277bad9a8baa7"
    )


def test_self_made_trace__other_sizes__are_those() -> None:
    trace = self_made_trace(gpus=3, hours=2, interval_seconds=30)
    assert len(trace.series) == 3
    assert trace.interval_ms == 30_000
    assert trace.end_ms - trace.start_ms == 7_200_000


@pytest.mark.parametrize("change", [{"gpus": 0}, {"hours": 0}, {"interval_seconds": 301}])
def test_self_made_rows__out_of_range__is_refused_by_name(change: dict[str, int]) -> None:
    with pytest.raises(OutOfRange, match=next(iter(change))):
        self_made_rows(**change)
