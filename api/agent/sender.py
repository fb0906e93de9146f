"""Brings the outbox to the reporters: to all at once, to each in order of sequence.

What an answer means for a batch:

| answer                                   | then                                             |
|------------------------------------------|--------------------------------------------------|
| 200, 202                                 | done: the reporter has it on disk                |
| 400, 409, 413, 422                       | refused for good: recorded, the next one is sent |
| 401, 403, 404 and other 4xx              | later: the GPU set or the agent is not yet known;|
|                                          | after PATIENCE tries the next ones go first      |
| 408, 425, 429, 5xx, anything else, none  | soon: with growing, jittered waits               |
| any with the code `in-the-future`        | soon: the two clocks are a moment apart          |
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

import httpx
import structlog

from api.agent.outbox import Delivery, Outbox
from api.errors import InTheFuture, OutboxUnavailable

_log = structlog.get_logger(__name__)

SAMPLES_PATH = "/v1/samples"

_ACCEPTED = frozenset({200, 202})
_FINAL = frozenset({400, 409, 413, 422})
_SOON = frozenset({408, 425, 429})

FIRST_WAIT_SECONDS = 0.2
PATIENCE = 5
_SLOW_FACTOR = 10


class Verdict(Enum):
    """What to do with a batch after an answer."""

    DONE = auto()
    REFUSED = auto()
    SOON = auto()
    LATER = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """A reporter's, with its reason in words; `status` 0 if there was none at all."""

    verdict: Verdict
    status: int
    reason: str


def read_answer(status: int, body: bytes) -> Answer:
    """What an HTTP answer means; see the module's table."""
    if status in _ACCEPTED:
        return Answer(Verdict.DONE, status, "")
    problem = _problem(body)
    reason = str(
        problem.get("detail") or problem.get("title") or body[:200].decode(errors="replace")
    )
    if problem.get("code") == InTheFuture.code or status in _SOON:
        return Answer(Verdict.SOON, status, reason)
    if status in _FINAL:
        return Answer(Verdict.REFUSED, status, reason)
    return Answer(Verdict.LATER if 400 <= status < 500 else Verdict.SOON, status, reason)


def _problem(body: bytes) -> Mapping[str, object]:
    """The problem document (RFC 9457) in an answer; empty if it has none."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class Sender:
    """Delivers to each reporter by itself: one that is slow or dead delays no other."""

    def __init__(
        self,
        outbox: Outbox,
        client: httpx.AsyncClient,
        reporters: tuple[str, ...],
        *,
        retry_max_s: float,
    ) -> None:
        self._outbox = outbox
        self._client = client
        self._retry_max_s = retry_max_s
        self._news = {reporter: asyncio.Event() for reporter in reporters}

    def wake(self) -> None:
        """There is a new batch in the outbox."""
        for news in self._news.values():
            news.set()

    async def run(self) -> None:
        """Deliver for ever."""
        async with asyncio.TaskGroup() as tasks:
            for reporter in self._news:
                tasks.create_task(self._serve(reporter))

    async def _serve(self, reporter: str) -> None:
        news = self._news[reporter]
        tries = passed_over = 0
        while True:
            news.clear()
            delivery = self._outbox.next_for(reporter, passed_over)
            if delivery is None:
                if passed_over:
                    # Back to those that were passed over, at the slowest pace.
                    passed_over = 0
                    await asyncio.sleep(self._retry_max_s)
                else:
                    await news.wait()
                continue
            answer = await self._send(delivery)
            if answer.verdict in (Verdict.DONE, Verdict.REFUSED):
                answer = self._settle(delivery, answer)
            if answer.verdict in (Verdict.DONE, Verdict.REFUSED):
                tries = 0
                continue
            tries += 1
            wait = self._wait_seconds(answer.verdict, tries)
            self._complain(delivery, answer, tries)
            if answer.verdict is Verdict.LATER and tries >= PATIENCE:
                tries, passed_over = 0, delivery.sequence
            await asyncio.sleep(wait)

    def _complain(self, delivery: Delivery, answer: Answer, tries: int) -> None:
        """Log at every power of two: a dead reporter shall be seen, and not fill the log."""
        if tries & (tries - 1) == 0:
            _log.warning(
                "batch not taken",
                reporter=delivery.reporter,
                sequence=delivery.sequence,
                status=answer.status,
                reason=answer.reason,
                tries=tries,
                owed=self._outbox.owed(delivery.reporter),
            )

    async def _send(self, delivery: Delivery) -> Answer:
        try:
            response = await self._client.post(
                delivery.reporter + SAMPLES_PATH,
                content=delivery.body,
                headers={"Content-Type": "application/json"},
            )
        except httpx.HTTPError as error:
            return Answer(Verdict.SOON, 0, f"{type(error).__name__} {error}".strip())
        return read_answer(response.status_code, response.content)

    def _settle(self, delivery: Delivery, answer: Answer) -> Answer:
        """Record the end of a delivery; if the disk does not take it, it has not ended."""
        try:
            if answer.verdict is Verdict.DONE:
                self._outbox.acknowledged(delivery.reporter, delivery.sequence)
                return answer
            self._outbox.refused(delivery.reporter, delivery.sequence, answer.status, answer.reason)
        except OutboxUnavailable as error:
            return Answer(Verdict.SOON, answer.status, error.message)
        _log.error(
            "batch refused",
            reporter=delivery.reporter,
            sequence=delivery.sequence,
            status=answer.status,
            reason=answer.reason,
        )
        return answer

    def _wait_seconds(self, verdict: Verdict, tries: int) -> float:
        """Exponential with full jitter between half and whole, up to the longest wait allowed."""
        first = FIRST_WAIT_SECONDS * (_SLOW_FACTOR if verdict is Verdict.LATER else 1)
        longest = min(first * 2.0 ** min(tries - 1, 20), self._retry_max_s)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, nothing secret
