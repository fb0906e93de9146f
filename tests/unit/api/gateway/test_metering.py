"""What is charged when an upstream tells the truth, lies, or breaks off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.domain.tokens import count_tokens
from api.errors import UpstreamFault
from api.gateway.metering import CountTokens, Meter, Prompt, Usage

MOST = Usage(100, 50)
PROMPT = Prompt(("five six seven eight nine",), 0, 1)
TEXT = "one two three four"


def meter_of(count: CountTokens | None) -> Meter:
    return Meter(PROMPT, MOST, count)


def event(text: str | None = None, usage: tuple[int, int] | None = None) -> bytes:
    shape: dict[str, Any] = {"choices": []}
    if text is not None:
        shape["choices"] = [{"index": 0, "delta": {"content": text}}]
    if usage is not None:
        shape["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return json.dumps(shape).encode()


def answer(text: str, usage: object) -> bytes:
    return json.dumps(
        {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}
    ).encode()


def usage(read: object, made: object) -> dict[str, object]:
    return {"prompt_tokens": read, "completion_tokens": made}


@pytest.mark.parametrize(
    ("claimed", "counted", "charged", "is_overclaimed"),
    [
        ((10, 4), True, Usage(10, 4), False),
        ((10, 40), True, Usage(10, 4), True),
        ((10, 3), True, Usage(10, 3), False),
        ((10, 40), False, Usage(10, len(TEXT)), True),
        ((10**6, 4), False, Usage(100, 4), True),
        ((10**6, 4), True, Usage(5 + 32 + 16, 4), True),
    ],
)
def test_total__claims__cut_to_what_can_be(
    claimed: tuple[int, int], counted: bool, charged: Usage, is_overclaimed: bool
) -> None:
    meter = meter_of(count_tokens if counted else None)
    meter.take_answer(answer(TEXT, usage(*claimed)))
    assert meter.total() == charged
    assert meter.is_overclaimed() is is_overclaimed


def test_total__nothing_said_and_forty_claimed__nothing_charged() -> None:
    meter = meter_of(None)
    meter.take_answer(answer("", usage(10, 40)))
    assert meter.total() == Usage(10, 0)


@pytest.mark.parametrize(("count", "charged"), [(count_tokens, Usage(5, 4)), (None, Usage(0, 2))])
def test_total__stream_cut_off__what_went_in_and_came_out_is_charged(
    count: CountTokens | None, charged: Usage
) -> None:
    meter = meter_of(count)
    for text in ("one two", " three four"):
        assert not meter.take_event(event(text))
    assert meter.total() == meter.so_far() == charged


def test_total__tokens_given_in_pieces__the_claim_counts() -> None:
    meter = meter_of(None)
    for _ in range(40):
        meter.take_event(event("x"))
    meter.take_event(event(usage=(7, 10)))
    assert meter.total() == Usage(7, 10)


def test_so_far__while_it_streams__never_above_the_total() -> None:
    meter = meter_of(count_tokens)
    for number, text in enumerate(["one", " two", " three"], start=1):
        meter.take_event(event(text))
        assert meter.so_far() == Usage(5, number)
    assert meter.take_event(event(usage=(7, 3)))
    assert meter.so_far() == meter.total() == Usage(7, 3)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"choices": []}', answer(TEXT, usage("1", 2)),
                                  answer(TEXT, usage(-1, 2)), answer(TEXT, usage(1.5, 2)),
                                  answer(TEXT, usage(True, 2))])  # fmt: skip
def test_take_answer__makes_no_sense__is_the_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamFault):
        meter_of(None).take_answer(body)


def test_take_event__calls_and_thoughts__are_what_came_out() -> None:
    meter = meter_of(count_tokens)
    delta = {"tool_calls": [{"function": {"name": "add", "arguments": "one two"}}]}
    meter.take_event(json.dumps({"choices": [{"delta": delta}]}).encode())
    meter.take_event(json.dumps({"choices": [{"delta": {"reasoning_content": "so"}}]}).encode())
    assert meter.total().output >= 3


def test_total__nothing_said_and_nothing_claimed__costs_nothing() -> None:
    meter = meter_of(count_tokens)
    assert meter.so_far() == meter.total() == Usage(0, 0)


def test_total__embeddings__what_went_in_is_charged() -> None:
    meter = meter_of(count_tokens)
    meter.take_answer(json.dumps({"data": [], "usage": {"prompt_tokens": 5}}).encode())
    assert meter.total() == Usage(5, 0)
