"""Which accelerators torch can use here, asked of the driver and of torch's files: no torch is imported for it."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pynvml

from suite.machine.readings import optional_or


@lru_cache(maxsize=1)
def cuda_devices() -> int:
    """CUDA devices that torch would see in a process started here; 0 without a driver, or with a torch for CPUs alone.

    Source: NVIDIA, "CUDA C++ programming guide", `CUDA_VISIBLE_DEVICES` (entries after an invalid one do not count).
    """
    if not built_for_cuda():
        return 0
    there = devices_of_driver()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return there
    count = 0
    for entry in filter(None, (text.strip() for text in visible.split(","))):
        if (entry.isdigit() and int(entry) >= there) or entry.startswith("-"):
            break
        count += 1
    return count


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
