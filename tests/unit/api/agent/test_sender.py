from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.agent import sender as sender_module
from api.agent.outbox import Outbox, Refusal
from api.agent.sender import Sender, Verdict, read_answer
from api.errors import OutboxUnavailable
from tests.unit.api.agent.batches import A, B, make, sequences

Answer = httpx.Response | Exception


class Reporters:
    """Answers by host; remembers what came to whom."""

    def __init__(self, answer: Callable[[str, int, int], Answer]) -> None:
        """`answer(host, sequence, how often it came)`."""
        self._answer = answer
        self.came: dict[str, list[int]] = defaultdict(list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/samples"
        assert request.headers["content-type"] == "application/json"
        host, sequence = str(request.url.host), json.loads(request.content)["sequence"]
        self.came[host].append(sequence)
        answer = self._answer(host, sequence, self.came[host].count(sequence))
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "FIRST_WAIT_SECONDS", 0.001)


@pytest.fixture
def outbox(outbox_at: Callable[..., Outbox]) -> Outbox:
    outbox = outbox_at(A, B)
    for _ in range(3):
        outbox.append(make(), 0)
    return outbox


@asynccontextmanager
async def sending(outbox: Outbox, reporters: Reporters) -> Any:
    async with httpx.AsyncClient(transport=httpx.MockTransport(reporters.handle)) as client:
        sender = Sender(outbox, client, (A, B), retry_max_s=0.01)
        task = asyncio.create_task(sender.run())
        yield sender
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event to offer
            await asyncio.sleep(0.002)


def accepts(host: str, sequence: int, times: int) -> Answer:
    return httpx.Response(202)


async def test_run__all_accept__everybody_has_everything_in_order(outbox: Outbox) -> None:
    reporters = Reporters(accepts)
    async with sending(outbox, reporters) as sender:
        await until(lambda: outbox.owed(A) == outbox.owed(B) == 0)
        outbox.append(make(), 0)
        sender.wake()
        await until(lambda: outbox.owed(A) == outbox.owed(B) == 0)
    assert reporters.came == {"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]}


async def test_run__one_dead__the_other_has_everything(outbox: Outbox) -> None:
    reporters = Reporters(
        lambda host, *_: httpx.ConnectError("dead") if host == "b" else httpx.Response(200)
    )
    async with sending(outbox, reporters):
        await until(lambda: outbox.owed(A) == 0 and len(reporters.came["b"]) >= 10)
    assert set(reporters.came["b"]) == {1}
    assert sequences(outbox, B) == [1, 2, 3]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_run__in_trouble_for_a_while__is_tried_again_in_order(
    outbox: Outbox, status: int
) -> None:
    reporters = Reporters(lambda _, __, times: httpx.Response(status if times < 4 else 200))
    async with sending(outbox, reporters):
        await until(lambda: outbox.owed(A) == outbox.owed(B) == 0)
    assert reporters.came["a"] == [1] * 4 + [2] * 4 + [3] * 4
    assert outbox.refusals() == []


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_run__refused_for_good__is_recorded_and_not_sent_again(
    outbox: Outbox, status: int
) -> None:
    problem = {"title": "Refused", "status": status, "detail": "this is why", "code": "x"}
    reporters = Reporters(
        lambda host, sequence, _: (
            httpx.Response(status, json=problem)
            if (host, sequence) == ("a", 2)
            else httpx.Response(200)
        )
    )
    async with sending(outbox, reporters):
        await until(lambda: outbox.owed(A) == outbox.owed(B) == 0)
    assert reporters.came["a"] == [1, 2, 3]
    assert outbox.refusals() == [Refusal(A, 2, status, "this is why")]


async def test_run__too_early_by_the_reporters_clock__is_tried_again(outbox: Outbox) -> None:
    problem = {"code": "in-the-future", "detail": "atMs is 5, later than 4 by the clock"}
    reporters = Reporters(
        lambda _, __, times: httpx.Response(422, json=problem) if times < 3 else httpx.Response(200)
    )
    async with sending(outbox, reporters):
        await until(lambda: outbox.owed(A) == outbox.owed(B) == 0)
    assert reporters.came["a"] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert outbox.refusals() == []


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_run__gpu_not_registered_yet__is_sent_when_it_is(outbox: Outbox, status: int) -> None:
    reporters = Reporters(lambda _, __, times: httpx.Response(status if times < 3 else 202))
    async with sending(outbox, reporters):
        await until(lambda: outbox.owed(A) == outbox.owed(B) == 0)
    assert outbox.refusals() == []


async def test_run__one_batch_never_registered__does_not_hold_up_the_rest(outbox: Outbox) -> None:
    reporters = Reporters(lambda _, sequence, __: httpx.Response(404 if sequence == 1 else 202))
    async with sending(outbox, reporters):
        await until(lambda: sequences(outbox, A) == [1] and reporters.came["a"].count(1) > 10)
    assert reporters.came["a"].count(2) == reporters.came["a"].count(3) == 1


async def test_run__acknowledgement_cannot_be_stored__is_sent_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporters = Reporters(accepts)
    acknowledged = outbox.acknowledged

    def full_at_first(reporter: str, sequence: int) -> None:
        if len(reporters.came["a"]) < 3:
            raise OutboxUnavailable("disk is full")
        acknowledged(reporter, sequence)

    monkeypatch.setattr(outbox, "acknowledged", full_at_first)
    async with sending(outbox, reporters):
        await until(lambda: outbox.owed(A) == outbox.owed(B) == 0)
    assert reporters.came["a"] == [1, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("status", "body", "verdict", "reason"),
    [
        (200, b"", Verdict.DONE, ""),
        (202, b"{}", Verdict.DONE, ""),
        (204, b"", Verdict.SOON, ""),
        (302, b"moved", Verdict.SOON, "moved"),
        (405, b"[]", Verdict.LATER, "[]"),
        (422, b'{"title": "Incoherent"}', Verdict.REFUSED, "Incoherent"),
        (422, b'{"code": "in-the-future"}', Verdict.SOON, '{"code": "in-the-future"}'),
        (500, b"\xff", Verdict.SOON, "\ufffd"),
    ],
)
def test_read_answer__any_answer__means_what_the_table_says(
    status: int, body: bytes, verdict: Verdict, reason: str
) -> None:
    answer = read_answer(status, body)
    assert (answer.verdict, answer.status, answer.reason) == (verdict, status, reason)


async def test_wait_seconds__more_tries__grow_to_the_longest(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "FIRST_WAIT_SECONDS", 0.2)
    async with httpx.AsyncClient() as client:
        sender = Sender(outbox, client, (A,), retry_max_s=30)
        for verdict, first in ((Verdict.SOON, 0.2), (Verdict.LATER, 2.0)):
            for tries in range(1, 40):
                longest = min(first * 2 ** (tries - 1), 30)
                assert longest / 2 <= sender._wait_seconds(verdict, tries) <= longest
