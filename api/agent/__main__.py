"""`python -m api.agent`: the agent of one node or rack, configured by RACKSTREAM_AGENT_…

1. Read the settings, open the key and the outbox, open the source where the outbox ends.
2. Sample by the clock into the outbox; send from the outbox to every reporter; both for ever.
3. On SIGTERM or SIGINT store what was collected and stop. What was not sent is sent after a start.

Exit status: 0 stopped as told, 2 the settings or the input do not allow a start.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TextIO, cast

import httpx
import structlog

from api.agent.outbox import Outbox
from api.agent.sampler import Sampler
from api.agent.sender import Sender
from api.agent.sources.dcgm import DcgmMeter
from api.agent.sources.live import LiveSource, Meter
from api.agent.sources.nvml import NvmlMeter
from api.agent.sources.source import Source
from api.agent.sources.trace import TraceSource, load_trace
from api.chain.clock import ChainClock
from api.clock import Clock, SystemClock
from api.domain.eip712 import agent_domain
from api.domain.replay import PowerModel, Replay
from api.domain.self_made import self_made_trace
from api.errors import ConfigurationError, OutboxUnavailable, RackstreamError
from api.settings import AgentSettings, BillableKind, ClockKind, SourceKind, load
from api.streams import LogStream
from api.types import ClusterId

_log = structlog.get_logger("api.agent")

_HOUR_MS = 3_600_000


def main() -> int:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, LogStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    try:
        asyncio.run(_run(load(AgentSettings)))
    except RackstreamError as error:
        _log.error("cannot start", code=error.code, error=error.message)
        return 2
    return 0


async def _run(settings: AgentSettings) -> None:
    signer = settings.signer(settings.chain_id)
    cluster_id = ClusterId(settings.cluster_id)
    outbox = Outbox(
        settings.data_dir / "outbox.sqlite",
        agent=signer.address,
        cluster_id=cluster_id,
        chain_id=settings.chain_id,
        oracle=settings.oracle,
        reporters=settings.reporters,
        first_sequence=settings.first_sequence,
    )
    try:
        source = _source(settings, outbox.through_ms)
        async with httpx.AsyncClient(timeout=settings.request_timeout_s) as client:
            sender = Sender(outbox, client, settings.reporters, retry_max_s=settings.retry_max_s)
            sampler = Sampler(
                source,
                outbox,
                _clock(settings),
                signer,
                agent_domain(settings.chain_id, settings.oracle),
                cluster_id,
                on_stored=sender.wake,
                max_batch_samples=settings.max_batch_samples,
                flush_ms=settings.flush_ms,
                poll_ms=settings.poll_ms,
                retention_ms=settings.retention_hours * _HOUR_MS,
            )
            _log.info(
                "agent starts",
                agent=signer.address,
                cluster_id=cluster_id,
                chain_id=settings.chain_id,
                source=settings.source.value,
                energy_source=source.energy_source.label,
                reporters=list(settings.reporters),
                through_ms=outbox.through_ms,
            )
            await _until_told_to_stop(sampler, sender)
            await source.close()
    finally:
        outbox.close()


async def _until_told_to_stop(sampler: Sampler, sender: Sender) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(sampler.run()), tasks.create_task(sender.run())]
        await stopped.wait()
        for task in work:
            task.cancel()
    try:
        sampler.store_all()
    except OutboxUnavailable as error:
        _log.error("samples lost at the stop", error=error.message)
    _log.info("agent stops")


def _clock(settings: AgentSettings) -> Clock:
    if settings.clock is ClockKind.CHAIN and settings.rpc_url is not None:
        return ChainClock(settings.rpc_url, settings.chain_id)
    return SystemClock()


def _source(settings: AgentSettings, after_ms: int | None) -> Source:
    if settings.source in (SourceKind.TRACE, SourceKind.SELF_MADE):
        return _trace_source(settings, after_ms)
    return LiveSource(
        _meter(settings),
        settings.sample_interval_ms,
        after_ms=after_ms,
        is_billable=settings.billable is BillableKind.BUSY,
        only=frozenset(settings.gpus),
    )


def _meter(settings: AgentSettings) -> Meter:
    if settings.source is SourceKind.DCGM:
        return DcgmMeter(settings.dcgm_url)
    # Only a node with NVIDIA's driver needs its library.
    import pynvml

    return NvmlMeter(pynvml)


def _trace_source(settings: AgentSettings, after_ms: int | None) -> TraceSource:
    if settings.source is SourceKind.SELF_MADE:
        trace = self_made_trace()
    elif settings.trace is not None:
        trace = load_trace(settings.trace)
    else:
        raise ConfigurationError("the trace source needs a trace")
    replay = Replay(
        trace,
        PowerModel(settings.idle_watts, settings.peak_watts),
        part=settings.partition,
        parts=settings.partitions,
        anchor_ms=settings.anchor_ms,
        is_repeated=settings.loop,
        is_billable=settings.billable is not BillableKind.NONE,
    )
    _log.info(
        "trace read",
        trace=trace.name,
        containers=len(replay.series),
        of_containers=len(trace.series),
        rows=trace.rows,
        repeated_rows=trace.repeated_rows,
        left_out=len(trace.left_out),
        interval_ms=trace.interval_ms,
    )
    return TraceSource(replay, after_ms)


if __name__ == "__main__":
    sys.exit(main())
