"""Settings and load of NVIDIA devices, from their driver."""

from __future__ import annotations

from collections.abc import Iterator

import pynvml

from suite.doctor.finding import Finding, disturbs, fine, unknown
from suite.machine import cuda, nvml
from suite.machine.readings import NOTES, known
from suite.runner.settings import MOST_INTERLEAVED, workers_in
from suite.units import text

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
            found = [check_device(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        return [fine(NAME, f"none: {error}")]
    why, _, remedy = cuda.hindrance().partition("; ")
    if not why:
        return found
    return [*found, disturbs("CUDA", f"no device can be used: {why}", remedy or "see nvidia-smi and the kernel's log")]


def check_device(index: int) -> Finding:
    """Check persistence, compute mode, clocks, temperature and memory of one device."""
    name = f"GPU {index}"
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        keeps = pynvml.nvmlDeviceGetPersistenceMode(handle) == pynvml.NVML_FEATURE_ENABLED
        shared = pynvml.nvmlDeviceGetComputeMode(handle) == pynvml.NVML_COMPUTEMODE_DEFAULT
        slowed = nvml.slowdown_reasons(handle)
        heat = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
    except pynvml.NVMLError as error:
        return unknown(name, f"the driver reported: {error}")
    room = workers_in(memory.free)
    clock = f"clock lowered by {', '.join(slowed)}" if slowed else "clock not lowered"
    found = (
        f"persistence mode {'on' if keeps else 'off'}, {heat} degrees Celsius, {clock}, "
        f"{text(memory.free, 'B')} of {text(memory.total, 'B')} free"
    )
    if not keeps:
        return disturbs(name, found, f"sudo nvidia-smi -i {index} -pm 1")
    if not shared:
        several = f"{found}; its compute mode does not permit several processes"
        return disturbs(name, several, f"sudo nvidia-smi -i {index} -c 0")
    if slowed or heat >= HOT_C:
        return disturbs(name, found, f"cool it, or lock its clock: sudo nvidia-smi -i {index} -lgc MHZ")
    if room < MOST_INTERLEAVED:
        crowded = f"{found}: room for {room} workers at a time"
        return disturbs(name, crowded, "end the other processes on it, if there are any")
    return fine(name, found)
