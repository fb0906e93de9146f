"""Customers' side: one process that asks as many customers would, each over connections of its own.

    python -m tests.bench.gateway.load < job.json > answers.json

    {"path": "/v1/chat/completions", "ports": [20001, 20002], "bodies": ["{…}", …],
     "scripts": [[[due seconds, port, body, payment], …], …], "seconds": 4 or null}

A customer sends its script's requests in turn, each when it is due and the one before has been
answered, until so many seconds have passed. `port` and `body` are places in the lists, `payment` a
header's value: all were signed before, and who charges nothing gets them too, so that a request
costs its sender the same at every server. Sockets are read without an HTTP library for the same
reason: the machine's time is for those who are measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import uvloop

from api.domain.x402 import PAYMENT_SIGNATURE_HEADER

ROOT = Path(__file__).parents[3]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RECEIPT = re.compile(rb"\r\nreceipt-id: *([0-9a-f]+)", re.IGNORECASE)
_USAGE = re.compile(rb'"usage":(\{[^{}]*\})')

# Of one read; an answer's head has to fit.
_BUFFER_BYTES = 256 * 1024

# Servers close connections that are idle for 5 s.
_IDLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """One request: when it is due, in seconds from the start, and what is asked where."""

    due: float
    port: int
    body: int
    payment: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request, in seconds from the start. `status` 0: the connection broke.

    Attributes:
        customer, body: Whose request it was, and which body it had.
        late: How long after it was due it was sent.
        first, last: Until the first and the last byte of the answer's body had come.
    """

    customer: int
    port: int
    body: int
    status: int
    sent: float
    late: float
    first: float
    last: float
    receipt: str
    usage: dict[str, int] | None

    @property
    def is_good(self) -> bool:
        return self.status == 200


@dataclass(frozen=True)
class Job:
    path: str
    ports: Sequence[int]
    bodies: Sequence[str]
    scripts: Sequence[Sequence[Step]]
    seconds: float | None

    def run(self) -> tuple[list[Answer], float]:
        """In a process of its own: the answers, and the seconds of a core that this took."""
        text = json.dumps(
            {**vars(self), "scripts": [[_row(s) for s in one] for one in self.scripts]}
        )
        asked = subprocess.run(
            [sys.executable, "-m", __name__], input=text.encode(), capture_output=True, cwd=ROOT
        )
        assert asked.returncode == 0, asked.stderr.decode()[-2_000:]
        told = json.loads(asked.stdout)
        return [Answer(**fields) for fields in told["answers"]], told["cpu_seconds"]


def _row(step: Step) -> tuple[float, int, int, str]:
    return step.due, step.port, step.body, step.payment


class Connection:
    """To one server, kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def ask(self, head: bytes, body: bytes) -> tuple[int, float, bytes, bytes]:
        """Status, when the first byte of its body came, head and body."""
        if time.perf_counter() - self._used > _IDLE_SECONDS:
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=_BUFFER_BYTES
            )
        reader, writer = self._streams
        writer.writelines((head, body))
        answer_head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer_head)
        if length is not None:
            answer_body = await reader.readexactly(int(length[1]))
            first = time.perf_counter()
        else:
            parts: list[bytes] = []
            first = 0.0
            while size := int(await reader.readuntil(b"\r\n"), 16):
                parts.append((await reader.readexactly(size + 2))[:-2])
                first = first or time.perf_counter()
            await reader.readexactly(2)
            answer_body = b"".join(parts)
        self._used = time.perf_counter()
        return int(answer_head[9:12]), first, answer_head, answer_body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Customer:
    """Sends one script."""

    def __init__(self, number: int, job: Job, bodies: Sequence[bytes]) -> None:
        self._number = number
        self._job = job
        self._bodies = bodies
        self._connections = [Connection(port) for port in job.ports]
        self.answers: list[Answer] = []

    async def run(self, started: float) -> None:
        end = None if self._job.seconds is None else started + self._job.seconds
        for step in self._job.scripts[self._number]:
            wait = started + step.due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            if end is not None and time.perf_counter() >= end:
                break
            self.answers.append(await self._send(step, started))
        for connection in self._connections:
            connection.close()

    async def _send(self, step: Step, started: float) -> Answer:
        connection, body = self._connections[step.port], self._bodies[step.body]
        head = (
            f"POST {self._job.path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"{PAYMENT_SIGNATURE_HEADER}: {step.payment}\r\n\r\n"
        ).encode()
        sent = time.perf_counter()
        try:
            status, first, answer_head, answer = await connection.ask(head, body)
        except (OSError, EOFError, ValueError):
            connection.close()
            status, first, answer_head, answer = 0, sent, b"", b""
        last = time.perf_counter()
        receipt, usages = _RECEIPT.search(answer_head), _USAGE.findall(answer)
        return Answer(
            self._number,
            step.port,
            step.body,
            status,
            sent - started,
            sent - started - step.due,
            first - started,
            last - started,
            receipt[1].decode() if receipt else "",
            json.loads(usages[-1]) if usages else None,
        )


async def _run(job: Job) -> list[Answer]:
    # One copy for all: an hour's prompts are long.
    bodies = [body.encode() for body in job.bodies]
    customers = [Customer(number, job, bodies) for number in range(len(job.scripts))]
    started = time.perf_counter()
    await asyncio.gather(*(customer.run(started) for customer in customers))
    return list(chain.from_iterable(customer.answers for customer in customers))


def _job_of(fields: dict[str, Any]) -> Job:
    scripts = [[Step(*row) for row in script] for script in fields.pop("scripts")]
    return Job(scripts=scripts, **fields)


def main() -> None:
    job = _job_of(json.load(sys.stdin))
    before = time.process_time()
    answers = uvloop.run(_run(job))
    taken = time.process_time() - before
    json.dump({"answers": [asdict(one) for one in answers], "cpu_seconds": taken}, sys.stdout)


if __name__ == "__main__":
    main()
