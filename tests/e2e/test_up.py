"""`make up`'s own process: everything stands, what dies stands up again, nothing is left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest

from scripts._lib import cast
from scripts._lib.opening import MODEL
from scripts._lib.stack import is_answering
from tests.e2e.conftest import Command, Start, end_and_look


def _get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        loaded: dict[str, Any] = json.load(answer)
        return loaded


def _consecutive_ports(count: int) -> int:
    """The first of so many free ports in a row, from where no connection takes one by itself."""
    while True:
        first = random.randrange(20_000, 30_000)
        if all(_is_free(port) for port in range(first, first + count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _is_said(command: Command, words: str) -> bool:
    return words in command.text()


def _printed(text: str, label: str) -> str:
    """What stands behind a label in the list of what is where."""
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    return line.strip().removeprefix(label).strip()


def _ask(gateway: str, key: str) -> str:
    """Five tokens, paid with an API key; the receipt's id."""
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key=key) as client:
        answer = client.chat.completions.with_raw_response.create(
            model=MODEL,
            messages=[{"role": "user", "content": "What is a rack?"}],
            max_tokens=5,
            extra_body={"ignore_eos": True},
        )
        assert answer.parse().choices[0].message.content
        return answer.headers["Receipt-Id"]


def _collected(gateway: str, receipt_id: str) -> bool:
    """Whether a receipt is behind a collection that is settled."""
    collection = _get(f"{gateway}/v1/receipts/{receipt_id}").get("collection")
    return collection is not None and collection["transaction"] is not None


@pytest.mark.chaos
def test_up__until_interrupted__serves_recovers_and_leaves_nothing(
    start: Start, tmp_path: Path
) -> None:
    anvil_port = _consecutive_ports(1)
    first, till = _consecutive_ports(4), _consecutive_ports(2)
    records = tmp_path / "deployments"
    up = start(
        "up",
        [
            "--anvil-port",
            str(anvil_port),
            "--reporter-port",
            str(first),
            "--gateway-port",
            str(till),
            "--deployments",
            str(records),
        ],
    )
    up.wait_until("the second hour", lambda: up.text().count("catching up") == 2, 120)
    os.kill(up.pids("anvil")[0], signal.SIGKILL)
    up.wait_until("everything up", lambda: "everything is up" in up.text(), 180)

    reporters = [f"http://127.0.0.1:{first + number}" for number in range(4)]
    assert all(is_answering(f"{url}/readyz") for url in reporters)
    assert all(is_answering(f"{url}/docs") for url in reporters)
    assert up.text().count("is Final") == 3
    cluster = _get(f"{reporters[0]}/v1/clusters/1")
    assert cluster
    assert (records / "31337.json").exists()

    # OpenAI's own client pays by the API key that is printed.
    gateway = f"http://127.0.0.1:{till}"
    key = _printed(up.text(), "an API key to try")
    receipt_id = _ask(gateway, key)
    assert _get(f"{gateway}/v1/receipts/{receipt_id}")["receipt"]["outputTokens"] == 5
    # Collected on chain: the customers' own requests run by themselves.
    # One that just misses a collection waits until that is final, a minute, and as long again.
    up.wait_until("a collection", lambda: _collected(gateway, receipt_id), 300)
    hours = _get(_printed(up.text(), "leakage, wash revenue"))["hours"]
    assert any(int(hour["paidUsd6"]) for hour in hours)
    assert any(hour["busyGpuSeconds"] for hour in hours)
    # The gateway calls the contracts itself, so that every payer is known; none is declared.
    assert {(hour["relatedUsd6"], hour["unknownUsd6"]) for hour in hours} == {("0", "0")}

    os.kill(up.pids("api.oracle")[0], signal.SIGKILL)
    up.wait_until("the reporter again", lambda: "reporter-1 is up again" in up.text())
    os.kill(up.pids("anvil")[0], signal.SIGKILL)
    up.wait_until("anvil again", lambda: up.text().count("anvil is up again") == 2)
    for name, module in (("gateway", "api.gateway"), ("upstream", "api.ngram")):
        os.kill(up.pids(module)[0], signal.SIGKILL)
        up.wait_until(f"{name} again", partial(_is_said, up, f"{name} is up again"))
    urls = [*reporters, gateway]
    up.wait_until("all ready", lambda: all(is_answering(f"{url}/readyz") for url in urls))
    again = _ask(gateway, key)
    assert _get(f"{gateway}/v1/receipts/{again}")["receipt"]["payer"] == cast.CUSTOMERS[0].address
    assert _get(f"{gateway}/v1/receipts/{receipt_id}")["isOpen"] is False

    status, alive = end_and_look(up, signal.SIGINT)
    assert status == 0
    assert alive == []
    assert "nothing is left running" in up.text()


def test_up__port_taken__says_which_and_what_to_do(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = start("up", ["--anvil-port", str(port)])
        assert up.wait(60) == 1
        assert f"port {port}, for anvil, is taken" in up.text()
        assert "ANVIL_PORT" in up.text()
