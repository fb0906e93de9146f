from __future__ import annotations

import pynvml
import pytest

from api.agent.sources.live import Reading
from api.agent.sources.nvml import NvmlMeter
from api.errors import SourceUnavailable
from tests.unit.api.agent.nvml_stand_in import Gpu, NvmlStandIn, lost


async def test_read__gpus_with_a_counter__are_their_readings() -> None:
    nvml = NvmlStandIn(Gpu("GPU-a", 37, 123_456), Gpu("GPU-b", 0, 7))
    meter = NvmlMeter(nvml)
    readings = await meter.read()
    assert readings.gpus == (
        Reading("GPU-a", 3_700, 123_456, None, 0),
        Reading("GPU-b", 0, 7, None, 0),
    )
    assert readings.missing == ()
    await meter.close()
    assert (nvml.starts, nvml.stops) == (1, 1)


async def test_read__no_counter__gives_power_instead() -> None:
    meter = NvmlMeter(NvmlStandIn(Gpu("GPU-a", 1, None, power_mw=250_000)))
    assert (await meter.read()).gpus == (Reading("GPU-a", 100, None, 250_000, 0),)


async def test_read__neither_counter_nor_power__gives_neither() -> None:
    meter = NvmlMeter(NvmlStandIn(Gpu("GPU-a", 1, None)))
    assert (await meter.read()).gpus == (Reading("GPU-a", 100, None, None, 0),)


async def test_read__error_of_the_application__is_shown_once() -> None:
    nvml = NvmlStandIn(Gpu("GPU-a"), Gpu("GPU-b"))
    meter = NvmlMeter(nvml)
    nvml.xids.append((nvml.gpus[1], 31))
    assert [gpu.xid for gpu in (await meter.read()).gpus] == [0, 31]
    assert [gpu.xid for gpu in (await meter.read()).gpus] == [0, 0]


async def test_read__draining_error__is_held_until_the_gpu_is_reset() -> None:
    nvml = NvmlStandIn(Gpu("GPU-a", energy_mj=1_000))
    meter = NvmlMeter(nvml)
    nvml.xids += [(nvml.gpus[0], 79), (nvml.gpus[0], 31)]
    for energy_mj, xid in ((1_000, 79), (1_100, 79), (5, 0), (10, 0)):
        nvml.gpus[0].energy_mj = energy_mj
        assert [gpu.xid for gpu in (await meter.read()).gpus] == [xid]


async def test_read__failed_row_remapping__is_a_draining_error() -> None:
    meter = NvmlMeter(NvmlStandIn(Gpu("GPU-a", failed_remapping=True), Gpu("GPU-b")))
    assert [gpu.xid for gpu in (await meter.read()).gpus] == [64, 0]


async def test_read__platform_without_events__reads_all_the_same() -> None:
    meter = NvmlMeter(NvmlStandIn(Gpu("GPU-a", 5), has_events=False))
    assert [gpu.busy_bps for gpu in (await meter.read()).gpus] == [500]


async def test_read__gpu_in_mig_mode__is_missing_with_the_reason() -> None:
    unsupported = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    meter = NvmlMeter(NvmlStandIn(Gpu("GPU-a", unsupported), Gpu("GPU-b", 5)))
    readings = await meter.read()
    assert [gpu.uuid for gpu in readings.gpus] == ["GPU-b"]
    assert readings.missing == ("GPU GPU-a: Not Supported",)


async def test_read__gpu_lost_and_reset__comes_back_under_a_new_handle() -> None:
    nvml = NvmlStandIn(Gpu("GPU-a", lost(), 500), Gpu("GPU-b", 5))
    meter = NvmlMeter(nvml, reopen_seconds=0)
    nvml.xids.append((nvml.gpus[0], 79))
    readings = await meter.read()
    assert [gpu.uuid for gpu in readings.gpus] == ["GPU-b"]
    assert readings.missing == ("GPU GPU-a: GPU is lost",)
    nvml.gpus[0] = Gpu("GPU-a", 60, 600)
    assert (await meter.read()).gpus[0] == Reading("GPU-a", 6_000, 600, None, 79)
    assert nvml.starts == 2
    assert nvml.watched == nvml.gpus
    nvml.gpus[0].energy_mj = 3
    assert (await meter.read()).gpus[0].xid == 0


def test_nvml_meter__no_gpu__is_a_clear_error() -> None:
    nvml = NvmlStandIn()
    with pytest.raises(SourceUnavailable, match="the NVIDIA driver lists no GPU"):
        NvmlMeter(nvml)
    assert nvml.stops == nvml.starts


def test_nvml_meter__real_library_without_a_driver__is_a_clear_error() -> None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        with pytest.raises(SourceUnavailable, match="NVML does not start"):
            NvmlMeter(pynvml)
    else:
        pynvml.nvmlShutdown()
        pytest.skip("this machine has an NVIDIA driver")


def test_stand_in__everything_it_offers__is_in_the_real_module() -> None:
    offered = [name for name in dir(NvmlStandIn) if name.startswith(("nvml", "NVML"))]
    assert len(offered) >= 18
    assert all(hasattr(pynvml, name) for name in offered)
