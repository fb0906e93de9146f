"""NVIDIA's management library (NVML) as a meter, through nvidia-ml-py.

What it can and cannot see:

- Utilisation is `nvmlDeviceGetUtilizationRates().gpu`: the percentage of the last sample period (a
  sixth of a second to a second, by model) in which a kernel ran. It means busy, not useful. GPUs in
  MIG mode do not have it and give no reading.
- Energy is `nvmlDeviceGetTotalEnergyConsumption`: millijoules since the driver was loaded, from
  Volta on. Where it is missing, power is given instead, to be integrated (a coarser figure).
- XID errors come as events while this process runs; what happened before it started cannot be asked
  for. One that takes a GPU out of work is held until the GPU is reset, which shows as an energy
  counter that begins anew, or until the agent starts again. A failed row remapping is a state, not
  an event, and shows as XID 64 whenever it happened. Where events are not supported (virtual GPUs,
  Windows) only that state is seen.
- A GPU that fell off the bus cannot be read: it gives no reading, which counts as downtime.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from api.agent.sources.live import Reading, Readings
from api.errors import SourceUnavailable
from api.types import BPS, DRAINING_XIDS

ROW_REMAPPING_FAILED_XID = 64

REOPEN_SECONDS = 30.0
"""Shortest time between two attempts to find lost GPUs again."""


class _Device:
    """A GPU and what is remembered of it."""

    __slots__ = ("energy_mj", "handle", "held_xid", "recent_xid", "uuid")

    def __init__(self, uuid: str, handle: Any) -> None:
        self.uuid = uuid
        self.handle = handle
        self.energy_mj: int | None = None
        self.held_xid = 0
        self.recent_xid = 0

    def saw_xid(self, xid: int) -> None:
        if xid in DRAINING_XIDS:
            self.held_xid = xid
        else:
            self.recent_xid = xid

    def saw_energy(self, energy_mj: int | None) -> None:
        if energy_mj is None:
            return
        if self.energy_mj is not None and energy_mj < self.energy_mj:
            self.held_xid = 0
        self.energy_mj = energy_mj

    def take_xid(self) -> int:
        recent, self.recent_xid = self.recent_xid, 0
        return self.held_xid or recent


class NvmlMeter:
    """All GPUs that the driver lists. `nvml` is the module pynvml, or what stands in for it."""

    poll_ms = 1_000

    def __init__(self, nvml: Any, *, reopen_seconds: float = REOPEN_SECONDS) -> None:
        """Raises SourceUnavailable: no driver, no library or no GPU."""
        self._nvml = nvml
        self._reopen_seconds = reopen_seconds
        self._devices: dict[str, _Device] = {}
        self._events: Any = None
        self._is_open = False
        self._opened_at = 0.0
        # A reading runs in a thread, and may still run when the agent is told to stop.
        self._lock = threading.Lock()
        self._open()

    async def read(self) -> Readings:
        # NVML's calls block, for milliseconds each.
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _read(self) -> Readings:
        with self._lock:
            if not self._is_open:
                self._open()
            self._take_events()
            gpus: list[Reading] = []
            missing: list[str] = []
            for device in self._devices.values():
                try:
                    gpus.append(self._read_device(device))
                except self._nvml.NVMLError as error:
                    missing.append(f"GPU {device.uuid}: {error}")
            if missing and time.monotonic() - self._opened_at >= self._reopen_seconds:
                # The handle of a GPU that was lost stays dead after its reset: the next reading
                # asks for new ones.
                self._shut()
            return Readings(tuple(gpus), tuple(missing))

    def _read_device(self, device: _Device) -> Reading:
        nvml, handle = self._nvml, device.handle
        busy_percent = int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        energy_mj = self._if_supported(nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
        power_mw = None
        if energy_mj is None:
            power_mw = self._if_supported(nvml.nvmlDeviceGetPowerUsage, handle)
        device.saw_energy(energy_mj)
        rows = self._if_supported(nvml.nvmlDeviceGetRemappedRows, handle)
        has_failed_remapping = rows is not None and bool(rows[3])
        xid = device.take_xid()
        if has_failed_remapping and xid not in DRAINING_XIDS:
            xid = ROW_REMAPPING_FAILED_XID
        return Reading(device.uuid, busy_percent * (BPS // 100), energy_mj, power_mw, xid)

    def _if_supported(self, ask: Callable[[Any], Any], handle: Any) -> Any:
        try:
            return ask(handle)
        except (self._nvml.NVMLError_NotSupported, self._nvml.NVMLError_NoPermission):
            return None

    def _take_events(self) -> None:
        nvml = self._nvml
        while self._events is not None:
            try:
                event = nvml.nvmlEventSetWait_v2(self._events, 0)
                uuid = _text(nvml.nvmlDeviceGetUUID(event.device))
            except nvml.NVMLError_Timeout:
                return
            except nvml.NVMLError:
                # The GPU of the event, or the driver, is gone: that shows in its own readings.
                return
            if uuid in self._devices:
                self._devices[uuid].saw_xid(int(event.eventData))

    def _open(self) -> None:
        nvml = self._nvml
        self._opened_at = time.monotonic()
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            raise SourceUnavailable(f"NVML does not start: {error}") from None
        self._is_open = True
        try:
            for index in range(nvml.nvmlDeviceGetCount()):
                self._find(index)
            if not self._devices:
                raise SourceUnavailable("the NVIDIA driver lists no GPU")
            self._watch_errors()
        except nvml.NVMLError as error:
            self._shut()
            raise SourceUnavailable(f"NVML cannot list the GPUs: {error}") from None
        except SourceUnavailable:
            self._shut()
            raise

    def _find(self, index: int) -> None:
        try:
            handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        except self._nvml.NVMLError_GpuIsLost:
            return  # keeps its old, dead handle, and with it its place among the missing
        uuid = _text(self._nvml.nvmlDeviceGetUUID(handle))
        if uuid in self._devices:
            self._devices[uuid].handle = handle
        else:
            self._devices[uuid] = _Device(uuid, handle)

    def _watch_errors(self) -> None:
        nvml = self._nvml
        try:
            events = nvml.nvmlEventSetCreate()
        except nvml.NVMLError:
            return  # no events on this platform: the module's notes say what is seen then
        self._events = events
        for device in self._devices.values():
            try:
                nvml.nvmlDeviceRegisterEvents(
                    device.handle, nvml.nvmlEventTypeXidCriticalError, events
                )
            except nvml.NVMLError:
                continue  # one without events (virtual, or lost) does not blind the others

    def _close(self) -> None:
        with self._lock:
            self._shut()

    def _shut(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        events, self._events = self._events, None
        try:
            if events is not None:
                self._nvml.nvmlEventSetFree(events)
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            return  # the driver is gone, and with it what was to be freed


def _text(uuid: str | bytes) -> str:
    return uuid.decode() if isinstance(uuid, bytes) else uuid
