"""What the driver of NVIDIA devices tells of each: how busy, how full, how hot, and what it draws.

A device that does not tell one thing tells others: MIG has no utilization, older ones no energy counter. A device that
is lost tells nothing from then on, and fails nothing.

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
"""What is read of a device, by name. `slowed` is 1 while something lowers its clock."""

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
    """What a device tells now; None for what it does not tell."""
    return {name: reading_of(device, reading) for name, reading in READINGS.items()}


@optional
def reading_of(device: Any, reading: Callable[[Any], float]) -> float:
    """One reading of a device."""
    return float(reading(device))


@optional
def memory_of(device: Any, pids: list[int]) -> float | None:
    """Bytes of a device that processes have; None where the driver lists none of them, as where it knows them by ids of
    another namespace: a container's host.
    """
    running = pynvml.nvmlDeviceGetComputeRunningProcesses(device)
    own = [one.usedGpuMemory for one in running if one.pid in pids and one.usedGpuMemory is not None]
    return float(sum(own)) if own else None


def slowdown_reasons(device: Any) -> list[str]:
    """What lowers a device's clock now.

    Raises:
        pynvml.NVMLError: it does not tell.
    """
    bits = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(device)
    return [text for bit, text in SLOWED.items() if bits & bit]
