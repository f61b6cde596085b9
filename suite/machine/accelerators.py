"""Accelerators other than CUDA that torch can use here.

No torch is imported, and no driver is started. ROCm's devices are torch's `cuda` (`suite.machine.cuda`).
"""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from suite.machine.cuda import torch_version_file
from suite.machine.readings import known_or, optional_or

RENDER_NODES = Path("/sys/class/drm")
INTEL = "0x8086"
"""The number of the vendor Intel on the PCI bus."""


def why_not_mps() -> str:
    """Why torch has no Metal device here; empty if it has one."""
    if sys.platform != "darwin":
        return f"this machine runs {platform.system() or sys.platform}, not macOS"
    if platform.machine() != "arm64":
        return f"this machine has an {platform.machine()} processor, not Apple's"
    return ""


def why_not_xpu() -> str:
    """Why torch has no XPU here; empty if it seems to have one.

    The kernel knows Intel's devices, but not whether torch supports a model. A worker finds that out.
    """
    if not is_built_for_xpu():
        return "the installed torch was not built for XPU"
    if not intel_devices():
        return "this machine has no Intel GPU that its kernel knows"
    if os.environ.get("ZE_AFFINITY_MASK") == "":
        return "ZE_AFFINITY_MASK='' hides the devices that this machine has"
    return ""


def is_built_for_xpu() -> bool:
    """Whether the installed torch was built for XPU, by its `version.py`."""
    text = known_or("accelerators.is_built_for_xpu", torch_version_file, str)
    return re.search(r"^xpu\b[^=\n]*=\s*['\"]", text, re.MULTILINE) is not None


@optional_or(int)
def intel_devices() -> int:
    """Render nodes of Intel GPUs."""
    vendors = (node / "device" / "vendor" for node in RENDER_NODES.glob("renderD*"))
    return sum(vendor.exists() and vendor.read_text().strip() == INTEL for vendor in vendors)
