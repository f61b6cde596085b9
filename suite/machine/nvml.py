"""Readings of NVIDIA devices from their driver: utilization, memory, heat, power.

Devices support different readings: MIG has no utilization, older devices no energy counter. An unsupported reading is
None, and so is every reading of a lost device.

Source: NVIDIA, "NVML API reference". Utilization is the share of time in which any kernel ran, over 1/6 to 1 s: fair
    over a window, and meaningless for one step. Memory by version 2, of which the driver's own is not a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pynvml

from suite.machine.cuda import visible_devices
from suite.machine.readings import optional

READINGS: dict[str, Callable[[Any], float]] = {
    "utilization": lambda device: pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100,
    "memory_bytes": lambda device: pynvml.nvmlDeviceGetMemoryInfo(device, version=pynvml.nvmlMemory_v2).used,
    "power_w": lambda device: pynvml.nvmlDeviceGetPowerUsage(device) / 1e3,
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
    """Handles of the devices that a process started here sees, in its order.

    Raises:
        pynvml.NVMLError: the driver refuses to count them.
    """
    found: list[Any] = []
    for device in visible_devices(pynvml.nvmlDeviceGetCount()):
        by_name = pynvml.nvmlDeviceGetHandleByIndex if isinstance(device, int) else pynvml.nvmlDeviceGetHandleByUUID
        try:
            found.append(by_name(device))
        except pynvml.NVMLError:  # an unknown UUID is an invalid entry: it ends the list
            break
    return found


def read(device: Any) -> dict[str, float | None]:
    """All readings of a device now; None for unsupported ones."""
    return {name: reading_of(device, reading) for name, reading in READINGS.items()}


@optional
def reading_of(device: Any, reading: Callable[[Any], float]) -> float:
    """One reading of a device."""
    return float(reading(device))


@optional
def memory_of(device: Any, pids: list[int]) -> float | None:
    """Bytes of a device that processes hold; None if the driver lists none of them.

    In a container it may know them by the host's process ids.
    """
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
