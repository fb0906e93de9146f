"""What stands in for the module pynvml on a machine without a GPU: as much of it as the meter uses.

Its errors are the real module's, so that the meter catches what the real library raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pynvml


@dataclass
class Gpu:
    """A GPU as the driver shows it: None is not supported, an error is raised when asked for."""

    uuid: str
    busy_percent: int | Exception = 0
    energy_mj: int | None = 0
    power_mw: int | None = None
    failed_remapping: bool | None = None


def lost() -> Exception:
    error: Exception = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
    return error


def _supported(value: Any) -> Any:
    if value is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    if isinstance(value, Exception):
        raise value
    return value


class NvmlStandIn:
    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVMLError_NoPermission = pynvml.NVMLError_NoPermission
    NVMLError_Timeout = pynvml.NVMLError_Timeout
    NVMLError_GpuIsLost = pynvml.NVMLError_GpuIsLost
    nvmlEventTypeXidCriticalError = pynvml.nvmlEventTypeXidCriticalError

    def __init__(self, *gpus: Gpu, has_events: bool = True) -> None:
        self.gpus = list(gpus)
        self.has_events = has_events
        self.xids: list[tuple[Gpu, int]] = []
        self.watched: list[Gpu] = []
        self.starts = self.stops = 0

    def nvmlInit(self) -> None:
        self.starts += 1

    def nvmlShutdown(self) -> None:
        self.stops += 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:
        return self.gpus[index]

    def nvmlDeviceGetUUID(self, gpu: Gpu) -> str:
        return gpu.uuid

    def nvmlDeviceGetUtilizationRates(self, gpu: Gpu) -> SimpleNamespace:
        return SimpleNamespace(gpu=_supported(gpu.busy_percent), memory=0)

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: Gpu) -> Any:
        return _supported(gpu.energy_mj)

    def nvmlDeviceGetPowerUsage(self, gpu: Gpu) -> Any:
        return _supported(gpu.power_mw)

    def nvmlDeviceGetRemappedRows(self, gpu: Gpu) -> tuple[int, int, bool, Any]:
        return 0, 0, False, _supported(gpu.failed_remapping)

    def nvmlEventSetCreate(self) -> object:
        return _supported(object() if self.has_events else None)

    def nvmlDeviceRegisterEvents(self, gpu: Gpu, kinds: int, events: object) -> None:
        assert kinds == self.nvmlEventTypeXidCriticalError
        self.watched.append(gpu)

    def nvmlEventSetWait_v2(self, events: object, timeout_ms: int) -> SimpleNamespace:
        if not self.xids:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_TIMEOUT)
        gpu, xid = self.xids.pop(0)
        return SimpleNamespace(device=gpu, eventData=xid)

    def nvmlEventSetFree(self, events: object) -> None:
        self.watched.clear()
