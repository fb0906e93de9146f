"""`make up`'s own process: everything stands, what dies stands up again, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from scripts._lib.processes import free_ports
from scripts._lib.stack import is_answering
from tests.e2e.conftest import Start, end_and_look


def _get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        loaded: dict[str, Any] = json.load(answer)
        return loaded


def _consecutive_ports() -> int:
    """The first of four free ports in a row."""
    while True:
        (first,) = free_ports(1)
        if first < 65_000 and all(_is_free(first + number) for number in range(4)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.chaos
def test_up__until_interrupted__serves_recovers_and_leaves_nothing(
    start: Start, tmp_path: Path
) -> None:
    (anvil_port,) = free_ports(1)
    first = _consecutive_ports()
    records = tmp_path / "deployments"
    up = start(
        "up",
        [
            "--anvil-port",
            str(anvil_port),
            "--reporter-port",
            str(first),
            "--deployments",
            str(records),
        ],
    )
    up.wait_until("everything up", lambda: "everything is up" in up.text(), 180)

    reporters = [f"http://127.0.0.1:{first + number}" for number in range(4)]
    assert all(is_answering(f"{url}/readyz") for url in reporters)
    assert all(is_answering(f"{url}/docs") for url in reporters)
    assert up.text().count("is Final") == 3
    cluster = _get(f"{reporters[0]}/v1/clusters/1")
    assert cluster
    assert (records / "31337.json").exists()

    os.kill(up.pids("api.oracle")[0], signal.SIGKILL)
    up.wait_until("the reporter again", lambda: "reporter-1 is up again" in up.text())
    os.kill(up.pids("anvil")[0], signal.SIGKILL)
    up.wait_until("anvil again", lambda: "anvil is up again" in up.text())
    up.wait_until("all ready", lambda: all(is_answering(f"{url}/readyz") for url in reporters))

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
