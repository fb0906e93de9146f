"""The process as OpenAI's own client and plain HTTP see it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from api.domain.tokens import MESSAGE_TOKENS, count_tokens
from tests.support.ngram import ROOT, NgramProcess

MODEL = "rackstream-ngram"
QUESTION: list[Any] = [{"role": "user", "content": "What is a voucher?"}]
CONTEXT = 2_000


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NgramProcess]:
    folder = tmp_path_factory.mktemp("ngram")
    process = NgramProcess(folder, corpus=ROOT / "contracts", context_tokens=CONTEXT).start()
    yield process
    process.stop()


@pytest.fixture
def client(process: NgramProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{process.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(process: NgramProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"{process.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def test_models__of_the_process__is_the_one_by_its_honest_name(client: openai.OpenAI) -> None:
    models = client.models.list().data
    assert [model.id for model in models] == [MODEL]
    assert abs(models[0].created - time.time()) < 600


def test_chat__not_streamed__has_text_usage_and_reason(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_completion_tokens=60, seed=3, temperature=1
    )
    choice, usage = answer.choices[0], answer.usage
    assert usage is not None
    text = choice.message.content or ""
    assert usage.prompt_tokens == count_tokens("What is a voucher?") + MESSAGE_TOKENS
    assert 0 < usage.completion_tokens == count_tokens(text) <= 60
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert choice.finish_reason == ("length" if usage.completion_tokens == 60 else "stop")
    assert answer.id.startswith("chatcmpl-")
    again = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=60, seed=3, temperature=1
    )
    assert (again.choices[0].message.content, again.id) != (text, answer.id)
    assert again.choices[0].message.content == text


def test_chat__streamed__is_the_same_text_with_the_usage_at_the_end(client: openai.OpenAI) -> None:
    request: dict[str, Any] = {"model": MODEL, "messages": QUESTION, "seed": 3, "max_tokens": 60}
    whole = client.chat.completions.create(**request)
    events = list(
        client.chat.completions.create(
            **request, stream=True, stream_options={"include_usage": True}
        )
    )
    said = [event.choices[0] for event in events if event.choices]
    assert "".join(one.delta.content or "" for one in said) == whole.choices[0].message.content
    assert said[0].delta.role == "assistant"
    assert [one.finish_reason for one in said[:-1]] == [None] * (len(said) - 1)
    assert said[-1].finish_reason == whole.choices[0].finish_reason
    assert len(said) == 2 + events[-1].usage.completion_tokens
    assert events[-1].usage == whole.usage
    assert len({event.id for event in events}) == 1


async def test_completions__streamed_to_many_at_once__gives_each_its_own(
    async_client: openai.AsyncOpenAI,
) -> None:
    async def text(seed: int) -> str:
        events = await async_client.completions.create(
            model=MODEL, prompt="The gateway", max_tokens=50, seed=seed, stream=True,
            extra_body={"ignore_eos": True},
        )  # fmt: skip
        return "".join([event.choices[0].text async for event in events])

    texts = await asyncio.gather(*(text(seed) for seed in range(20)))
    assert len(set(texts)) > 15
    assert all(count_tokens(text) == 50 for text in texts)
    assert await text(4) == texts[4]


async def test_completions__with_a_stop_text__ends_before_it(
    async_client: openai.AsyncOpenAI,
) -> None:
    answer = await async_client.completions.create(
        model=MODEL, prompt=["The gateway"], max_tokens=300, stop=[" the", "."], seed=1
    )
    assert answer.choices[0].finish_reason == "stop"
    assert " the" not in answer.choices[0].text
    assert "." not in answer.choices[0].text


def test_completions__without_a_limit__have_openais(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model=MODEL, prompt="The gateway", extra_body={"ignore_eos": True}
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 16


def test_embeddings__as_floats_and_as_bytes__are_the_same_and_of_length_one(
    client: openai.OpenAI,
) -> None:
    texts = ["a voucher is collected", "a voucher was collected", "GPU"]
    packed = client.embeddings.create(model=MODEL, input=texts, dimensions=64)
    plain = client.embeddings.create(
        model=MODEL, input=texts, dimensions=64, encoding_format="float"
    )
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert sum(value * value for value in one.embedding) == pytest.approx(1, abs=1e-5)
    assert packed.usage.prompt_tokens == sum(map(count_tokens, texts))


def test_tokenize__of_prompt_and_chat__counts_as_usage_does(process: NgramProcess) -> None:
    def count(**body: object) -> object:
        return httpx.post(f"{process.url}/tokenize", json=body).json()

    assert count(model=MODEL, prompt="two words") == {"count": 2, "max_model_len": CONTEXT}
    assert count(messages=QUESTION)["count"] == 5 + MESSAGE_TOKENS  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"model": "gpt-4o"}, 404, "model_not_found", "model"),
        ({"messages": []}, 400, "malformed", "messages"),
        ({"messages": "hello"}, 400, "malformed", "messages"),
        ({"max_tokens": 0}, 400, "malformed", "max_tokens"),
        ({"max_tokens": "5"}, 400, "malformed", "max_tokens"),
        ({"temperature": 3}, 400, "malformed", "temperature"),
        ({"stop": [""]}, 400, "malformed", "stop"),
        ({"n": 2}, 400, "unsupported_parameter", "n"),
        ({"tools": [{"type": "function"}]}, 400, "unsupported_parameter", "tools"),
        ({"max_tokens": CONTEXT}, 400, "context_length_exceeded", None),
    ],
)
def test_chat__what_it_cannot_do__is_an_error_in_openais_form(
    client: openai.OpenAI, change: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(
            **{"model": MODEL, "messages": QUESTION, "max_tokens": 5, **change}
        )
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert refused.value.type == "invalid_request_error"
    assert (refused.value.param or "").split(".")[0] == (param or "")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"model": NaN}'])
def test_chat__no_json_object__is_an_error_in_openais_form(
    process: NgramProcess, body: bytes
) -> None:
    answer = httpx.post(f"{process.url}/v1/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")


def test_paths__unknown_or_by_another_method__are_errors_in_openais_form(
    process: NgramProcess,
) -> None:
    assert httpx.get(f"{process.url}/v1/nothing").json()["error"]["code"] == "not_found"
    assert httpx.get(f"{process.url}/v1/completions").status_code == 405


def test_chat__more_bytes_than_allowed__is_refused(process: NgramProcess) -> None:
    content = b'{"model": "' + b"x" * (8 * 1024 * 1024) + b'"}'
    answer = httpx.post(f"{process.url}/v1/chat/completions", content=content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "oversized")


def test_stream__as_it_is_sent__is_events_that_end_with_done(process: NgramProcess) -> None:
    body = {"model": MODEL, "prompt": "The", "stream": True, "max_tokens": 3, "ignore_eos": True}
    answer = httpx.post(f"{process.url}/v1/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert [set(json.loads(line.removeprefix("data: "))) for line in lines[:-2]] == [
        {"id", "object", "created", "model", "choices"}
    ] * 4


def test_pace__of_a_setting__is_that_of_pieces_and_of_whole_answers(tmp_path: Path) -> None:
    process = NgramProcess(tmp_path, tokens_per_second=100, corpus=ROOT / "LICENSE").start()
    body: dict[str, Any] = {"model": MODEL, "prompt": "", "max_tokens": 50, "ignore_eos": True}
    url = f"{process.url}/v1/completions"
    try:
        started = time.monotonic()
        httpx.post(url, json=body)
        assert time.monotonic() - started >= 0.5
        started = time.monotonic()
        with httpx.stream("POST", url, json={**body, "stream": True}) as answer:
            arrived = [time.monotonic() - started for line in answer.iter_lines() if line]
        assert len(arrived) == 52
        assert arrived[25] >= 0.25
        assert arrived[49] >= 0.49
        assert arrived[0] < arrived[49] - 0.25
        # Whoever hangs up is not told the rest: the next to come finds it free.
        with httpx.stream("POST", url, json={**body, "max_tokens": 1_000, "stream": True}):
            pass
    finally:
        started = time.monotonic()
        process.stop()
    assert time.monotonic() - started < 4


def test_process__told_to_stop__ends_with_status_zero(tmp_path: Path) -> None:
    process = NgramProcess(tmp_path, corpus=ROOT / "LICENSE").start()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait() == 0
    assert '"stopped"' in (tmp_path / "ngram.log").read_text()


def test_process__a_setting_that_cannot_be__does_not_start_and_names_it(tmp_path: Path) -> None:
    def start(**settings: str) -> subprocess.CompletedProcess[str]:
        environment = {f"RACKSTREAM_NGRAM_{name}": value for name, value in settings.items()}
        return subprocess.run(
            [sys.executable, "-m", "api.ngram"], cwd=ROOT, env={**os.environ, **environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    refused = start(PORT="70000")
    assert (refused.returncode, "RACKSTREAM_NGRAM_PORT" in refused.stderr) == (2, True)
    refused = start(PORT="0", CORPUS=str(tmp_path / "none"))
    assert (refused.returncode, "corpus cannot be read" in refused.stderr) == (2, True)
