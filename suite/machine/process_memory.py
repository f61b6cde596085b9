"""Memory of this process by the kernel, and settings of its allocator for that."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
ROLLUP = Path("/proc/self/smaps_rollup")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written to `clear_refs`: the highest resident set becomes the present one.

Source: Linux, Documentation/filesystems/proc.rst, `/proc/PID/clear_refs`.
"""
KIBIBYTE = 1024

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
GIVE_BACK = {M_TRIM_THRESHOLD: 0, M_TOP_PAD: 0, M_MMAP_THRESHOLD: 128 * KIBIBYTE, M_MMAP_MAX: 1 << 16}
"""Settings of glibc's allocator by which a block of 128 KiB or more is a separate mapping, gone once it is freed.

Source: mallopt(3); numbers from glibc's malloc.h.
"""
KEEP_ALL = {M_TRIM_THRESHOLD: -1, M_TOP_PAD: 64 * KIBIBYTE**2, M_MMAP_MAX: 0}
"""What `allocators` sets by the environment for processes that start: freed memory is never given back."""


def return_freed_memory() -> None:
    """From now on return freed memory, so that the resident set is what is in use.

    Other allocators than glibc's are left as they are.
    """
    set_allocator(GIVE_BACK)


def keep_freed_memory() -> None:
    """From now on keep freed memory for the next allocations."""
    set_allocator(KEEP_ALL)


def set_allocator(settings: dict[int, int]) -> None:
    """Set glibc's allocator."""
    with suppress(AttributeError):
        for setting, value in settings.items():
            ctypes.CDLL(None).mallopt(setting, value)


def trim() -> None:
    """Collect garbage and give freed blocks of the heap back to the kernel."""
    gc.collect()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak() -> bool:
    """Reset the peak of the resident set; return whether this kernel allows it."""
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def peak_bytes() -> int:
    """The highest resident set since `reset_peak`."""
    return field_bytes(STATUS, "VmHWM")


def resident_bytes() -> int:
    """The resident set now."""
    return field_bytes(STATUS, "VmRSS")


def proportional_bytes() -> int:
    """The proportional set: pages that several processes share count as a part each."""
    return field_bytes(ROLLUP, "Pss")


def unique_bytes() -> int:
    """The unique set: pages that no other process has."""
    return field_bytes(ROLLUP, "Private_Clean") + field_bytes(ROLLUP, "Private_Dirty")


def field_bytes(file: Path, name: str) -> int:
    """A field of a file of the kernel with lines such as `VmHWM:   1234 kB`.

    Raises:
        LookupError: it has no such field.
    """
    for line in file.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * KIBIBYTE
    raise LookupError(f"{file} has no {name}")
