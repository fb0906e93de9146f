"""Customers who never finish asking, or never read: cut off in time, while others are served."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.selling import MODEL, USD, Customer, Shop, until

PATIENCE_SECONDS = 2.0
"""As the shop's gateway has it."""

HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: gateway\r\n"


@pytest.fixture
def slow(bad: Shop) -> Iterator[socket.socket]:
    """A connection whose end reads nothing by itself, and has little room for what it is sent."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", bad.gateway.port))
        connection.settimeout(0.2)
        yield connection


@pytest.fixture(scope="module")
def other(bad: Shop) -> Customer:
    """One who is quick."""
    return bad.customer(30, USD)


def is_served(customer: Customer) -> bool:
    body = {"model": MODEL, "prompt": "a server that answers", "max_tokens": 50}
    url = f"{customer.shop.gateway.url}/v1/completions"
    return httpx.post(url, json=body, headers=customer.pay(), timeout=30).status_code == 200


def seconds_until_cut_off(slow: socket.socket, drip: bytes) -> float:
    """While a byte of `drip` is sent now and then."""
    begun = time.monotonic()
    for at in range(100):
        try:
            slow.send(drip[at : at + 1])
            if slow.recv(1) == b"":
                return time.monotonic() - begun
        except TimeoutError:
            # Nothing is said, and nothing ended.
            continue
        except OSError:
            return time.monotonic() - begun
    raise AssertionError("never cut off")


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"", b"\r\n" * 50),
        (HEAD, b"X-Header: " + b"x" * 90),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b"{" * 100),
    ],
    ids=["nothing", "head", "body"],
)
def test_request__sent_byte_by_byte__is_cut_off_while_others_are_served(
    other: Customer, slow: socket.socket, sent: bytes, drip: bytes
) -> None:
    slow.sendall(sent)
    assert is_served(other)
    assert seconds_until_cut_off(slow, drip) < 2 * PATIENCE_SECONDS


def test_request__answered_before_its_body_ends__is_cut_off(bad: Shop, slow: socket.socket) -> None:
    slow.sendall(b"POST /nowhere HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000\r\n\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        answer += slow.recv(4_096)
    assert answer.startswith(b"HTTP/1.1 404")
    assert seconds_until_cut_off(slow, b"{" * 100) < 2 * PATIENCE_SECONDS


def test_stream__never_read__is_cut_off_charged_and_leaves_its_server(
    bad: Shop, other: Customer, slow: socket.socket
) -> None:
    customer = bad.customer(31, USD)
    asked = {"model": MODEL, "prompt": "a server that floods", "max_tokens": 50, "stream": True}
    body = json.dumps(asked).encode()
    (payment,) = customer.pay(2_000).items()
    slow.sendall(
        HEAD + f"{payment[0]}: {payment[1]}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )
    until(lambda: int(customer.channel()["heldUsd6"]) > 0, "its payment held")
    begun = time.monotonic()
    assert is_served(other)
    until(lambda: customer.channel()["heldUsd6"] == "0", "nothing held", 3 * PATIENCE_SECONDS)
    assert time.monotonic() - begun >= PATIENCE_SECONDS / 2
    spent = int(customer.channel()["spentUsd6"])
    assert 0 < spent <= 2_000
    until(lambda: bad.collected(customer) == spent, "what was given collected")
    assert '"answer is not read"' in bad.gateway.log()
