"""Processes that live and die together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from scripts._lib.processes import (
    MAX_DEATHS,
    PortTaken,
    ProcessFailure,
    Program,
    Supervisor,
    free_ports,
    is_listening,
    require_free,
    run_stopped_by_signals,
    service_environment,
    stopped_by_signals,
)

FOREVER = "import time\nprint('here', flush=True)\ntime.sleep(600)"


def program(folder: Path, code: str, *, name: str = "worker", **changes: object) -> Program:
    values: dict[str, object] = {
        "is_ready": lambda: True,
        "ready_seconds": 10.0,
    } | changes
    return Program(
        name,
        [sys.executable, "-c", code],
        service_environment(),
        folder / f"{name}.log",
        **values,  # type: ignore[arg-type]
    )


def until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_free_ports__several__differ_and_are_free() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert not any(is_listening(port) for port in ports)


def test_require_free__somebody_listens__refused_with_port_and_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port}, for anvil, .*; choose PORT="):
            require_free("anvil", port, "choose PORT=")
    require_free("anvil", port, "choose PORT=")


def test_service_environment__settings_of_another_process__left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RACKSTREAM_ORACLE_KEY", "0x01")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = service_environment(RACKSTREAM_CLOCK="chain")
    assert "RACKSTREAM_ORACLE_KEY" not in environment
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["RACKSTREAM_CLOCK"] == "chain"
    assert environment["PATH"] == os.environ["PATH"]


def test_start__ends_at_once__says_so_with_the_end_of_its_log(tmp_path: Path) -> None:
    failing = program(tmp_path, "import sys; sys.exit('no luck today')", is_ready=lambda: False)
    with pytest.raises(ProcessFailure, match=r"worker ended while starting:\n  no luck today"):
        failing.start()


def test_start__never_ready__gives_up_after_its_time(tmp_path: Path) -> None:
    slow = program(tmp_path, FOREVER, is_ready=lambda: False, ready_seconds=0.3)
    with pytest.raises(ProcessFailure, match="not ready within 0 seconds"):
        slow.start()
    slow.stop()
    assert slow.pid is None


def test_start__no_such_program__says_which(tmp_path: Path) -> None:
    missing = Program("worker", ["no-such-program"], {}, tmp_path / "log", lambda: True)
    with pytest.raises(ProcessFailure, match="worker cannot be started: no-such-program"):
        missing.start()


def test_stop__deaf_to_sigterm__killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts._lib.processes.STOP_SECONDS", 0.3)
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER
    stubborn = program(tmp_path, deaf)
    stubborn.start()
    until(lambda: "here" in stubborn.log.read_text())
    pid = stubborn.pid
    assert pid is not None
    stubborn.stop()
    assert not psutil.pid_exists(pid)


def test_supervisor__a_program_dies__started_again_and_counted(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        worker = program(tmp_path, FOREVER)
        worker.start()
        supervisor.add(worker)
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.restarts.get("worker") == 1)
        second = worker.pid
        assert second not in (None, first)
        assert supervisor.pids() == {"worker": second}
        supervisor.check()
    assert said == ["worker died; starting it again", "worker is up again"]
    assert not psutil.pid_exists(second or 0)


def test_supervisor__keeps_dying__gives_up_and_says_so(tmp_path: Path) -> None:
    with Supervisor(lambda _: None) as supervisor:
        worker = program(tmp_path, "pass")
        worker.start()
        supervisor.add(worker)
        until(lambda: supervisor.failure is not None)
        with pytest.raises(ProcessFailure, match=f"worker died {MAX_DEATHS + 1} times"):
            supervisor.check()


def test_release__some_of_them__end_and_stay_ended(tmp_path: Path) -> None:
    with Supervisor(lambda _: None) as supervisor:
        workers = [program(tmp_path, FOREVER, name=f"worker-{n}") for n in range(3)]
        for worker in workers:
            worker.start()
            supervisor.add(worker)
        supervisor.release(workers[:2])
        time.sleep(0.5)
        assert [worker.is_alive() for worker in workers] == [False, False, True]
        assert supervisor.restarts == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_by_signals__any_of_them__interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_stopped_by_signals__any_of_them__cancels(
    number: signal.Signals,
) -> None:
    before = signal.getsignal(number)
    ended: list[str] = []

    async def main() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            await asyncio.to_thread(ended.append, "in order")

    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        run_stopped_by_signals(main())
    assert ended == ["in order"]
    assert signal.getsignal(number) is before


def test_run_stopped_by_signals__undisturbed__gives_the_result() -> None:
    assert run_stopped_by_signals(asyncio.sleep(0, 7)) == 7
