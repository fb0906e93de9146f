from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from api.agent import sampler as sampler_module
from api.agent.outbox import Outbox
from api.agent.sampler import Sampler
from api.agent.sources.source import Collected
from api.clock import ManualClock
from api.domain.samples import Sample, SampleBatch, parse_batch
from api.errors import OutboxUnavailable, SourceUnavailable
from api.types import ClusterId, EnergySource, GpuId
from tests.unit.api.agent.batches import DOMAIN, SIGNER, A

HOUR_MS = 3_600_000
GPUS = [GpuId(bytes([number]) * 32) for number in range(1, 5)]
Given = Collected | SourceUnavailable | None


class ScriptedSource:
    """Gives what is in its list, one a call; then nothing."""

    energy_source = EnergySource.METERED

    def __init__(self, *given: Given) -> None:
        self.given = list(given)

    async def collect(self, now_ms: int) -> Collected | None:
        following = self.given.pop(0) if self.given else None
        if isinstance(following, SourceUnavailable):
            raise following
        return following

    async def close(self) -> None:
        """Nothing is held."""


def taken(*moments: int, through_ms: int | None = None, gpus: int = 1) -> Collected:
    samples = [Sample(gpu, at, 100, 0, at, 0) for at in moments for gpu in GPUS[:gpus]]
    return Collected(samples, moments[-1] if through_ms is None else through_ms)


@pytest.fixture
def outbox(outbox_at: Callable[..., Outbox]) -> Outbox:
    return outbox_at(A)


def sampler_of(
    outbox: Outbox, source: ScriptedSource, *, batch: int = 1_000, flush_ms: int = 60_000
) -> Sampler:
    return Sampler(
        source,
        outbox,
        ManualClock(100 * HOUR_MS),
        SIGNER,
        DOMAIN,
        ClusterId(1),
        on_stored=lambda: None,
        max_batch_samples=batch,
        flush_ms=flush_ms,
        poll_ms=10,
        retention_ms=86_400_000,
    )


def stored(outbox: Outbox) -> list[SampleBatch]:
    found: list[SampleBatch] = []
    while delivery := outbox.next_for(A, found[-1].sequence if found else 0):
        signed = parse_batch(delivery.body)
        signed.verify(DOMAIN)
        found.append(signed.batch)
    return found


def shape(batches: list[SampleBatch]) -> list[tuple[int, int]]:
    """(samples, throughMs) of each."""
    return [(len(batch.samples), batch.through_ms) for batch in batches]


async def steps(sampler: Sampler, count: int) -> None:
    for _ in range(count):
        await sampler.step()


async def test_step__within_an_epoch__waits_for_more(outbox: Outbox) -> None:
    await steps(sampler_of(outbox, ScriptedSource(taken(5), taken(10))), 2)
    assert stored(outbox) == []


async def test_step__epoch_over__stores_it_with_its_watermark(outbox: Outbox) -> None:
    source = ScriptedSource(taken(5), taken(10), taken(20, through_ms=HOUR_MS))
    await steps(sampler_of(outbox, source), 3)
    (batch,) = stored(outbox)
    assert [sample.at_ms for sample in batch.samples] == [5, 10, 20]
    assert (batch.through_ms, batch.sequence, batch.agent) == (HOUR_MS, 1, SIGNER.address)
    assert batch.energy_source is EnergySource.METERED


async def test_step__epoch_over_in_silence__declares_just_that(outbox: Outbox) -> None:
    source = ScriptedSource(
        taken(5, through_ms=HOUR_MS), Collected([], HOUR_MS + 7), Collected([], 2 * HOUR_MS)
    )
    await steps(sampler_of(outbox, source), 3)
    assert shape(stored(outbox)) == [(1, HOUR_MS), (0, 2 * HOUR_MS)]


async def test_step__nothing_ever_collected__declares_nothing(outbox: Outbox) -> None:
    source = ScriptedSource(Collected([], 5 * HOUR_MS), Collected([], 5 * HOUR_MS + 9))
    await steps(sampler_of(outbox, source), 2)
    assert stored(outbox) == []


async def test_step__batch_full__is_stored_in_parts(outbox: Outbox) -> None:
    await steps(sampler_of(outbox, ScriptedSource(taken(5, 6, 7, gpus=4)), batch=5), 1)
    # Only the last part of an instant declares it.
    assert shape(stored(outbox)) == [(5, 5), (5, 6), (2, 7)]


async def test_step__more_than_an_epochs_length__is_stored_in_parts(outbox: Outbox) -> None:
    await steps(sampler_of(outbox, ScriptedSource(taken(5, HOUR_MS, HOUR_MS + 5, 9 * HOUR_MS))), 1)
    assert shape(stored(outbox)) == [
        (2, HOUR_MS + 4),
        (1, 9 * HOUR_MS - 1),
        (1, 9 * HOUR_MS),
    ]


async def test_step__waited_long_enough__is_stored(outbox: Outbox) -> None:
    await steps(sampler_of(outbox, ScriptedSource(taken(5)), flush_ms=0), 1)
    assert shape(stored(outbox)) == [(1, 5)]


async def test_step__source_behind_the_clock__says_so(outbox: Outbox) -> None:
    source = ScriptedSource(taken(5), taken(6, through_ms=100 * HOUR_MS), None)
    sampler = sampler_of(outbox, source)
    assert [await sampler.step() for _ in range(3)] == [True, False, False]


async def test_step__source_unavailable__stores_what_was_collected(outbox: Outbox) -> None:
    source = ScriptedSource(taken(5), SourceUnavailable("gone"))
    sampler = sampler_of(outbox, source, flush_ms=20)
    await sampler.step()
    await asyncio.sleep(0.03)
    with pytest.raises(SourceUnavailable, match="gone"):
        await sampler.step()
    assert shape(stored(outbox)) == [(1, 5)]


async def test_step__disk_full_for_a_while__loses_and_repeats_nothing(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, room = outbox.append, [1, 0, 9]

    def full(*arguments: object) -> object:
        if room[0] == 0:
            room.pop(0)
            raise OutboxUnavailable("disk is full")
        room[0] -= 1
        return append(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox, "append", full)
    source = ScriptedSource(taken(5, 6, 7, 8), taken(9), taken(10), taken(11))
    sampler = sampler_of(outbox, source, batch=2)
    for expected in (True, True, False, False):
        if expected:
            with pytest.raises(OutboxUnavailable):
                await sampler.step()
        else:
            await sampler.step()
    sampler.store_all()
    batches = stored(outbox)
    assert [sample.at_ms for batch in batches for sample in batch.samples] == list(range(5, 12))
    assert [batch.sequence for batch in batches] == list(range(1, len(batches) + 1))


async def test_step__disk_full_and_memory_full__stops_sampling(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler_module, "MAX_PENDING_SAMPLES", 3)

    def full(*_: object) -> object:
        raise OutboxUnavailable("disk is full")

    monkeypatch.setattr(outbox, "append", full)
    source = ScriptedSource(taken(5, 6), taken(7, 8), taken(9), taken(10))
    sampler = sampler_of(outbox, source, batch=1)
    for _ in range(4):
        with pytest.raises(OutboxUnavailable):
            await sampler.step()
    assert source.given == [taken(9), taken(10)]


async def test_store_all__at_a_stop__stores_what_waits(outbox: Outbox) -> None:
    sampler = sampler_of(outbox, ScriptedSource(taken(5)))
    await sampler.step()
    sampler.store_all()
    sampler.store_all()
    assert shape(stored(outbox)) == [(1, 5)]


async def test_sampler__started_again__goes_on_with_the_next_sequence(
    outbox_at: Callable[..., Outbox],
) -> None:
    first = sampler_of(outbox_at(A), ScriptedSource(taken(5, through_ms=HOUR_MS)))
    await first.step()
    again = outbox_at(A)
    await sampler_of(again, ScriptedSource(taken(HOUR_MS + 1, through_ms=2 * HOUR_MS))).step()
    assert [(b.sequence, b.through_ms) for b in stored(again)] == [(1, HOUR_MS), (2, 2 * HOUR_MS)]


async def test_run__trouble_that_passes__samples_again(outbox: Outbox) -> None:
    source = ScriptedSource(SourceUnavailable("gone"), taken(5))
    task = asyncio.create_task(sampler_of(outbox, source, flush_ms=0).run())
    async with asyncio.timeout(10):
        while outbox.owed(A) == 0:  # noqa: ASYNC110 - the outbox has no event to offer
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_run__old_deliveries__are_given_up(outbox: Outbox) -> None:
    outbox.append(lambda sequence: sampler_of(outbox, ScriptedSource())._sign(1, [], sequence), 0)
    sampler = sampler_of(outbox, ScriptedSource(taken(5)), flush_ms=0)
    await sampler.step()
    assert shape(stored(outbox)) == [(1, 5)]
    assert [refusal.sequence for refusal in outbox.refusals()] == [1]
