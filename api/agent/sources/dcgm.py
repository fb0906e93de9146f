"""A dcgm-exporter as a meter: its Prometheus text, one GET a reading.

Metrics, by the exporter's default counters:

- DCGM_FI_DEV_GPU_UTIL (percent busy); where a GPU has none (MIG),
  DCGM_FI_PROF_GR_ENGINE_ACTIVE (0 to 1).
- DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION (mJ since the driver was loaded); else
  DCGM_FI_DEV_POWER_USAGE (W), to be integrated.
- DCGM_FI_DEV_XID_ERRORS: the code of the last error, not a count. It stays after a repair until the
  exporter starts again; restart the exporter when a GPU comes back.

A GPU is named by its label UUID. Several instances of one (MIG) count as their mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api.agent.sources.live import Reading, Readings
from api.errors import SourceUnavailable
from api.types import BPS, DRAINING_XIDS, UINT16_MAX, UINT64_MAX

_BUSY = "DCGM_FI_DEV_GPU_UTIL"
_ENGINE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
_ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
_POWER = "DCGM_FI_DEV_POWER_USAGE"
_XID = "DCGM_FI_DEV_XID_ERRORS"
_SCALES = {
    _BUSY: BPS // 100,
    _ENGINE: BPS,
    _ENERGY: 1,
    _POWER: 1_000,
    _XID: 1,
}

MAX_BYTES = 16 * 1024 * 1024
TIMEOUT_SECONDS = 5.0


@dataclass(slots=True)
class _Seen:
    """What the text says of one GPU, in the units of a Reading."""

    values: dict[str, list[int]] = field(default_factory=dict)

    def add(self, metric: str, value: int) -> None:
        self.values.setdefault(metric, []).append(value)

    def reading(self, uuid: str) -> Reading | None:
        busy = self.values.get(_BUSY) or self.values.get(_ENGINE)
        if busy is None:
            return None
        # Energy and power are the board's: every instance repeats them.
        energy = max(self.values.get(_ENERGY, ()), default=None)
        power = max(self.values.get(_POWER, ()), default=None)
        xids = self.values.get(_XID, [0])
        xid = next((xid for xid in xids if xid in DRAINING_XIDS), xids[0])
        return Reading(uuid, min(sum(busy) // len(busy), BPS), energy, power, xid)


def parse_exposition(text: str) -> Readings:
    """The readings in an exporter's text.

    Raises:
        SourceUnavailable: It is no Prometheus text, or no GPU in it says how busy it is.
    """
    gpus: dict[str, _Seen] = {}
    missing: list[str] = []
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                # The parser gives counters OpenMetrics' ending, which the exporter does not write.
                metric = sample.name.removesuffix("_total")
                scale = _SCALES.get(metric)
                uuid = sample.labels.get("UUID", "")
                if scale is None or not uuid:
                    continue
                seen = gpus.setdefault(uuid, _Seen())
                value = _integer(sample.value, scale, metric)
                if value is None:
                    missing.append(f"GPU {uuid}: {metric} is {sample.value}")
                else:
                    seen.add(metric, value)
    except (ValueError, KeyError, IndexError) as error:
        raise SourceUnavailable(f"the exporter's answer is no Prometheus text: {error}") from None
    readings = []
    for uuid, seen in sorted(gpus.items()):
        reading = seen.reading(uuid)
        if reading is None:
            missing.append(f"GPU {uuid}: neither {_BUSY} nor {_ENGINE} is there")
        else:
            readings.append(reading)
    if not readings:
        raise SourceUnavailable(
            "; ".join(missing) or f"the exporter gives neither {_BUSY} nor {_ENGINE} of any GPU"
        )
    return Readings(tuple(readings), tuple(missing))


def _integer(value: float, scale: int, metric: str) -> int | None:
    """The value in whole units; None if it is not a number or impossible.

    Prometheus' values are doubles: a counter is exact up to 2^53 mJ (285 years at 1 kW).
    """
    if not isfinite(value) or value < 0:
        return None
    number = int(Decimal(repr(value)) * scale)
    return number if number <= (UINT16_MAX if metric == _XID else UINT64_MAX) else None


class DcgmMeter:
    """The GPUs of the dcgm-exporter at `url`."""

    poll_ms = 10_000

    def __init__(self, url: str, client: httpx.AsyncClient | None = None) -> None:
        self._url = url
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT_SECONDS)

    async def read(self) -> Readings:
        try:
            answer = await self._client.get(self._url)
        except httpx.HTTPError as error:
            raise SourceUnavailable(
                f"{self._url} cannot be reached: {type(error).__name__} {error}", value=self._url
            ) from None
        if answer.status_code != httpx.codes.OK:
            raise SourceUnavailable(
                f"{self._url} answers {answer.status_code}", value=answer.status_code, limit=200
            )
        if len(answer.content) > MAX_BYTES:
            raise SourceUnavailable(
                f"{self._url} answers {len(answer.content)} bytes, at most {MAX_BYTES} are read",
                value=len(answer.content),
                limit=MAX_BYTES,
            )
        return parse_exposition(answer.text)

    async def close(self) -> None:
        await self._client.aclose()
