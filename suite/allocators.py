"""Settings of the memory allocator with which workers run."""

from __future__ import annotations

import os

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
run to run by more than most changes of code do (docs/measuring.md).

Source: mallopt(3), M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX.
"""


def environment(allocator: str) -> dict[str, str]:
    """This process's environment with the allocator set, free of settings that would set it otherwise."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return {**kept, **ALLOCATORS[allocator]}
