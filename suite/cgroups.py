"""What the control groups of this process allow it and tell of it: of a container, not of its host.

A limit of any group above holds too, so that the least of them counts. Both versions are read: of the first each
controller has a hierarchy of its own.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")
UNLIMITED_BYTES = 1 << 60
"""Version 1 says of a group without a limit that it has a very large one."""


def groups(controller: str) -> Iterator[Path]:
    """Folders of the groups that this process is in, as far as a controller is concerned, and of all above them.

    In a container the path may be the host's, of which only the end is there, or the root alone.
    """
    for base, path in memberships(controller):
        own = base / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(base) and folder.is_dir():
                yield folder


def memberships(controller: str) -> Iterator[tuple[Path, str]]:
    """Where the hierarchies of a controller are mounted, and the path of this process's group in each."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield ROOT, path
        elif controller in controllers.split(","):
            yield ROOT / controllers, path
            yield ROOT / controller, path


def words(folder: Path, name: str) -> list[str]:
    """The words of a group's file; none where it has no such file."""
    with suppress(OSError):
        return (folder / name).read_text().split()
    return []


def cpu_quota() -> float | None:
    """Cores' worth of time that this process may use; None where there is no quota."""
    quotas: list[float] = []
    for folder in groups("cpu"):
        granted = words(folder, "cpu.max") or [
            *words(folder, "cpu.cfs_quota_us"),
            *words(folder, "cpu.cfs_period_us"),
        ]
        if len(granted) == 2 and granted[0] not in ("max", "-1"):
            quotas.append(int(granted[0]) / int(granted[1]))
    return min(quotas, default=None)


def memory_limit() -> int | None:
    """Bytes that this process may have; None where there is no limit."""
    told = [
        value
        for folder in groups("memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        for value in words(folder, name)
    ]
    return min((int(value) for value in told if value != "max" and int(value) < UNLIMITED_BYTES), default=None)


def memory_peak() -> int | None:
    """The most bytes that the group of this process has had since it was made; None where it does not tell."""
    for folder in groups("memory"):
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            if told := words(folder, name):
                return int(told[0])
    return None


def throttled_s() -> float:
    """Seconds for which the groups of this process were held back since they were made, because of their quota."""
    found = 0.0
    for folder in dict.fromkeys(groups("cpu")):
        told = words(folder, "cpu.stat")
        counts = dict(zip(told[::2], told[1::2], strict=False))
        found += int(counts.get("throttled_usec", 0)) / 1e6 + int(counts.get("throttled_time", 0)) / 1e9
    return found
