"""CUDA devices that torch can use here. No torch is imported."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pynvml

from suite.machine.readings import optional_or

UUIDS = ("GPU-", "MIG-")
"""Beginnings of the UUIDs by which `CUDA_VISIBLE_DEVICES` may name a device."""


@lru_cache(maxsize=1)
def cuda_devices() -> int:
    """Number of CUDA devices that torch would see in a process started here.

    Returns:
        0 without a driver, or where the installed torch was built for CPUs alone.
    """
    return len(visible_devices(devices_of_driver())) if built_for_cuda() else 0


def visible_devices(installed: int) -> list[int | str]:
    """Index or UUID of each device that a process started here sees, in its order.

    The first invalid entry of `CUDA_VISIBLE_DEVICES` ends the list. A device that is named twice empties it.

    Args:
        installed: devices that the driver has.

    Source: NVIDIA, "CUDA C++ programming guide", `CUDA_VISIBLE_DEVICES`; PyTorch 2.11, torch/cuda/__init__.py,
        `_parse_visible_devices`.
    """
    text = os.environ.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        return list(range(installed))
    devices: list[int | str] = []
    for entry in text.split(","):
        device = device_named(entry.strip())
        if device is None or (isinstance(device, int) and device >= installed):
            break
        devices.append(device)
    return devices if len(set(devices)) == len(devices) else []


def device_named(entry: str) -> int | str | None:
    """The UUID, or the index with which an entry begins; None where it is neither."""
    if entry.startswith(UUIDS):
        return entry
    index = re.match(r"\d+", entry)
    return int(index[0]) if index else None


@optional_or(int)
def devices_of_driver() -> int:
    """Devices that the driver has; 0 without one."""
    pynvml.nvmlInit()
    return int(pynvml.nvmlDeviceGetCount())


@optional_or(bool)
def built_for_cuda() -> bool:
    """Whether the installed torch was built with CUDA, by its `version.py`."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    return re.search(r"^cuda\b[^=\n]*=\s*['\"]", text, re.MULTILINE) is not None
