"""A service's work: a start that is waited for, then loops beside the lease of its database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from api.errors import ChainError, ConfigurationError, RackstreamError, Unavailable
from api.serving.lease import Lease
from api.serving.loops import LoopMetrics, supervise

_log = structlog.get_logger(__name__)

# Between two tries to start while the database or the node is away.
_PAUSE_SECONDS: Final = 0.5


async def work(
    *,
    start: Callable[[], Awaitable[None]],
    on_wait: Callable[[RackstreamError], None] = lambda _: None,
    loops: Mapping[str, Callable[[], Awaitable[None]]],
    metrics: LoopMetrics,
    lease: Lease,
) -> None:
    """Start, however often that takes, and work until cancelled. `on_wait` hears why it waits.

    Raises:
        ConfigurationError: This will not pass: the wrong chain, another one's database, a second
            process on it.
    """
    try:
        await _started(start, on_wait)
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise(loops, metrics), name="work")
            # Ends only with an error: the database is another process's now.
            group.create_task(lease.keep(), name="lease")
    except* ConfigurationError as errors:
        raise errors.exceptions[0] from None


async def _started(
    start: Callable[[], Awaitable[None]], on_wait: Callable[[RackstreamError], None]
) -> None:
    told = None
    while True:
        try:
            await start()
            return
        except (Unavailable, ChainError) as error:
            # A node that is behind, or not yet what it will be, knows no contracts.
            on_wait(error)
            if error.message != told:
                _log.warning("start waits", code=error.code, reason=error.message)
            told = error.message
        await asyncio.sleep(_PAUSE_SECONDS)
