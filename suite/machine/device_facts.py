"""Facts about the CUDA devices of this machine that can move a step time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml

from suite.machine import cuda, nvml
from suite.machine.cuda import Device
from suite.machine.readings import known_or, optional, optional_or

COMPUTE_MODES = {0: "default", 2: "prohibited", 3: "exclusive process"}
LARGEST_CUDA = 10**6
"""Numbers of versions above this are AMD's."""
FACTS: dict[str, Callable[[Any], Any]] = {
    "driver": lambda _: pynvml.nvmlSystemGetDriverVersion(),
    "power_limit_w": lambda device: pynvml.nvmlDeviceGetEnforcedPowerLimit(device) / 1e3,
    "clock_max_hz": lambda device: pynvml.nvmlDeviceGetMaxClockInfo(device, pynvml.NVML_CLOCK_SM) * 1e6,
    "clock_wanted_hz": lambda device: pynvml.nvmlDeviceGetApplicationsClock(device, pynvml.NVML_CLOCK_SM) * 1e6,
    "memory_clock_max_hz": lambda device: pynvml.nvmlDeviceGetMaxClockInfo(device, pynvml.NVML_CLOCK_MEM) * 1e6,
    "persistence": lambda device: bool(pynvml.nvmlDeviceGetPersistenceMode(device)),
    "mig": lambda device: bool(pynvml.nvmlDeviceGetMigMode(device)[0]),
    "ecc": lambda device: bool(pynvml.nvmlDeviceGetEccMode(device)[0]),
}
"""Fact about a device -> what reads it. A device has more clocks than these; locked ones are not reported."""


@optional_or(dict)
def facts_of_devices() -> dict[str, dict[str, Any]]:
    """Facts about each device that torch can use here, by its index.

    Returns:
        None for a fact that the driver does not give.
    """
    devices = cuda.driver().devices
    if not devices:
        return {}
    handles = handles_or_none(len(devices))
    supports = version_text(cuda.driver().version)
    return {
        str(index): {**of_driver(device), "driver_supports": supports, **of_management(handle)}
        for index, (device, handle) in enumerate(zip(devices, handles, strict=True))
    }


def version_text(version: int) -> str:
    """A version of CUDA in its usual form, or AMD's number."""
    return f"{version // 1000}.{version % 1000 // 10}" if version < LARGEST_CUDA else str(version)


def of_driver(device: Device) -> dict[str, Any]:
    """Facts that the driver of computing gives."""
    return {
        "name": device.name,
        "memory_bytes": device.memory_bytes or None,
        "capability": device.capability or None,
        "compute_mode": COMPUTE_MODES.get(device.compute_mode, str(device.compute_mode)),
    }


def of_management(handle: Any) -> dict[str, Any]:
    """Facts that NVML gives."""
    return {name: fact_of(handle, read) for name, read in FACTS.items()}


@optional
def fact_of(handle: Any, read: Callable[[Any], Any]) -> Any:
    """One fact of NVML."""
    return None if handle is None else read(handle)


def handles_or_none(count: int) -> list[Any]:
    """NVML's handle of each device; None for all without NVML, as of AMD's devices."""
    nothing: list[Any] = [None] * count
    return known_or("device_facts.handles", handles, lambda: nothing) if count else nothing


def handles() -> list[Any]:
    """NVML's handle of each device.

    NVML stays started, because this process asks for its devices more than once.
    """
    pynvml.nvmlInit()
    return nvml.handles()


def uuids() -> list[str]:
    """UUIDs of the devices that torch can use here, in the order of their indices."""
    return [device.uuid for device in cuda.driver().devices]


def free_bytes() -> int | None:
    """Free memory of the fullest device; None without a device, or if unknown."""
    found = [free_of(handle) for handle in handles_or_none(cuda.cuda_devices())]
    return min((one for one in found if one is not None), default=None)


@optional
def free_of(handle: Any) -> int | None:
    """Free memory of one device."""
    return None if handle is None else int(pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2).free)


def are_exclusive() -> bool:
    """Whether a device takes one process at a time."""
    return any(device.compute_mode == cuda.EXCLUSIVE_PROCESS for device in cuda.driver().devices)
