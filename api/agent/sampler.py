"""Turns what the source gives into signed batches in the outbox.

A batch is made when an epoch is over (the reporters wait for it), when it is full, or when its
samples have waited long enough, whatever comes first. Its `throughMs` declares that no more samples
up to there will come; a batch without samples declares just that, when an epoch ended in silence.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter

import structlog

from api.agent.outbox import Outbox
from api.agent.sources.source import Collected, Source
from api.clock import Clock, SystemClock
from api.domain.eip712 import Eip712Domain
from api.domain.epochs import EPOCH_MS, epoch_at_ms
from api.domain.samples import Sample, SampleBatch, SignedBatch, sign_batch
from api.domain.signing import Signer
from api.errors import SourceUnavailable, Unavailable
from api.types import ClusterId

_log = structlog.get_logger(__name__)

MAX_PENDING_SAMPLES = 100_000
"""Held in memory while the disk takes nothing; above it sampling pauses, which is downtime."""

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0


class Sampler:
    """One agent's way from the clock to the outbox."""

    def __init__(
        self,
        source: Source,
        outbox: Outbox,
        clock: Clock,
        signer: Signer,
        domain: Eip712Domain,
        cluster_id: ClusterId,
        *,
        on_stored: Callable[[], None],
        max_batch_samples: int,
        flush_ms: int,
        poll_ms: int,
        retention_ms: int,
    ) -> None:
        """
        Args:
            source: Already set to go on after what the outbox holds.
            domain: Of the batches' signatures, `agent_domain`'s.
            on_stored: Called when a batch is on disk.
            max_batch_samples: Most samples in a batch.
            flush_ms: Longest that samples wait for their batch, by the machine's clock.
            poll_ms: Pause between two looks at the clock.
            retention_ms: Batches that are in the outbox for longer are given up.
        """
        self._source = source
        self._outbox = outbox
        self._clock = clock
        self._signer = signer
        self._domain = domain
        self._cluster_id = cluster_id
        self._on_stored = on_stored
        self._max_batch_samples = max_batch_samples
        self._flush_seconds = flush_ms / 1_000
        self._poll_seconds = poll_ms / 1_000
        self._retention_ms = retention_ms
        self._pending: list[Sample] = []
        self._waiting_since: float | None = None
        self._stored_through_ms = outbox.through_ms
        self._through_ms = self._stored_through_ms
        # How long a batch waits is the disk's matter: a replay's clock may pass days in seconds.
        self._machine_clock = SystemClock()
        self._expired_at_ms = 0
        self._missing: tuple[str, ...] = ()

    async def run(self) -> None:
        """Sample for ever; what may pass by itself is tried again."""
        failures = 0
        while True:
            try:
                is_behind = await self.step()
            except Unavailable as error:
                failures += 1
                # Every power of two: it shall be seen, and not fill the log.
                if failures & (failures - 1) == 0:
                    _log.error(
                        "cannot sample", code=error.code, error=error.message, times=failures
                    )
                pause = _FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10)
                await asyncio.sleep(min(pause, _LONGEST_PAUSE_SECONDS))
                continue
            if failures:
                _log.info("samples again", after_failures=failures)
                failures = 0
            # Catching up, the others get their turn after every step.
            await asyncio.sleep(0 if is_behind else self._poll_seconds)

    async def step(self) -> bool:
        """Collect what is new and store what is due; whether the source has more at once.

        Raises:
            SourceUnavailable, ChainUnavailable: No reading, no time. What was collected before is
                stored nevertheless.
            OutboxUnavailable: The disk took nothing; the samples stay in memory.
        """
        now_ms = self._clock.now_ms()
        collected: Collected | None = None
        try:
            if len(self._pending) < MAX_PENDING_SAMPLES:
                collected = await self._source.collect(now_ms)
        except SourceUnavailable:
            self.store_due()
            raise
        if collected is not None:
            self._take(collected)
        self.store_due()
        return collected is not None and collected.through_ms < now_ms

    def store_due(self) -> None:
        """Store what is due. Raises OutboxUnavailable."""
        if self._is_due():
            self.store_all()

    def store_all(self) -> None:
        """Store everything collected, due or not. Raises OutboxUnavailable."""
        if self._through_ms is None or self._through_ms == self._stored_through_ms:
            return
        for samples, through_ms in self._portions(self._through_ms):
            signed = self._outbox.append(
                partial(self._sign, through_ms, samples), self._machine_clock.now_ms()
            )
            # Only now: if the next portion fails, this one is not made again.
            del self._pending[: len(samples)]
            self._stored_through_ms = through_ms
            self._on_stored()
            _log.info(
                "batch stored",
                sequence=signed.batch.sequence,
                samples=len(samples),
                through_ms=through_ms,
            )
        self._waiting_since = None
        self._give_up_old()

    def _take(self, collected: Collected) -> None:
        if self._through_ms is None:
            # Nothing was ever declared: the first epoch is the one of the first sample.
            self._stored_through_ms = (
                collected.samples[0].at_ms - 1 if collected.samples else collected.through_ms
            )
        self._through_ms = collected.through_ms
        self._pending.extend(collected.samples)
        if self._pending and self._waiting_since is None:
            self._waiting_since = time.monotonic()
        if collected.missing != self._missing:
            self._missing = collected.missing
            _log.warning("GPUs without a reading changed", missing=list(self._missing))

    def _is_due(self) -> bool:
        if self._through_ms is None or self._stored_through_ms is None:
            return False
        return (
            epoch_at_ms(self._through_ms) > epoch_at_ms(self._stored_through_ms)
            or len(self._pending) >= self._max_batch_samples
            or (
                self._waiting_since is not None
                and time.monotonic() - self._waiting_since >= self._flush_seconds
            )
        )

    def _portions(self, through_ms: int) -> Iterator[tuple[list[Sample], int]]:
        """What is pending in portions of a batch each, with the instant that each declares."""
        pending = self._pending.copy()
        start = 0
        while start < len(pending):
            # At most an epoch's length: after a long time without a disk there may be more.
            longest = bisect_left(pending, pending[start].at_ms + EPOCH_MS, key=itemgetter(1))
            end = min(start + self._max_batch_samples, longest)
            # An instant may be cut in two: it is complete only with the last of it.
            declared_ms = pending[end].at_ms - 1 if end < len(pending) else through_ms
            yield pending[start:end], declared_ms
            start = end
        if not pending:
            yield [], through_ms

    def _sign(self, through_ms: int, samples: list[Sample], sequence: int) -> SignedBatch:
        batch = SampleBatch.of(
            self._cluster_id,
            self._signer.address,
            sequence,
            through_ms,
            self._source.energy_source,
            samples,
        )
        return sign_batch(batch, self._signer, self._domain)

    def _give_up_old(self) -> None:
        now_ms = self._machine_clock.now_ms()
        if now_ms - self._expired_at_ms < EPOCH_MS:
            return
        self._expired_at_ms = now_ms
        expired = self._outbox.expire(now_ms - self._retention_ms)
        if expired:
            _log.error("deliveries given up for their age", deliveries=expired)
