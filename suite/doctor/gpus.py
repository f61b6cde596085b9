"""How NVIDIA devices are set up, asked of their driver."""

from __future__ import annotations

from collections.abc import Iterator

import pynvml

from suite.doctor.findings import Finding, disturbs, fine, unknown

HOT_C = 80
"""Degrees from which many devices lower their clock."""
SLOWED = {
    pynvml.nvmlClocksThrottleReasonSwPowerCap: "power cap",
    pynvml.nvmlClocksThrottleReasonHwSlowdown: "hardware slowdown",
    pynvml.nvmlClocksThrottleReasonSwThermalSlowdown: "heat",
    pynvml.nvmlClocksThrottleReasonHwThermalSlowdown: "heat (hardware)",
    pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown: "power brake",
}
"""Bits of NVML's reasons for a lower clock that slow a step down."""


def devices() -> Iterator[Finding]:
    """What disturbs on each device; one finding where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        yield fine("NVIDIA devices", f"none: {error}")
        return
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            yield device(index)
    except pynvml.NVMLError as error:
        yield unknown("NVIDIA devices", f"the driver said: {error}")
    finally:
        pynvml.nvmlShutdown()


def device(index: int) -> Finding:
    """Persistence, clocks and heat of one device; what it does not tell is left out."""
    name = f"GPU {index}"
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        keeps = pynvml.nvmlDeviceGetPersistenceMode(handle) == pynvml.NVML_FEATURE_ENABLED
        reasons = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
        heat = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
    except pynvml.NVMLError as error:
        return unknown(name, f"the driver said: {error}")
    slowed = [text for bit, text in SLOWED.items() if reasons & bit]
    found = f"persistence {'on' if keeps else 'off'}, {heat} degrees, clock lowered by {', '.join(slowed) or 'nothing'}"
    if not keeps:
        return disturbs(name, found, f"sudo nvidia-smi -i {index} -pm 1")
    if slowed or heat >= HOT_C:
        return disturbs(name, found, f"cool it, or lock its clock: sudo nvidia-smi -i {index} -lgc MHZ")
    return fine(name, found)
