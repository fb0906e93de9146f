"""Which of a trace's requests to a language model are sent again, and in which hour.

A recorded trace is often of one busy hour. As many requests as are wanted are taken evenly from all
of it, and its time is stretched over the hours that are replayed: their order, their lengths and
the course of the whole are the recorded ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api.domain.llm_trace import LlmRequest, LlmTrace, read_llm_trace
from api.domain.self_made import self_made_llm_trace
from api.errors import TraceRefused
from api.files import trace_lines

MAX_TOKENS = 32_768
"""Of a request and its answer together: what the model takes."""


@dataclass(frozen=True)
class RequestPlan:
    """What is sent again.

    Attributes:
        name: The trace's.
        hours: The requests of each hour, in their order.
        recorded: How many the trace has.
        left_out: How many of them are longer than the model takes.
    """

    name: str
    hours: tuple[tuple[LlmRequest, ...], ...]
    recorded: int
    left_out: int

    @property
    def requests(self) -> tuple[LlmRequest, ...]:
        """All of them, in their order."""
        return tuple(request for hour in self.hours for request in hour)


def load_llm_trace(path: Path | None) -> LlmTrace:
    """The trace in a CSV file, compressed with gzip or not; without one the self-made series.

    Raises:
        TraceRefused: The file cannot be read, or is malformed: with the row and the rule.
    """
    return self_made_llm_trace() if path is None else read_llm_trace(trace_lines(path), path.name)


def plan_requests(trace: LlmTrace, hours: int, an_hour: int) -> RequestPlan:
    """`an_hour` requests for each of so many hours, on average; all of the trace if it has fewer.

    Raises TraceRefused: No request is short enough for the model.
    """
    possible = [
        one for one in trace.requests if one.context_tokens + one.generated_tokens <= MAX_TOKENS
    ]
    if not possible:
        raise TraceRefused(
            f"no request and its answer have at most {MAX_TOKENS} tokens", limit=MAX_TOKENS
        )
    count = min(hours * an_hour, len(possible))
    places: list[list[LlmRequest]] = [[] for _ in range(hours)]
    for number in range(count):
        request = possible[number * len(possible) // count]
        places[request.at_us * hours // (trace.span_us + 1)].append(request)
    return RequestPlan(
        trace.name,
        tuple(map(tuple, places)),
        len(trace.requests),
        len(trace.requests) - len(possible),
    )
