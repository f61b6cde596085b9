"""Readings of NVIDIA devices from their driver: utilization, memory, heat, power.

Devices support different readings: MIG has no utilization, older devices no energy counter. An unsupported reading is
None, and so is every reading of a lost device.

Devices are those that CUDA shows, in CUDA's order, and are found by their UUID: NVML has another order, and knows no
`CUDA_VISIBLE_DEVICES`.

Source: NVIDIA, "NVML API reference". Utilization is the share of time in which any kernel ran, over 1/6 to 1 s: fair
    over a window, and meaningless for one step. Memory by version 2, of which the driver's own is not a part. Yang et
    al. 2023, "Part-time power measurements", arXiv 2312.02741: power is a mean over as much as 1 s, its sensor may be
    on for a quarter of the time, and readings are 5 to 10 % off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pynvml

from suite.machine import cuda
from suite.machine.readings import optional

READINGS: dict[str, Callable[[Any], float]] = {
    "utilization": lambda device: pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100,
    "memory_bytes": lambda device: pynvml.nvmlDeviceGetMemoryInfo(device, version=pynvml.nvmlMemory_v2).used,
    "power_w": lambda device: power_w(device),
    "energy_j": lambda device: pynvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1e3,
    "clock_hz": lambda device: pynvml.nvmlDeviceGetClockInfo(device, pynvml.NVML_CLOCK_SM) * 1e6,
    "temperature_c": lambda device: pynvml.nvmlDeviceGetTemperature(device, pynvml.NVML_TEMPERATURE_GPU),
    "slowed": lambda device: float(bool(slowdown_reasons(device))),
}
"""Readings of a device, by name. `slowed` is 1 while a slowdown reason is active."""

SLOWED = {
    pynvml.nvmlClocksThrottleReasonSwPowerCap: "power cap",
    pynvml.nvmlClocksThrottleReasonHwSlowdown: "hardware slowdown",
    pynvml.nvmlClocksThrottleReasonSwThermalSlowdown: "heat",
    pynvml.nvmlClocksThrottleReasonHwThermalSlowdown: "heat (hardware)",
    pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown: "power brake",
}
"""Bits of the driver's reasons for a lower clock that slow a step down; an idle device's do not."""


@contextmanager
def driver() -> Iterator[None]:
    """The driver's library, while the context lasts.

    Raises:
        pynvml.NVMLError: there is none, or it does not start.
    """
    pynvml.nvmlInit()
    try:
        yield
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def handles() -> list[Any]:
    """Handles of the devices that CUDA shows, in its order; None for one without."""
    return [handle_of(device.uuid) for device in cuda.driver().devices]


def handle_of(uuid: str) -> Any:
    """The handle of a device or a MIG instance; None if NVML has no such UUID."""
    for kind in ("GPU", "MIG"):
        with suppress(pynvml.NVMLError):
            return pynvml.nvmlDeviceGetHandleByUUID(f"{kind}-{uuid}")
    return None


def power_w(device: Any) -> float:
    """Power drawn now, or the driver's mean where it gives no other."""
    with suppress(pynvml.NVMLError):
        (field,) = pynvml.nvmlDeviceGetFieldValues(device, [pynvml.NVML_FI_DEV_POWER_INSTANT])
        if field.nvmlReturn == pynvml.NVML_SUCCESS:
            return float(field.value.uiVal / 1e3)
    return float(pynvml.nvmlDeviceGetPowerUsage(device) / 1e3)


def read(device: Any) -> dict[str, float | None]:
    """All readings of a device now; None for unsupported ones."""
    return {name: reading_of(device, reading) for name, reading in READINGS.items()}


@optional
def reading_of(device: Any, reading: Callable[[Any], float]) -> float:
    """One reading of a device."""
    if device is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
    return float(reading(device))


@optional
def memory_of(device: Any, pids: list[int]) -> float | None:
    """Bytes of a device that processes hold; None if the driver lists none of them.

    In a container it may know them by the host's process ids.
    """
    if device is None:
        return None
    running = pynvml.nvmlDeviceGetComputeRunningProcesses(device)
    own = [one.usedGpuMemory for one in running if one.pid in pids and one.usedGpuMemory is not None]
    return float(sum(own)) if own else None


def slowdown_reasons(device: Any) -> list[str]:
    """Active reasons for a lower clock of a device.

    Raises:
        pynvml.NVMLError: the device does not support it.
    """
    bits = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(device)
    return [text for bit, text in SLOWED.items() if bits & bit]
