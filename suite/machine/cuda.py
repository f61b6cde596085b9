"""CUDA devices that torch can use here.

No torch is imported, and this process does not start the driver. A torch that was built for ROCm calls AMD's devices
`cuda`, too. The driver itself is asked, in a process that ends (`suite.machine.driver_probe`). Rules of our own would
have to repeat its rules for `CUDA_VISIBLE_DEVICES`, for the order of devices, for MIG and for versions
(docs/decisions/0040).
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pynvml

from suite.machine.readings import known_or, optional_or

PROBE = Path(__file__).with_name("driver_probe.py")
PROBE_S = 60.0
"""Seconds for the driver to start: some on a machine with many devices, without persistence mode."""
HIDING = "CUDA_VISIBLE_DEVICES"
HIDDEN = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
"""Variables that hide all devices from a process in which the driver has not started."""
LIBCUDA = "libcuda.so.1"
DEFAULT, PROHIBITED, EXCLUSIVE_PROCESS = 0, 2, 3
"""Compute modes of NVIDIA devices: any number of processes, none, one at a time."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the driver shows it to a process started here.

    Attributes:
        uuid: without `GPU-` or `MIG-`; empty if the driver has none.
        memory_bytes: all of its memory; 0 if unknown.
        capability: of NVIDIA devices, such as `9.0`.
    """

    name: str
    uuid: str = ""
    memory_bytes: int = 0
    capability: str = ""
    compute_mode: int = DEFAULT

    @property
    def full_uuid(self) -> str:
        """The UUID of a whole device, as NVIDIA's tools take it."""
        return f"GPU-{self.uuid}"


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver's answer.

    Attributes:
        devices: those that torch can use, in the order of their indices.
        hindrance: why torch can use none of the devices that are there, without a full stop; empty if it can, or if
            there is none.
        version: of CUDA or ROCm that the driver supports, as it gives it; 0 if unknown.
    """

    devices: tuple[Device, ...] = ()
    hindrance: str = ""
    version: int = 0


def cuda_devices() -> int:
    """Number of CUDA devices that torch would see in a process started here.

    Returns:
        0 without a driver, or where the installed torch was built for CPUs alone.
    """
    return len(driver().devices)


def hindrance() -> str:
    """Why torch can use no device of this machine; empty if it can, or without one."""
    return driver().hindrance


@lru_cache(maxsize=1)
def driver() -> Driver:
    """The driver's answer in a process started here; forks know it, too."""
    kind, version = built_for()
    if not kind:
        return Driver()
    if kind == "cuda" and not is_driver_here():
        return Driver()
    return known_or("cuda.driver", lambda: judged(kind, version, ask(kind)), Driver)


def judged(kind: str, version: str, answer: dict[str, Any]) -> Driver:
    """The devices that torch can use, by the driver's answer.

    Args:
        kind: `cuda` or `hip`, for which torch was built.
        version: of that, for which torch was built.
        answer: of `driver_probe`.
    """
    supported, major = int(answer.get("version", 0)), int(version.partition(".")[0])
    devices = tuple(Device(**one) for one in answer.get("devices", ()))
    if kind == "cuda" and 0 < supported < 1000 * major:
        if not devices and not installed_devices():
            return Driver((), "", supported)
        has, older = f"{supported // 1000}.{supported % 1000 // 10}", supported // 1000
        why = f"the driver supports CUDA {has}, and torch was built for CUDA {version}"
        return Driver((), f"{why}; install a driver for CUDA {major}, or a torch for CUDA {older}", supported)
    if not devices:
        return Driver((), why_none(answer), supported)
    closed = [index for index, one in enumerate(devices) if one.compute_mode == PROHIBITED]
    if closed:
        remedy = f"sudo nvidia-smi -i {devices[closed[0]].full_uuid} -c 0 ends that"
        return Driver((), f"device {closed[0]} prohibits computing; {remedy}", supported)
    return Driver(devices, "", supported)


def why_none(answer: dict[str, Any]) -> str:
    """Why the driver shows no device; empty if NVML counts none."""
    if "signal" in answer:
        return f"the driver crashed with signal {answer['signal']} when it was started"
    if "silent_s" in answer:
        return f"the driver gave no answer for {answer['silent_s']:g} s"
    installed = installed_devices()
    if not installed:
        return ""
    if all(map(has_mig, range(installed))) and not any(map(mig_instances, range(installed))):
        return "this machine's are in MIG mode without an instance; make one by nvidia-smi mig, or end the mode"
    if HIDING in os.environ:
        whose = "the one" if installed == 1 else f"the {installed}"
        return f"{HIDING}={os.environ[HIDING]!r} hides {whose} that this machine has; unset it, or name a device"
    return f"the driver does not start, {answer.get('text', 'it shows no device')}"


def ask(kind: str) -> dict[str, Any]:
    """The answer of the driver in another process.

    Returns:
        That of `driver_probe`; `signal` or `silent_s` where the process crashed or hung.
    """
    command = [sys.executable, "-I", "-S", str(PROBE), kind, *LIBRARIES[kind]()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        said, _ = process.communicate(timeout=PROBE_S)
    except subprocess.TimeoutExpired:
        process.kill()  # without a wait: a process that hangs within the driver may not end
        return {"silent_s": PROBE_S}
    if process.returncode < 0:
        return {"signal": -process.returncode}
    answer: dict[str, Any] = json.loads(said)
    return answer


def hip_libraries() -> list[str]:
    """Places of ROCm's runtime: in torch's own wheel, then on the system."""
    spec = find_spec("torch")
    own = Path(spec.origin).parent / "lib" / "libamdhip64.so" if spec and spec.origin else None
    return [*([str(own)] if own else []), "libamdhip64.so"]


LIBRARIES: dict[str, Callable[[], list[str]]] = {"cuda": lambda: [LIBCUDA], "hip": hip_libraries}


def is_driver_here() -> bool:
    """Whether the driver's library loads, which starts nothing."""
    try:
        return bool(ctypes.CDLL(LIBCUDA))
    except OSError:
        return False


@optional_or(int)
def installed_devices() -> int:
    """Devices that NVML counts, visible or not; 0 without a driver."""
    pynvml.nvmlInit()
    return int(pynvml.nvmlDeviceGetCount())


@optional_or(bool)
def has_mig(index: int) -> bool:
    """Whether a device, by NVML's index, is in MIG mode."""
    return bool(pynvml.nvmlDeviceGetMigMode(pynvml.nvmlDeviceGetHandleByIndex(index))[0])


@optional_or(int)
def mig_instances(index: int) -> int:
    """MIG instances of a device, by NVML's index."""
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    places = range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    return sum(is_instance(handle, place) for place in places)


@optional_or(bool)
def is_instance(handle: Any, place: int) -> bool:
    """Whether a device has a MIG instance at a place."""
    return bool(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place))


@lru_cache(maxsize=1)
def built_for() -> tuple[str, str]:
    """`cuda` or `hip` and its version; empty if torch was built for CPUs alone."""
    text = known_or("cuda.built_for", torch_version_file, str)
    for kind in ("cuda", "hip"):
        found = re.search(rf"^{kind}\b[^=\n]*=\s*['\"]([^'\"]+)", text, re.MULTILINE)
        if found:
            return kind, found[1]
    return "", ""


def torch_version_file() -> str:
    """The text of the installed torch's `version.py`; empty without torch."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return ""
    return Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")


def hide_devices() -> None:
    """Hide all devices from this process, in which torch has not used one.

    Torch would else start the driver in the first backward pass on the host's cores: its autograd counts devices.
    """
    os.environ.update(HIDDEN)
