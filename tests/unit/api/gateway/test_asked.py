"""What is asked for: its most, what is passed on, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.errors import InvalidInput
from api.gateway.asked import MAX_ANSWERS, Asked, Endpoint
from api.gateway.metering import Usage

CHAT, COMPLETIONS, EMBEDDINGS = Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS
HI = [{"role": "user", "content": "hi"}]
AROUND = 32


def asked(endpoint: Endpoint, **fields: Any) -> Asked:
    return Asked.parse(endpoint, json.dumps({"model": "m"} | fields).encode(), 100)


def passed_on(one: Asked) -> Any:
    return json.loads(one.for_upstream("own", is_counted=True))


@pytest.mark.parametrize(
    ("endpoint", "fields", "most"),
    [
        (CHAT, {"messages": HI}, Usage(AROUND + 16 + len("userhi"), 100)),
        (CHAT, {"messages": HI, "n": 3, "max_tokens": 5}, Usage(AROUND + 16 + 6, 15)),
        (COMPLETIONS, {"prompt": "ü"}, Usage(AROUND + 16 + 2, 100)),
        (COMPLETIONS, {"prompt": ["a"] * 20, "max_tokens": 7}, Usage(AROUND + 20 * 17, 140)),
        (COMPLETIONS, {"prompt": [1] * 500}, Usage(AROUND + 16 + 500, 100)),
        (COMPLETIONS, {"prompt": [[1] * 500] * 2}, Usage(AROUND + 32 + 1_000, 200)),
        (EMBEDDINGS, {"input": [[1] * 100_000]}, Usage(AROUND + 16 + 100_000, 0)),
        (EMBEDDINGS, {"input": "a"}, Usage(AROUND + 16 + 1, 0)),
    ],
)
def test_most__every_form__counts_all_that_is_read_and_made(
    endpoint: Endpoint, fields: dict[str, Any], most: Usage
) -> None:
    assert asked(endpoint, **fields).most() == most


def test_most__tools__their_names_are_read_too() -> None:
    tools = [{"type": "function", "function": {"parameters": {"x" * 10_000: {}}}}]
    assert asked(CHAT, messages=HI, tools=tools).most().input > 10_000


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, 100),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6, "max_tokens": 5}, 6),
        ({"max_completion_tokens": None, "max_tokens": 5}, 5),
    ],
)
@pytest.mark.parametrize("endpoint", [CHAT, COMPLETIONS])
def test_for_upstream__any_limit__one_that_every_server_knows(
    endpoint: Endpoint, fields: dict[str, Any], limit: int
) -> None:
    prompt: dict[str, Any] = {"messages": HI} if endpoint is CHAT else {"prompt": "hi"}
    one = asked(endpoint, **prompt, **fields)
    assert one.max_tokens == limit
    assert passed_on(one) == prompt | {"model": "own", "max_tokens": limit}


def test_for_upstream__stream__is_to_tell_its_usage() -> None:
    one = asked(CHAT, messages=HI, stream=True, user="me")
    assert passed_on(one)["stream_options"] == {"include_usage": True}
    assert "user" not in passed_on(one)
    own = json.loads(one.for_upstream("own", is_counted=False))
    assert own["stream_options"]["continuous_usage_stats"] is True


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        (CHAT, {}),
        (CHAT, {"messages": []}),
        (CHAT, {"messages": "hi"}),
        (CHAT, {"messages": [[]]}),
        (CHAT, {"messages": HI * 5_000}),
        (CHAT, {"messages": HI, "prompt_embeds": "x"}),
        (CHAT, {"messages": HI, "stream": "yes"}),
        (CHAT, {"messages": HI, "max_tokens": 0}),
        (CHAT, {"messages": HI, "max_tokens": 1.5}),
        (CHAT, {"messages": HI, "max_tokens": 10**7}),
        (CHAT, {"messages": HI, "n": MAX_ANSWERS + 1}),
        (CHAT, {"messages": HI, "top_logprobs": 1_000}),
        (CHAT, {"messages": HI, "model": "m" * 129}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
        (COMPLETIONS, {"prompt": ["a"] * 40, "n": 2}),
        (COMPLETIONS, {"prompt": ["a"] * (MAX_ANSWERS + 1)}),
        (COMPLETIONS, {"prompt": [1.5]}),
        (COMPLETIONS, {"prompt": "a", "best_of": 4}),
        (EMBEDDINGS, {"input": "a", "stream": True}),
        (EMBEDDINGS, {"input": [{"a": 1}, 5]}),
    ],
)
def test_parse__what_is_not_served__refused(endpoint: Endpoint, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        asked(endpoint, **fields)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"a"', b'{"model": 1}'])
def test_parse__no_request__refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        Asked.parse(CHAT, body, 100)
