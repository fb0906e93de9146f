from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.agent.sources.dcgm import DcgmMeter, parse_exposition
from api.agent.sources.live import Reading
from api.errors import SourceUnavailable
from api.types import BPS, UINT16_MAX, UINT64_MAX
from tests.support.mangled import mangled_text
from tests.support.search import searched

# As dcgm-exporter 3.3 answers with its default counters on a node with two H100, abridged.
TEXT = """\
# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).
# TYPE DCGM_FI_DEV_SM_CLOCK gauge
DCGM_FI_DEV_SM_CLOCK{gpu="0",UUID="GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52",pci_bus_id="00000000:1B:00.0",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7",DCGM_FI_DRIVER_VERSION="535.129.03"} 1980
# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7"} 412.573000
DCGM_FI_DEV_POWER_USAGE{gpu="1",UUID="GPU-2c8f3f0a-5d0e-7c5b-93e7-0b7a6a4bd0f1",device="nvidia1",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7"} 69.101000
# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Total energy consumption since boot (in mJ).
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7"} 1846723954123
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-2c8f3f0a-5d0e-7c5b-93e7-0b7a6a4bd0f1",device="nvidia1",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7"} 990113021
# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7"} 97
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-2c8f3f0a-5d0e-7c5b-93e7-0b7a6a4bd0f1",device="nvidia1",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7"} 0
# HELP DCGM_FI_DEV_XID_ERRORS Value of the last XID error encountered.
# TYPE DCGM_FI_DEV_XID_ERRORS gauge
DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7",err_code="0",err_msg="No Error"} 0
DCGM_FI_DEV_XID_ERRORS{gpu="1",UUID="GPU-2c8f3f0a-5d0e-7c5b-93e7-0b7a6a4bd0f1",device="nvidia1",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7",err_code="79",err_msg="GPU has fallen off the bus"} 79
# HELP DCGM_FI_PROF_GR_ENGINE_ACTIVE Ratio of time the graphics engine is active.
# TYPE DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge
DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="node-7"} 0.961245
"""  # noqa: E501 - as it comes
FIRST = "GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52"
SECOND = "GPU-2c8f3f0a-5d0e-7c5b-93e7-0b7a6a4bd0f1"
URL = "http://node-7:9400/metrics"


def without(*metrics: str, text: str = TEXT) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(metrics))


def test_parse_exposition__default_counters__are_the_readings() -> None:
    readings = parse_exposition(TEXT)
    assert readings.gpus == (
        Reading(SECOND, 0, 990_113_021, 69_101, 79),
        Reading(FIRST, 9_700, 1_846_723_954_123, 412_573, 0),
    )
    assert readings.missing == ()


def test_parse_exposition__no_energy_counter__leaves_power() -> None:
    first = parse_exposition(without("DCGM_FI_DEV_TOTAL_ENERGY")).gpus[1]
    assert (first.energy_mj, first.power_mw) == (None, 412_573)


def test_parse_exposition__no_xid_metric__is_no_error() -> None:
    assert [gpu.xid for gpu in parse_exposition(without("DCGM_FI_DEV_XID")).gpus] == [0, 0]


def test_parse_exposition__no_utilisation_but_engine_activity__takes_that() -> None:
    readings = parse_exposition(without("DCGM_FI_DEV_GPU_UTIL"))
    assert [(gpu.uuid, gpu.busy_bps) for gpu in readings.gpus] == [(FIRST, 9_612)]
    assert readings.missing == (
        f"GPU {SECOND}: neither DCGM_FI_DEV_GPU_UTIL nor DCGM_FI_PROF_GR_ENGINE_ACTIVE is there",
    )


def test_parse_exposition__no_utilisation_at_all__is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match=f"GPU {FIRST}: neither DCGM_FI_DEV_GPU_UTIL"):
        parse_exposition(without("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF"))


def test_parse_exposition__no_gpu__is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="gives neither"):
        parse_exposition("# HELP up x\n# TYPE up gauge\nup 1\n")


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_parse_exposition__impossible_value__is_missing_with_the_reason(value: str) -> None:
    text = TEXT.replace('"} 97\n', f'"}} {value}\n')
    text = without("DCGM_FI_PROF", text=text)
    readings = parse_exposition(text)
    assert [gpu.uuid for gpu in readings.gpus] == [SECOND]
    assert readings.missing[0].startswith(f"GPU {FIRST}: DCGM_FI_DEV_GPU_UTIL is ")


def test_parse_exposition__instances_of_one_gpu__are_their_mean() -> None:
    mig = "".join(
        f'DCGM_FI_PROF_GR_ENGINE_ACTIVE{{gpu="0",UUID="GPU-m",GPU_I_ID="{number}"}} {busy}\n'
        f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-m",GPU_I_ID="{number}"}} 500\n'
        f'DCGM_FI_DEV_XID_ERRORS{{gpu="0",UUID="GPU-m",GPU_I_ID="{number}"}} {xid}\n'
        for number, busy, xid in ((1, 0.5, 13), (2, 0.1, 48))
    )
    assert parse_exposition(mig).gpus == (Reading("GPU-m", 3_000, 500, None, 48),)


@pytest.mark.parametrize("text", ["<html>502</html>\n", 'a{b="c} 1\n', "a b c d\n"])
def test_parse_exposition__no_prometheus_text__is_unavailable(text: str) -> None:
    with pytest.raises(SourceUnavailable):
        parse_exposition(text)


METRICS = (
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_XID_ERRORS",
)
_NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "1",
        "97.5",
        "1e400",
        "-1e-400",
        "2e19",
        "1_0",
        "0x1",
        "NaN",
        "-Inf",
        "",
        "1 -1",
        "é",
    ]
)


@st.composite
def expositions(draw: st.DrawFn) -> str:
    """Lines as an exporter could write them, with any number and any label's value."""
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        metric = draw(st.sampled_from([*METRICS, "up"]))
        uuid = draw(st.sampled_from([FIRST, SECOND, "", r"\"", "\\"]) | st.text(max_size=8))
        lines.append(f'{metric}{{gpu="0",UUID="{uuid}"}} {draw(_NUMBERS)}')
        if draw(st.booleans()):
            kind = draw(st.sampled_from(["gauge", "counter", "histogram", "summary", "x", ""]))
            lines.append(f"# TYPE {metric} {kind}")
    return "\n".join(lines) + draw(st.sampled_from(["\n", ""]))


@pytest.mark.property
@searched(300)
@given(
    mangled_text(TEXT.encode()).map(lambda text: text.decode(errors="replace"))
    | expositions()
    | st.text(max_size=200)
)
def test_parse_exposition__any_text__gives_possible_readings_or_is_unavailable(text: str) -> None:
    try:
        readings = parse_exposition(text)
    except SourceUnavailable:
        return
    assert readings.gpus
    assert len({gpu.uuid for gpu in readings.gpus}) == len(readings.gpus)
    for gpu in readings.gpus:
        assert gpu.uuid
        assert 0 <= gpu.busy_bps <= BPS
        assert 0 <= gpu.xid <= UINT16_MAX
        assert gpu.energy_mj is None or 0 <= gpu.energy_mj <= UINT64_MAX
        assert gpu.power_mw is None or gpu.power_mw >= 0


def meter_with(answer: httpx.Response | Exception) -> DcgmMeter:
    def handle(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL
        if isinstance(answer, Exception):
            raise answer
        return answer

    return DcgmMeter(URL, httpx.AsyncClient(transport=httpx.MockTransport(handle)))


async def test_read__an_exporter__is_what_its_text_says() -> None:
    meter = meter_with(httpx.Response(200, text=TEXT))
    assert await meter.read() == parse_exposition(TEXT)
    await meter.close()


async def test_read__exporter_away__is_unavailable() -> None:
    meter = meter_with(httpx.ConnectError("refused"))
    with pytest.raises(SourceUnavailable, match="cannot be reached: ConnectError refused"):
        await meter.read()
    await meter.close()


async def test_read__exporter_in_trouble__is_unavailable_with_its_status() -> None:
    meter = meter_with(httpx.Response(503))
    with pytest.raises(SourceUnavailable, match="answers 503"):
        await meter.read()
    await meter.close()


async def test_read__endless_answer__is_unavailable() -> None:
    meter = meter_with(httpx.Response(200, content=b"#" * (16 * 1024 * 1024 + 1)))
    with pytest.raises(SourceUnavailable, match="16777217 bytes, at most 16777216"):
        await meter.read()
    await meter.close()
