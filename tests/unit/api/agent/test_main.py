"""The agent as a process of its own, against reporters that listen on real ports."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO

import pytest

from api.agent.sources.trace import load_trace
from api.domain.codec import parse_address
from api.domain.eip712 import agent_domain
from api.domain.replay import PowerModel, Replay
from api.domain.samples import Sample, parse_batch
from api.domain.self_made import self_made_rows
from api.types import EnergySource

ROOT = Path(__file__).parents[4]
KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
ORACLE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
DOMAIN = agent_domain(31337, parse_address(ORACLE, "oracle"))
PATIENCE_SECONDS = 60


class Reporter:
    """Listens on a free port, and keeps what came as it came."""

    def __init__(self) -> None:
        self.by_sequence: dict[int, set[bytes]] = {}
        self.through_ms = 0
        self.requests = 0
        self.status = 202
        reporter = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                value = json.loads(body)
                reporter.requests += 1
                reporter.by_sequence.setdefault(value["sequence"], set()).add(body)
                if reporter.status == 202:
                    reporter.through_ms = max(reporter.through_ms, value["throughMs"])
                self.send_response(reporter.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def reporters() -> Iterator[tuple[Reporter, Reporter]]:
    two = (Reporter(), Reporter())
    yield two
    for reporter in two:
        reporter.close()


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text("".join(self_made_rows(gpus=6, hours=4)), encoding="utf-8")
    return path


@pytest.fixture
def start(
    tmp_path: Path, trace: Path, reporters: tuple[Reporter, Reporter]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the agent; what is still running at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start_it(log: int | TextIO = subprocess.PIPE, **change: str) -> subprocess.Popen[str]:
        given = {
            "KEY": KEY,
            "REPORTERS": ",".join(reporter.url for reporter in reporters),
            "CHAIN_ID": "31337",
            "ORACLE": ORACLE,
            "CLUSTER_ID": "1",
            "SOURCE": "trace",
            "TRACE": str(trace),
            "DATA_DIR": str(tmp_path / "data"),
            "MAX_BATCH_SAMPLES": "20",
            "RETRY_MAX_S": "0.2",
            **change,
        }
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("RACKSTREAM_") and "proxy" not in name.lower()
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "api.agent"],
            cwd=ROOT,
            env=environment | {f"RACKSTREAM_AGENT_{k}": v for k, v in given.items()},
            stderr=log,
            text=True,
        )
        processes.append(process)
        return process

    yield start_it
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def samples_of(reporter: Reporter) -> set[Sample]:
    return {
        sample
        for bodies in reporter.by_sequence.copy().values()
        for body in bodies
        for sample in parse_batch(body).batch.samples
    }


def recorded(trace: Path) -> set[Sample]:
    replay = Replay(load_trace(trace), PowerModel(100, 700))
    return set(replay.between(0, 10**15))


@pytest.mark.chaos
def test_main__killed_again_and_again__loses_nothing_and_signs_nothing_twice(
    start: Callable[..., subprocess.Popen[str]],
    reporters: tuple[Reporter, Reporter],
    trace: Path,
) -> None:
    steady, sick = reporters
    sick.status = 503
    for batches in (3, 20, 40):
        process = start()
        wait_until(lambda count=batches: len(steady.by_sequence) >= count)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(sick.by_sequence) >= 1
    sick.status = 202
    expected = recorded(trace)
    end_ms = max(sample.at_ms for sample in expected)
    process = start()
    wait_until(lambda: min(steady.through_ms, sick.through_ms) >= end_ms)
    process.terminate()
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    for reporter in reporters:
        assert samples_of(reporter) == expected
        sequences = reporter.by_sequence
        assert sorted(sequences) == list(range(1, len(sequences) + 1))
        for sequence, bodies in sequences.items():
            assert len(bodies) == 1, f"sequence {sequence} has several contents"
            batch = parse_batch(next(iter(bodies)))
            batch.verify(DOMAIN)
            assert batch.batch.energy_source is EnergySource.MODELLED
    assert steady.by_sequence.items() >= sick.by_sequence.items()
    assert KEY[2:] not in log


def test_main__disk_full_under_outbox_and_log__goes_on_and_loses_nothing(
    start: Callable[..., subprocess.Popen[str]],
    reporters: tuple[Reporter, Reporter],
    trace: Path,
    tmp_path: Path,
) -> None:
    steady, sick = reporters
    sick.status = 503
    expected = recorded(trace)
    end_ms = max(sample.at_ms for sample in expected)
    with (tmp_path / "log").open("w") as log:
        process = start(log)
        wait_until(lambda: sick.requests >= 1)
        # From here on the kernel refuses every byte that would make a file longer.
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        before = sick.requests
        # Each of them is complained of in the log at one of its first powers of two.
        wait_until(lambda: sick.requests >= before + 40 or process.poll() is not None)
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        sick.status = 202
        wait_until(lambda: min(steady.through_ms, sick.through_ms) >= end_ms)
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
    for reporter in reporters:
        assert samples_of(reporter) == expected
        assert all(len(bodies) == 1 for bodies in reporter.by_sequence.values())


def test_main__told_to_stop__ends_well(
    start: Callable[..., subprocess.Popen[str]], reporters: tuple[Reporter, Reporter]
) -> None:
    process = start(FLUSH_MS="60000")
    wait_until(lambda: len(reporters[0].by_sequence) >= 5)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events[-1] == "agent stops"


def test_main__two_partitions__speak_for_all_containers_once(
    start: Callable[..., subprocess.Popen[str]],
    reporters: tuple[Reporter, Reporter],
    trace: Path,
    tmp_path: Path,
) -> None:
    expected = recorded(trace)
    for part in (0, 1):
        start(
            PARTITION=str(part),
            PARTITIONS="2",
            DATA_DIR=str(tmp_path / f"data-{part}"),
            REPORTERS=reporters[part].url,
        )
    end_ms = max(sample.at_ms for sample in expected)
    wait_until(lambda: min(reporter.through_ms for reporter in reporters) >= end_ms)
    assert samples_of(reporters[0]) | samples_of(reporters[1]) == expected
    assert not samples_of(reporters[0]) & samples_of(reporters[1])


def test_main__anchored_in_the_future__waits_for_the_clock(
    start: Callable[..., subprocess.Popen[str]], reporters: tuple[Reporter, Reporter]
) -> None:
    anchor_ms = time.time_ns() // 1_000_000 + 1_500
    start(ANCHOR_MS=str(anchor_ms), FLUSH_MS="0", POLL_MS="20")
    wait_until(lambda: reporters[0].through_ms > 0)
    assert time.time_ns() // 1_000_000 >= anchor_ms
    assert {sample.at_ms for sample in samples_of(reporters[0])} == {anchor_ms}


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"CHAIN_ID": "1"}, "key-refused", "a plain key is accepted on chain 31337 only"),
        ({"TRACE": "/nowhere.csv"}, "trace-refused", "/nowhere.csv cannot be read"),
        ({"SOURCE": "nvml"}, "source-unavailable", "NVML does not start"),
    ],
)
def test_main__cannot_start__says_why_and_ends_with_2(
    start: Callable[..., subprocess.Popen[str]], change: dict[str, str], code: str, message: str
) -> None:
    process = start(**change)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2, log
    last = json.loads(log.splitlines()[-1])
    assert (last["event"], last["code"]) == ("cannot start", code)
    assert message in last["error"]
    assert KEY[2:] not in log


def test_main__outbox_in_use__says_so_and_ends_with_2(
    start: Callable[..., subprocess.Popen[str]], reporters: tuple[Reporter, Reporter]
) -> None:
    start()
    wait_until(lambda: len(reporters[0].by_sequence) >= 1)
    second = start()
    _, log = second.communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == 2, log
    assert "another agent is using" in log
