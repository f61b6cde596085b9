"""Which accelerators a machine has, asked of the driver: no torch is imported for it."""

from __future__ import annotations

import os
from functools import lru_cache

import pynvml


@lru_cache(maxsize=1)
def cuda_devices() -> int:
    """CUDA devices that a process started here would see; 0 without a driver.

    Source: NVIDIA, "CUDA C++ programming guide", `CUDA_VISIBLE_DEVICES` (entries after an invalid one do not count).
    """
    try:
        pynvml.nvmlInit()
        there: int = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return there
    count = 0
    for entry in filter(None, (text.strip() for text in visible.split(","))):
        if (entry.isdigit() and int(entry) >= there) or entry.startswith("-"):
            break
        count += 1
    return count
