from __future__ import annotations

from collections.abc import Callable

import pytest

from api.agent.sources.live import LiveSource, Reading, Readings
from api.agent.sources.source import Collected
from api.domain.codec import gpu_id_of
from api.errors import SourceUnavailable
from api.types import EnergySource

INTERVAL = 60_000
GPU = Reading("GPU-a", 5_000, 1_000, None, 0)


class ScriptedMeter:
    """Shows what a function of the number of the reading says."""

    poll_ms = 10_000

    def __init__(self, show: Callable[[int], Readings]) -> None:
        self._show = show
        self.reads = 0
        self.is_closed = False

    async def read(self) -> Readings:
        self.reads += 1
        return self._show(self.reads - 1)

    async def close(self) -> None:
        self.is_closed = True


def showing(*gpus: Reading, missing: tuple[str, ...] = ()) -> ScriptedMeter:
    return ScriptedMeter(lambda _: Readings(gpus, missing))


async def run(
    source: LiveSource, start_ms: int, end_ms: int, step_ms: int = 10_000
) -> list[Collected]:
    found = [await source.collect(now_ms) for now_ms in range(start_ms, end_ms, step_ms)]
    return [collected for collected in found if collected is not None]


async def test_collect__every_interval__gives_a_sample_a_gpu() -> None:
    other = Reading("GPU-b", 100, 5, None, 31)
    collected = await run(LiveSource(showing(GPU, other), INTERVAL), 30_000, 250_000)
    assert [one.through_ms for one in collected] == [60_000, 120_000, 180_000, 240_000]
    assert [sample.gpu for sample in collected[0].samples] == [
        gpu_id_of("GPU-a"),
        gpu_id_of("GPU-b"),
    ]
    assert collected[0].samples[0][1:] == (60_000, 5_000, 0, 1_000, 0)
    assert collected[0].samples[1][1:] == (60_000, 100, 0, 5, 31)


async def test_collect__busy__is_the_mean_of_the_intervals_readings() -> None:
    def busy(number: int) -> Readings:
        return Readings((Reading("GPU-a", 1_000 * (number % 6), 0, None, 0),))

    collected = await run(LiveSource(ScriptedMeter(busy), INTERVAL), 10_000, 190_000)
    assert [one.samples[0].busy_bps for one in collected] == [2_500, 2_500, 2_500]


async def test_collect__between_polls__does_not_read() -> None:
    meter = showing(GPU)
    await run(LiveSource(meter, INTERVAL), 1_000, 21_000, step_ms=100)
    assert meter.reads == 2


async def test_collect__billable__is_all_busy_time() -> None:
    source = LiveSource(showing(GPU), INTERVAL, is_billable=True)
    assert (await run(source, 30_000, 70_000))[0].samples[0].billable_bps == 5_000


async def test_collect__no_counter__integrates_power() -> None:
    def power(number: int) -> Readings:
        return Readings((Reading("GPU-a", 0, None, 400_000 if number % 2 else 200_000, 0),))

    collected = await run(LiveSource(ScriptedMeter(power), INTERVAL), 0, 190_000)
    # 300 W on average: 300 mJ a millisecond.
    assert [one.samples[0].energy_mj for one in collected] == [
        18_000_000,
        36_000_000,
        54_000_000,
    ]


async def test_collect__power_after_a_pause__does_not_claim_the_pause() -> None:
    source = LiveSource(showing(Reading("GPU-a", 0, None, 1_000, 0)), INTERVAL)
    await run(source, 0, 20_000)
    collected = await run(source, 600_000, 670_000)
    assert collected[-1].samples[0].energy_mj == 10_000 + 60_000


async def test_collect__neither_counter_nor_power__claims_no_energy() -> None:
    source = LiveSource(showing(Reading("GPU-a", 0, None, None, 0)), INTERVAL)
    assert {one.samples[0].energy_mj for one in await run(source, 0, 300_000)} == {0}


async def test_collect__counter_reset__is_passed_on_as_it_is() -> None:
    def counter(number: int) -> Readings:
        return Readings((Reading("GPU-a", 0, (0, 500, 900, 20, 60)[number], None, 0),))

    source = LiveSource(ScriptedMeter(counter), 10_000)
    collected = await run(source, 0, 50_000)
    assert [one.samples[0].energy_mj for one in collected] == [500, 900, 20, 60]


async def test_collect__draining_error_in_the_interval__outweighs_later_ones() -> None:
    def xid(number: int) -> Readings:
        return Readings((Reading("GPU-a", 0, 0, None, {1: 13, 3: 79, 4: 31}.get(number, 0)),))

    collected = await run(LiveSource(ScriptedMeter(xid), INTERVAL), 0, 130_000)
    assert [one.samples[0].xid for one in collected] == [79, 0]


async def test_collect__gpu_gone__has_no_sample_and_is_named() -> None:
    other = Reading("GPU-b", 1, 1, None, 0)

    def gone(number: int) -> Readings:
        return Readings((GPU, other)) if number < 3 else Readings((GPU,), ("GPU-b fell off",))

    collected = await run(LiveSource(ScriptedMeter(gone), INTERVAL), 0, 70_000)
    assert [sample.gpu for sample in collected[0].samples] == [gpu_id_of("GPU-a")]
    assert collected[0].missing == ("GPU-b fell off", "GPU GPU-b gave no reading")


async def test_collect__only_some_registered__speaks_for_those() -> None:
    other = Reading("GPU-b", 1, 1, None, 0)
    source = LiveSource(showing(GPU, other), INTERVAL, only=frozenset({"GPU-b", "GPU-c"}))
    collected = await run(source, 30_000, 70_000)
    assert [sample.gpu for sample in collected[0].samples] == [gpu_id_of("GPU-b")]
    assert collected[0].missing == ("GPU GPU-c gave no reading",)


async def test_collect__no_gpu_at_all__is_unavailable_and_comes_back() -> None:
    def away(number: int) -> Readings:
        return Readings((), ("GPU GPU-a: GPU is lost",)) if number == 1 else Readings((GPU,))

    source = LiveSource(ScriptedMeter(away), INTERVAL)
    assert await source.collect(30_000) is None
    with pytest.raises(SourceUnavailable, match="GPU is lost"):
        await source.collect(60_000)
    collected = await source.collect(61_000)
    assert collected is not None
    assert collected.through_ms == 61_000


async def test_collect__clock_set_back__waits_until_it_has_caught_up() -> None:
    source = LiveSource(showing(GPU), INTERVAL, after_ms=100_000)
    collected = await run(source, 0, 200_000)
    assert [one.through_ms for one in collected] == [120_000, 180_000]


async def test_close__of_the_source__closes_the_meter() -> None:
    meter = showing(GPU)
    source = LiveSource(meter, INTERVAL)
    assert source.energy_source is EnergySource.METERED
    await source.close()
    assert meter.is_closed
