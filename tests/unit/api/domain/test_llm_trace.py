from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.llm_trace import MAX_TOKENS, LlmRequest, read_llm_trace
from api.domain.self_made import self_made_llm_trace
from api.domain.tokens import PromptSource, count_tokens
from api.errors import OutOfRange, TraceRefused
from api.files import trace_lines
from tests.support.search import searched

ROOT = Path(__file__).parents[4]
FILE = Path(
    os.environ.get("RACKSTREAM_LLM_TRACE")
    or ROOT.parent / "shared" / "data" / "llm_requests_code.csv.gz"
)

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
FIRST = "2023-11-16 18:17:03.9799600,4808,10\n"
SECOND = "2023-11-16 18:17:04.0319600,3180,8\n"


def test_read_llm_trace__a_file__is_its_requests_from_the_first_on() -> None:
    trace = read_llm_trace([HEADER, FIRST, SECOND], "a.csv")
    assert trace.name == "a.csv"
    assert trace.requests == (LlmRequest(0, 4808, 10), LlmRequest(52_000, 3180, 8))
    assert (trace.span_us, trace.context_tokens, trace.generated_tokens) == (52_000, 7_988, 18)


def test_read_llm_trace__rows_and_columns_in_any_order__says_the_same() -> None:
    lines = [
        "\ufeffother,GeneratedTokens, ContextTokens,TIMESTAMP\n",
        "x,8,3180,2023-11-16T18:17:04.03196Z\n",
        "x,10,4808,2023-11-16 18:17:03.979960\n",
        "\n",
    ]
    expected = read_llm_trace([HEADER, FIRST, SECOND], "").requests
    assert read_llm_trace(lines, "").requests == expected


def test_read_llm_trace__two_at_one_instant__keep_their_order() -> None:
    lines = [HEADER, "2024-01-01 00:00:00,5,1\n", "2024-01-01 00:00:00,4,1\n"]
    assert [one.context_tokens for one in read_llm_trace(lines, "").requests] == [5, 4]


@pytest.mark.property
@searched(200)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    st.timedeltas(timedelta(0), timedelta(days=31)),
)
def test_read_llm_trace__any_two_instants__are_as_far_apart_as_the_calendar_says(
    first: datetime, gap: timedelta
) -> None:
    lines = [HEADER, f"{first},1,1\n", f"{first + gap},1,1\n"]
    assert read_llm_trace(lines, "").span_us == gap // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("2023-11-16,4808,10", "is not YYYY-MM-DD"),
        ("yesterday,4808,10", "is not YYYY-MM-DD"),
        ("2023-02-29 00:00:00,1,1", "in no calendar"),
        ("2100-02-29 00:00:00,1,1", "in no calendar"),
        ("2023-13-01 00:00:00,1,1", "in no calendar"),
        ("2023-00-01 00:00:00,1,1", "in no calendar"),
        ("2023-01-00 00:00:00,1,1", "in no calendar"),
        ("2023-01-01 24:00:00,1,1", "in no calendar"),
        ("2023-01-01 00:00:60,1,1", "in no calendar"),
        ("2023-11-16 18:17:04,-1,10", "ContextTokens '-1' is no whole number"),
        ("2023-11-16 18:17:04,1.5,10", "ContextTokens '1.5' is no whole number"),
        ("2023-11-16 18:17:04,,10", "ContextTokens '' is no whole number"),
        ("2023-11-16 18:17:04,0,10", "ContextTokens 0 is outside 1 to"),
        (f"2023-11-16 18:17:04,1,{MAX_TOKENS + 1}", "GeneratedTokens 1000001 is outside"),
        ("2023-11-16 18:17:04,1", "2 fields, the header has 3"),
        ("2023-11-16 18:17:04,1,1,1", "4 fields, the header has 3"),
        ('2023-11-16 18:17:04,"1"x,1', "not CSV"),
    ],
)
def test_read_llm_trace__malformed__is_refused_with_row_and_rule(row: str, rule: str) -> None:
    with pytest.raises(TraceRefused) as refused:
        read_llm_trace([HEADER, FIRST, f"{row}\n", SECOND], "")
    assert refused.value.row == 3
    assert rule in refused.value.rule


@pytest.mark.parametrize(
    ("lines", "row", "rule"),
    [
        ([], 1, "empty"),
        ([HEADER], 2, "no row of data"),
        (["TIMESTAMP,ContextTokens\n"], 1, "GeneratedTokens is there 0 times"),
        (["TIMESTAMP,TIMESTAMP,ContextTokens,GeneratedTokens\n"], 1, "TIMESTAMP is there 2 times"),
        ([HEADER, "2023-01-01 00:00:00,1,1\n", "2023-02-01 00:00:01,1,1\n"], None, "it spans"),
    ],
)
def test_read_llm_trace__not_a_trace__is_refused(
    lines: list[str], row: int | None, rule: str
) -> None:
    with pytest.raises(TraceRefused, match=rule) as refused:
        read_llm_trace(lines, "")
    assert refused.value.row == row


@pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not on this machine")
def test_read_llm_trace__recorded_file__is_as_pandas_reads_it() -> None:
    frame = pd.read_csv(FILE, parse_dates=["TIMESTAMP"])
    trace = read_llm_trace(trace_lines(FILE), FILE.name)
    assert len(trace.requests) == len(frame)
    assert trace.context_tokens == frame.ContextTokens.sum()
    assert trace.generated_tokens == frame.GeneratedTokens.sum()
    ordered = frame.sort_values("TIMESTAMP", kind="stable")
    assert [one.context_tokens for one in trace.requests] == ordered.ContextTokens.tolist()
    instants = ordered.TIMESTAMP.astype("int64") // 1_000
    assert [one.at_us for one in trace.requests] == (instants - instants.iloc[0]).tolist()


def test_self_made_llm_trace__as_it_is__says_so_and_is_always_the_same() -> None:
    trace = self_made_llm_trace()
    assert trace == self_made_llm_trace()
    assert (trace.name, len(trace.requests)) == ("self-made", 600)
    assert trace.requests[0].at_us == 0
    assert 250_000_000 < trace.span_us < 300_000_000
    assert all(
        before.at_us <= after.at_us
        for before, after in zip(trace.requests, trace.requests[1:], strict=False)
    )
    # As in the recorded ones: long prompts, short answers.
    assert 1_000 < trace.context_tokens // 600 < 3_000
    assert 20 < trace.generated_tokens // 600 < 80
    assert min(one.generated_tokens for one in trace.requests) >= 6


@pytest.mark.parametrize(("requests", "seconds"), [(0, 1), (1, 0), (1_000_001, 1), (1, 86_401)])
def test_self_made_llm_trace__out_of_range__is_refused(requests: int, seconds: int) -> None:
    with pytest.raises(OutOfRange):
        self_made_llm_trace(requests, seconds)


def test_prompts__of_a_trace__have_its_tokens() -> None:
    source = PromptSource.of((ROOT / "api" / "domain" / "README.md").read_text(encoding="utf-8"))
    for number, request in enumerate(self_made_llm_trace(50).requests):
        prompt = source.prompt(number, request.context_tokens)
        assert count_tokens(prompt) == request.context_tokens
