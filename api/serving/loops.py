"""Endless tasks that are started again when they crash.

A node or a database that is away, misled or of another chain is no crash: a loop that its error
ends only waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import structlog

from api.errors import ChainError, Unavailable, WrongChain

_log = structlog.get_logger(__name__)


class LoopMetrics(Protocol):
    """Who counts the crashes."""

    def expect_loop(self, name: str) -> None:
        """There is a loop of that name."""

    def crashed(self, name: str) -> None:
        """It crashed."""


_FIRST_PAUSE_SECONDS: Final = 0.5
_MAX_PAUSE_SECONDS: Final = 30.0

_PASSING: Final = (Unavailable, ChainError, WrongChain)

# A loop that ran so long before it crashed is not in a cycle of crashes.
_STABLE_SECONDS: Final = 60.0


async def supervise(
    loops: Mapping[str, Callable[[], Awaitable[None]]], metrics: LoopMetrics
) -> None:
    """Run every loop until this is cancelled. A loop that crashes is logged and, after a pause that
    grows with every crash, started again; one that only waits is so after the same pause each time.
    The others go on."""
    async with asyncio.TaskGroup() as group:
        for name, loop in loops.items():
            group.create_task(_keep_running(name, loop, metrics), name=name)


async def _keep_running(
    name: str, loop: Callable[[], Awaitable[None]], metrics: LoopMetrics
) -> None:
    metrics.expect_loop(name)
    pause = _FIRST_PAUSE_SECONDS
    clock = asyncio.get_running_loop()
    while True:
        started = clock.time()
        try:
            await loop()
        except _PASSING as error:
            _log.warning("loop waits", loop=name, reason=error.message)
            await asyncio.sleep(_FIRST_PAUSE_SECONDS)
            continue
        except Exception as error:  # noqa: BLE001 - whatever it was, the loop has to go on
            _log.error("loop crashed", loop=name, restarts_in_seconds=pause, exc_info=error)
        else:
            _log.error("loop ended", loop=name, restarts_in_seconds=pause)
        metrics.crashed(name)
        if clock.time() - started > _STABLE_SECONDS:
            pause = _FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE_SECONDS)
