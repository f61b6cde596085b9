"""Settings of the workers' memory allocator, and the allocator in effect."""

from __future__ import annotations

import ctypes
import os
import re
import resource
from pathlib import Path

from suite.machine.readings import optional

ALLOCATORS: dict[str, dict[str, str]] = {
    "steady": {
        "MALLOC_TRIM_THRESHOLD_": str(2**40),
        "MALLOC_TOP_PAD_": str(64 * 2**20),
        "MALLOC_MMAP_MAX_": "0",
    },
    "default": {},
}
"""Environment of glibc's allocator by name. `steady` keeps freed memory instead of returning it to the kernel, and
serves large blocks from the heap: by default every step gives memory back and faults it in again, which differs from
run to run by more than most changes of code do (docs/results.md).

Source: mallopt(3), M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX.
"""
TUNABLES = "GLIBC_TUNABLES"
"""Settings of glibc, of which those of its allocator win over `MALLOC_*`.

Source: GNU C Library manual, "Tunables" and "Memory Allocation Tunables".
"""
OF_MALLOC = "glibc.malloc."

MAPS = Path("/proc/self/maps")
OTHERS = re.compile(r"/(lib(?:jemalloc|tcmalloc|mimalloc|tbbmalloc|hoard|scudo|rpmalloc|snmalloc)[^/\s]*\.so[^/\s]*)")
"""Libraries that replace glibc's allocator in the process that loads them."""
PROBE_BYTES = 80 * 2**20
"""More than glibc serves from its heap by default (DEFAULT_MMAP_THRESHOLD_MAX, 32 MiB), and more than the padding of
`steady`, from which it would serve a block though other settings let it give memory back."""
FEW_FAULTS = 8
"""Pages that a block maps in again, at most, where its memory was kept; huge pages of 2 MiB would be 20."""


def environment(allocator: str) -> dict[str, str]:
    """This process's environment with the allocator set, and no other settings of one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    others = without_malloc(kept.pop(TUNABLES, ""))
    return {**kept, **({TUNABLES: others} if others else {}), **ALLOCATORS[allocator]}


def without_malloc(tunables: str) -> str:
    """Settings of glibc without those of its allocator."""
    return ":".join(one for one in tunables.split(":") if one and not one.startswith(OF_MALLOC))


def in_effect() -> str | None:
    """The allocator in effect: `steady`, `default`, or the name of another library.

    Whether glibc's allocator keeps freed memory decides between the first two. Call it in a process that ends
    afterwards, since its allocations may stay in the heap.

    Returns:
        None if it is unknown.
    """
    library = loaded()
    if library:
        return library
    keeps = keeps_freed_memory()
    return None if keeps is None else "steady" if keeps else "default"


@optional
def loaded() -> str:
    """The library that replaces glibc's allocator here; empty for none."""
    found = OTHERS.search(MAPS.read_text(errors="replace"))
    return found[1] if found else ""


@optional
def keeps_freed_memory() -> bool:
    """Whether a large block that is freed and asked for again is still mapped in."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    faults_of_block(libc)
    return faults_of_block(libc) <= FEW_FAULTS


def faults_of_block(libc: ctypes.CDLL) -> int:
    """Pages that are mapped in when a block is allocated, written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(PROBE_BYTES)
    if not block:
        raise MemoryError(f"{PROBE_BYTES} bytes were refused")
    ctypes.memset(block, 1, PROBE_BYTES)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
