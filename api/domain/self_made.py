"""Small series that Rackstream makes itself, for machines without a recorded trace.

They are invented: named `self-made` wherever they are shown, the same at every run, and shaped like
the real thing: for GPUs a daily wave, bursts, containers that come late, leave early and miss
samples; for requests bursts, prompts of all lengths and mostly short answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from api.domain.llm_trace import LlmRequest, LlmTrace
from api.domain.trace import COLUMNS, Trace, read_trace
from api.errors import OutOfRange

SELF_MADE = "self-made"

_SEED = 20_240_229
_START = 1_700_000_000
_DAY_SECONDS = 86_400


def self_made_rows(gpus: int = 24, hours: int = 24, interval_seconds: int = 60) -> Iterator[str]:
    """The lines of the series as a CSV file, header first.

    Args:
        gpus: 1 to 10,000 containers.
        hours: 1 to 8,760.
        interval_seconds: Between samples, 1 to 300.

    Raises:
        OutOfRange: An argument is outside its range.
    """
    for name, value, maximum in (
        ("gpus", gpus, 10_000),
        ("hours", hours, 8_760),
        ("interval_seconds", interval_seconds, 300),
    ):
        if not 1 <= value <= maximum:
            raise OutOfRange(name, value, 1, maximum)
    return _rows(gpus, hours * 3_600 // interval_seconds, interval_seconds)


def self_made_trace(gpus: int = 24, hours: int = 24, interval_seconds: int = 60) -> Trace:
    """The series as a trace named `self-made`. Raises OutOfRange as `self_made_rows` does."""
    return read_trace(self_made_rows(gpus, hours, interval_seconds), SELF_MADE)


def self_made_llm_trace(requests: int = 600, seconds: int = 300) -> LlmTrace:
    """Requests to a language model, as a trace named `self-made`.

    Args:
        requests: 1 to 1,000,000.
        seconds: From the first to after the last, 1 to 86,400.

    Raises:
        OutOfRange: An argument is outside its range.
    """
    for name, value, maximum in (("requests", requests, 1_000_000), ("seconds", seconds, 86_400)):
        if not 1 <= value <= maximum:
            raise OutOfRange(name, value, 1, maximum)
    chance = Random(_SEED)  # noqa: S311 - invented data, nothing secret
    span_us = seconds * 1_000_000
    at_us = sorted(_arrivals(chance, requests, span_us))
    return LlmTrace(
        SELF_MADE,
        tuple(
            # The product of two numbers that are equally likely is mostly small.
            LlmRequest(
                at - at_us[0],
                3 + chance.randrange(90) * chance.randrange(80),
                6 + chance.randrange(12) * chance.randrange(12) * chance.randrange(1, 3),
            )
            for at in at_us
        ),
    )


def _arrivals(chance: Random, requests: int, span_us: int) -> Iterator[int]:
    """Half of them at any time, half within a second after one of a few instants."""
    bursts = [chance.randrange(span_us) for _ in range(max(requests // 40, 1))]
    for number in range(requests):
        if number % 2:
            yield chance.randrange(span_us)
        else:
            yield min(chance.choice(bursts) + chance.randrange(1_000_000), span_us - 1)


def _rows(gpus: int, ticks: int, interval: int) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\n"
    for gpu in range(gpus):
        chance = Random(_SEED + gpu)  # noqa: S311 - invented data, nothing secret
        # Every fifth container comes after the start and leaves before the end.
        comes, leaves = (ticks // 8, ticks - ticks // 6) if gpu % 5 == 4 else (0, ticks)
        silent_until = burst_until = 0
        for tick in range(comes, leaves + 1):
            if chance.random() < 0.0005:
                silent_until = tick + chance.randrange(2, 8)
            if chance.random() < 0.01:
                burst_until = tick + chance.randrange(5, 40)
            # A triangle between 15 and 65 over the day, in hundredths of a percent: integers, so
            # that every machine makes the same series.
            phase = (tick * interval + gpu * 600) % _DAY_SECONDS
            wave = 1_500 + 5_000 * min(phase, _DAY_SECONDS - phase) * 2 // _DAY_SECONDS
            busy = wave + chance.randrange(-1_200, 1_201) + (2_500 if tick < burst_until else 0)
            if tick in (comes, leaves) or tick >= silent_until:
                busy = min(max(busy, 0), 10_000)
                seconds = _START + tick * interval
                yield f"{busy // 100}.{busy % 100:02},{seconds},{SELF_MADE}-gpu-{gpu:05}\n"
