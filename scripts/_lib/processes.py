"""Processes that belong together: started, watched, started again when they die, ended together.

Every child is in a session of its own, so that Ctrl-C reaches only the supervisor, which then ends
its children in order; should the supervisor itself be killed, Linux ends them for it. What a child
prints goes to its log.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, Protocol, TypeVar

Result = TypeVar("Result")

STOP_SECONDS = 10.0
WATCH_SECONDS = 0.1
# A process that dies so often within so short a time will not come up by being started once more.
MAX_DEATHS = 6
DEATHS_WITHIN_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ProcessFailure(Exception):
    """A process did not start, did not become ready, or keeps dying; the message says which and
    why.
    """


class PortTaken(ProcessFailure):
    """Another program listens where a process of ours has to."""

    def __init__(self, what: str, port: int, remedy: str) -> None:
        super().__init__(f"port {port}, for {what}, is taken by another program; {remedy}")
        self.port = port


class Service(Protocol):
    """What a supervisor keeps alive."""

    name: str

    def start(self) -> None:
        """Start it and wait until it answers. Raises ProcessFailure."""

    def is_alive(self) -> bool:
        """Whether it runs."""

    def stop(self) -> None:
        """End it and wait for that; no effect if it does not run."""

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def require_free(what: str, port: int, remedy: str, host: str = "127.0.0.1") -> None:
    """Raises PortTaken if something listens on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise PortTaken(what, port, remedy) from None


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a connection to `port` is accepted."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _end_with_parent() -> None:
    """In the child, before its program: be told to end when the supervisor's thread is gone."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Program:
    """One command as a Service.

    Attributes:
        environment: Its whole environment.
        is_ready: Asked until it says yes.
        ready_seconds: How long that may take.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[], bool]
    ready_seconds: float = 60.0
    directory: Path | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def launch(self) -> None:
        """Start it without waiting. Raises ProcessFailure if the program cannot be run at all."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    list(self.command),
                    env=dict(self.environment),
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                )
            except OSError as error:
                raise ProcessFailure(
                    f"{self.name} cannot be started: {self.command[0]}: {error.strerror}"
                ) from None

    def wait_until_ready(self) -> None:
        """Raises ProcessFailure with the end of the log if it dies or takes too long."""
        deadline = time.monotonic() + self.ready_seconds
        while not self.is_ready():
            if not self.is_alive():
                raise ProcessFailure(f"{self.name} ended while starting:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ProcessFailure(
                    f"{self.name} was not ready within {self.ready_seconds:.0f} seconds:\n"
                    f"{self.log_tail()}"
                )
            time.sleep(0.05)

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Tell it to end, without waiting."""
        if self._process is not None and self.is_alive():
            self._process.terminate()

    def stop(self) -> None:
        if self._process is None:
            return
        if self.is_alive():
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._process = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.is_alive() else None

    def log_tail(self, lines: int = 15) -> str:
        """The end of its log, and where the whole is."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        tail = "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
        return f"{tail}\n  (the whole log: {self.log})"


class Supervisor:
    """Keeps services alive until it is closed. Use as a context manager.

    `on_event` is told in words of every death and every restart.
    """

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._services: list[Service] = []
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._deaths: dict[str, list[float]] = {}
        self.restarts: dict[str, int] = {}
        self.failure: ProcessFailure | None = None
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def add(self, service: Service) -> None:
        """Watch a service that was started. Those added later are ended first."""
        with self._lock:
            self._services.append(service)

    def release(self, programs: Sequence[Program]) -> None:
        """Stop watching programs and end them, all at once."""
        with self._lock:
            self._services = [one for one in self._services if one not in programs]
        for program in programs:
            program.ask_to_stop()
        for program in programs:
            program.stop()

    def check(self) -> None:
        """Raises the failure of a service that could not be kept alive."""
        if self.failure is not None:
            raise self.failure

    def pids(self) -> dict[str, int]:
        """Process ids by name of what runs now."""
        with self._lock:
            return {one.name: one.pid for one in self._services if one.pid is not None}

    def _watch(self) -> None:
        while not self._closing.wait(WATCH_SECONDS):
            with self._lock:
                dead = [one for one in self._services if not one.is_alive()]
                for service in dead:
                    if not self._closing.is_set() and self.failure is None:
                        self._revive(service)

    def _revive(self, service: Service) -> None:
        now = time.monotonic()
        recent = [
            at for at in self._deaths.get(service.name, []) if at > now - DEATHS_WITHIN_SECONDS
        ]
        self._deaths[service.name] = [*recent, now]
        if len(recent) >= MAX_DEATHS:
            self.failure = ProcessFailure(
                f"{service.name} died {len(recent) + 1} times within"
                f" {DEATHS_WITHIN_SECONDS:.0f} seconds"
            )
            return
        self._on_event(f"{service.name} died; starting it again")
        try:
            service.stop()
            service.start()
        except ProcessFailure as failure:
            # Counted as one more death: the next look tries again, until there were too many.
            self._on_event(str(failure))
            return
        self.restarts[service.name] = self.restarts.get(service.name, 0) + 1
        self._on_event(f"{service.name} is up again")

    def close(self) -> None:
        """End everything: programs all at once, then what they rely on, last started first. A
        service that cannot be ended does not keep the rest.
        """
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self.release([one for one in self._services if isinstance(one, Program)])
        with self._lock:
            services, self._services = list(reversed(self._services)), []
        for service in services:
            try:
                service.stop()
            except (OSError, subprocess.SubprocessError, ProcessFailure) as error:
                self._on_event(f"{service.name} could not be ended: {error}")

    def __enter__(self) -> Supervisor:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP all raise KeyboardInterrupt in the main thread; what runs in
    an event loop there goes through `run_stopped_by_signals`."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_stopped_by_signals(main: Coroutine[None, None, Result]) -> Result:
    """`asyncio.run`, cancelled by the same signals, which then raise KeyboardInterrupt.

    Raised in the middle of the loop's own work, it can leave a thread half started that nobody
    ever ends, and the process with it.
    """

    async def cancellable() -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in _STOPPING:
            loop.add_signal_handler(number, task.cancel)
        return await main

    before = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def service_environment(**values: str) -> dict[str, str]:
    """The environment of a service: what the machine has, without settings of other Rackstream
    processes.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("RACKSTREAM_")
    }
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**inherited, **values}
