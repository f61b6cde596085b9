"""Asks the driver of CUDA or ROCm devices for them, in a process of this alone.

    python driver_probe.py cuda LIBRARY...      prints one line of JSON; the first library that loads is asked

The driver starts in this process, which then ends. The processes that fork others stay without it, and a driver that
hangs or crashes ends nothing else. The driver applies `CUDA_VISIBLE_DEVICES` and `CUDA_DEVICE_ORDER`, so its devices
are those of a process that is started with the same variables, in the same order.

Source: NVIDIA, "CUDA Driver API"; AMD, "HIP Runtime API".
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from typing import Any

CUDA_ATTRIBUTES = {"compute_mode": 20, "major": 75, "minor": 76}
"""Attribute of a device -> its number in `CUdevice_attribute`."""
NAME_BYTES = 256
UUID_BYTES = 16


class Refused(Exception):
    """The driver answered a call with an error: its number, and its text."""


def loaded(names: list[str]) -> Any:
    """The first of these libraries that loads; None if none does."""
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def caller(library: Any, text_of: Callable[[int], str]) -> Callable[..., None]:
    """A function that calls the library, and raises `Refused` at an error."""

    def call(name: str, *arguments: Any) -> None:
        code = getattr(library, name)(*arguments)
        if code:
            raise Refused(code, f"{name}: {text_of(code)}")

    return call


def uuid_text(raw: bytes) -> str:
    """16 bytes as a UUID is written, in groups of 8, 4, 4, 4 and 12 digits."""
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def integer(call: Callable[..., None], name: str, *arguments: Any) -> int:
    """The number that a function writes through its first argument."""
    value = ctypes.c_int()
    call(name, ctypes.byref(value), *arguments)
    return value.value


def cuda_error(library: Any, code: int) -> str:
    """The driver's text for an error of CUDA."""
    text = ctypes.c_char_p()
    known = library.cuGetErrorString(code, ctypes.byref(text)) == 0
    return text.value.decode(errors="replace") if known and text.value else f"error {code}"


def ask_cuda(library: Any, found: dict[str, Any]) -> None:
    """Find version and devices of the CUDA driver."""
    call = caller(library, lambda code: cuda_error(library, code))
    found["version"] = integer(call, "cuDriverGetVersion")
    call("cuInit", 0)
    found["devices"] = []
    for index in range(integer(call, "cuDeviceGetCount")):
        device = integer(call, "cuDeviceGet", index)
        name, uuid = ctypes.create_string_buffer(NAME_BYTES), ctypes.create_string_buffer(UUID_BYTES)
        memory = ctypes.c_size_t()
        call("cuDeviceGetName", name, NAME_BYTES, device)
        newer = hasattr(library, "cuDeviceGetUuid_v2")  # of a MIG instance it is the instance's
        call("cuDeviceGetUuid_v2" if newer else "cuDeviceGetUuid", uuid, device)
        call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
        facts = {key: integer(call, "cuDeviceGetAttribute", number, device) for key, number in CUDA_ATTRIBUTES.items()}
        found["devices"].append(
            {
                "name": name.value.decode(errors="replace"),
                "uuid": uuid_text(uuid.raw),
                "memory_bytes": memory.value,
                "capability": f"{facts['major']}.{facts['minor']}",
                "compute_mode": facts["compute_mode"],
            }
        )


def ask_hip(library: Any, found: dict[str, Any]) -> None:
    """Find version and devices of the ROCm driver; their names alone."""
    library.hipGetErrorString.restype = ctypes.c_char_p
    call = caller(library, lambda code: library.hipGetErrorString(code).decode(errors="replace"))
    found["version"] = integer(call, "hipDriverGetVersion")
    found["devices"] = []
    for index in range(integer(call, "hipGetDeviceCount")):
        name = ctypes.create_string_buffer(NAME_BYTES)
        call("hipDeviceGetName", name, NAME_BYTES, index)
        found["devices"].append({"name": name.value.decode(errors="replace")})


ASK = {"cuda": ask_cuda, "hip": ask_hip}


def main() -> None:
    """Ask, and print the answer."""
    library = loaded(sys.argv[2:])
    answer: dict[str, Any] = {"loads": library is not None}
    if library is not None:
        try:
            ASK[sys.argv[1]](library, answer)
        except Refused as refused:
            code, text = refused.args
            answer |= {"error": code, "text": text}
        except AttributeError as missing:  # a library of another age
            answer |= {"error": -1, "text": str(missing)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
