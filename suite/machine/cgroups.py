"""Limits and counters of control groups: of the container, not of its host.

A limit of any group above holds too, so the lowest one counts. Both versions are read; in version 1 each controller has
a separate hierarchy.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from suite.machine.readings import optional, optional_or, positive

MEMBERSHIP = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")
LIMITS = ("memory.max", "memory.high", "memory.limit_in_bytes")
UNLIMITED_BYTES = 1 << 60
"""Version 1 says of a group without a limit that it has a very large one."""


def groups(controller: str) -> Iterator[Path]:
    """Folders of this process's groups for a controller, and of all groups above.

    In a container the path may be the host's, of which only the end is there, or the root alone.
    """
    for base, path in memberships(controller):
        own = base / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(base) and is_there(folder):
                yield folder


@optional_or(bool)
def is_there(folder: Path) -> bool:
    """Whether a folder is there, as far as this process may know."""
    return folder.is_dir()


def memberships(controller: str) -> Iterator[tuple[Path, str]]:
    """Mount points of a controller's hierarchies, and this process's path in each."""
    for controllers, path in lines_of_membership():
        if not controllers:
            yield ROOT, path
        elif controller in controllers.split(","):
            yield ROOT / controllers, path
            yield ROOT / controller, path


@optional_or(list)
def lines_of_membership() -> list[tuple[str, str]]:
    """Controllers of each hierarchy, and the path of this process's group in it."""
    fields = (line.split(":", 2) for line in MEMBERSHIP.read_text().splitlines())
    return [(controllers, path) for _, controllers, path in fields]


@optional_or(list)
def read_words(folder: Path, name: str) -> list[str]:
    """The words of a group's file; none where it has no such file."""
    return (folder / name).read_text().split()


def cpu_quota() -> float | None:
    """Cores' worth of time that this process may use; None where there is no quota."""
    return min((quota for folder in groups("cpu") if (quota := quota_of(folder)) is not None), default=None)


@optional
def quota_of(folder: Path) -> float | None:
    """Cores' worth of time that one group grants; None where it sets no quota."""
    granted = read_words(folder, "cpu.max") or [
        *read_words(folder, "cpu.cfs_quota_us"),
        *read_words(folder, "cpu.cfs_period_us"),
    ]
    if len(granted) != 2 or granted[0] in ("max", "-1"):
        return None
    return positive(int(granted[0]) / int(granted[1]))


def memory_limit() -> int | None:
    """Bytes that this process may have; None where there is no limit."""
    limits = (limit_of(folder, name) for folder in groups("memory") for name in ("memory.max", "memory.limit_in_bytes"))
    return min((limit for limit in limits if limit is not None), default=None)


@optional
def limit_of(folder: Path, name: str) -> int | None:
    """Bytes in one file of a group; None where it sets no limit."""
    limits = [positive(int(word)) for word in read_words(folder, name) if word != "max"]
    return min((limit for limit in limits if limit < UNLIMITED_BYTES), default=None)


def memory_room() -> int | None:
    """Bytes that this process may still take; None where no group has a limit."""
    rooms = (room_in(folder) for folder in groups("memory"))
    return min((room for room in rooms if room is not None), default=None)


@optional
def room_in(folder: Path) -> int | None:
    """Bytes below the limits of one group; None where it sets no limit.

    All that runs in it counts, less the pages of files that the kernel gives up first. Above `memory.high` the kernel
    slows a group.
    """
    limits = [limit for name in LIMITS if (limit := limit_of(folder, name)) is not None]
    if not limits:
        return None
    used = [*read_words(folder, "memory.current"), *read_words(folder, "memory.usage_in_bytes"), "0"]
    said = read_words(folder, "memory.stat")
    counts = dict(zip(said[::2], said[1::2], strict=False))
    spare = int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
    return max(0, min(limits) - max(0, int(used[0]) - spare))


@optional
def memory_peak() -> int | None:
    """Peak memory of this process's group since its start; None if unknown."""
    for folder in groups("memory"):
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            if found := read_words(folder, name):
                return int(found[0])
    return None


@optional
def oom_kills() -> int | None:
    """Processes of this process's group that the kernel killed for want of memory.

    Counted since the group's start; None if unknown.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst, `memory.events`; cgroup-v1/memory.rst, `memory.oom_control`.
    """
    for folder in groups("memory"):
        for name in ("memory.events", "memory.oom_control"):
            said = read_words(folder, name)
            counts = dict(zip(said[::2], said[1::2], strict=False))
            if "oom_kill" in counts:
                return int(counts["oom_kill"])
    return None


@optional
def throttled_s() -> float:
    """Seconds for which a CPU quota throttled this process's groups since their start.

    Returns:
        None if a group's file cannot be read, 0.0 if no group has one.
    """
    found = 0.0
    for folder in dict.fromkeys(groups("cpu")):
        said = read_words(folder, "cpu.stat")
        counts = dict(zip(said[::2], said[1::2], strict=False))
        found += int(counts.get("throttled_usec", 0)) / 1e6 + int(counts.get("throttled_time", 0)) / 1e9
    return found
