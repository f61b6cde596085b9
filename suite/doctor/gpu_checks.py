"""Settings and load of NVIDIA devices, from their driver."""

from __future__ import annotations

from collections.abc import Iterator

import pynvml

from suite.doctor.finding import Finding, disturbs, fine, unknown
from suite.machine import nvml
from suite.machine.readings import NOTES, known

NAME = "NVIDIA devices"
HOT_C = 80
"""Degrees Celsius from which many devices lower their clock."""


def check_devices() -> Iterator[Finding]:
    """One finding for each device, or a single one if no driver answers."""
    found = known(NAME, findings)
    yield from [unknown(NAME, f"could not be read: {NOTES.get(NAME)}")] if found is None else found


def findings() -> list[Finding]:
    """The finding of each device; one that there is none, without a driver."""
    try:
        with nvml.driver():
            return [check_device(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        return [fine(NAME, f"none: {error}")]


def check_device(index: int) -> Finding:
    """Check persistence, clocks and temperature of one device."""
    name = f"GPU {index}"
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        keeps = pynvml.nvmlDeviceGetPersistenceMode(handle) == pynvml.NVML_FEATURE_ENABLED
        slowed = nvml.slowdown_reasons(handle)
        heat = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
    except pynvml.NVMLError as error:
        return unknown(name, f"the driver said: {error}")
    found = f"persistence {'on' if keeps else 'off'}, {heat} degrees, clock lowered by {', '.join(slowed) or 'nothing'}"
    if not keeps:
        return disturbs(name, found, f"sudo nvidia-smi -i {index} -pm 1")
    if slowed or heat >= HOT_C:
        return disturbs(name, found, f"cool it, or lock its clock: sudo nvidia-smi -i {index} -lgc MHZ")
    return fine(name, found)
