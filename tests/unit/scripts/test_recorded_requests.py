"""Which recorded requests are sent again, and in which hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.domain.llm_trace import LlmRequest, LlmTrace
from api.errors import TraceRefused
from scripts._lib.recorded_requests import MAX_TOKENS, load_llm_trace, plan_requests


def trace(*requests: LlmRequest) -> LlmTrace:
    return LlmTrace("a.csv", requests)


SECONDLY = trace(*(LlmRequest(second * 10**6, second + 1, 1) for second in range(3_600)))


def test_plan_requests__an_hour_over_a_day__stretched_evenly_and_in_order() -> None:
    plan = plan_requests(SECONDLY, 24, 50)
    assert [len(hour) for hour in plan.hours] == [50] * 24
    taken = [request.context_tokens for request in plan.requests]
    assert taken == list(range(1, 3_601, 3))
    assert (plan.name, plan.recorded, plan.left_out) == ("a.csv", 3_600, 0)


def test_plan_requests__a_burst_and_silence__keep_their_places() -> None:
    burst = [LlmRequest(at, 1, 1) for at in range(10)]
    plan = plan_requests(trace(*burst, LlmRequest(4 * 10**6, 2, 1)), 4, 100)
    assert [len(hour) for hour in plan.hours] == [10, 0, 0, 1]


def test_plan_requests__fewer_than_wanted__all_of_them_once() -> None:
    assert len(plan_requests(SECONDLY, 1, 10_000).requests) == 3_600


def test_plan_requests__one_request__is_in_the_first_hour() -> None:
    assert [len(hour) for hour in plan_requests(trace(LlmRequest(0, 1, 1)), 3, 1).hours] == [
        1,
        0,
        0,
    ]


def test_plan_requests__longer_than_the_model_takes__left_out_and_counted() -> None:
    fits, long = LlmRequest(0, MAX_TOKENS - 1, 1), LlmRequest(1, MAX_TOKENS, 1)
    plan = plan_requests(trace(fits, long), 1, 10)
    assert plan.requests == (fits,)
    assert (plan.recorded, plan.left_out) == (2, 1)


def test_plan_requests__nothing_fits__refused() -> None:
    with pytest.raises(TraceRefused, match=f"at most {MAX_TOKENS} tokens"):
        plan_requests(trace(LlmRequest(0, MAX_TOKENS, 1)), 1, 10)


def test_load_llm_trace__no_file__is_the_series_that_says_it_is_self_made(tmp_path: Path) -> None:
    assert load_llm_trace(None).name == "self-made"
    file = tmp_path / "requests.csv"
    file.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,7,2\n")
    assert load_llm_trace(file) == LlmTrace("requests.csv", (LlmRequest(0, 7, 2),))
