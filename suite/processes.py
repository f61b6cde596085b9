"""Processes of this machine as the kernel tells of them: one short file each, which is cheap enough to read often."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS, PAGE_BYTES = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one time.

    Attributes:
        started: in ticks since the machine was: with the id, it tells a process from a later one of that id.
        cpu_s: that it has spent on cores.
        reaped_s: that those of its children have spent for which it has waited, and theirs.
        faults, reaped_faults: pages mapped in, likewise.
    """

    pid: int
    parent: int
    name: str
    started: int
    cpu_s: float
    reaped_s: float
    faults: int
    reaped_faults: int
    resident_bytes: int


def contents(path: str) -> str:
    """A short file of the kernel. `Path.read_text` takes ten times as long, and this is read beside a step.

    Raises:
        OSError: there is none, or its process has ended.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, READ_BYTES).decode(errors="replace")
    finally:
        os.close(file)


def names(folder: Path | str) -> list[str]:
    """What is in a folder; without a path for each, as for `contents`."""
    return os.listdir(folder)  # noqa: PTH208


def one_process(pid: int) -> Process | None:
    """A process; None where it has ended."""
    try:
        return parsed(contents(f"{PROC}/{pid}/stat"))
    except OSError:
        return None


def parted(every: list[Process], root: int) -> tuple[list[Process], list[Process]]:
    """The process `root` with its descendants, and all others."""
    by_parent: dict[int, list[Process]] = {}
    for one in every:
        by_parent.setdefault(one.parent, []).append(one)
    own = [one for one in every if one.pid == root]
    for one in own:  # which grows meanwhile
        own += by_parent.get(one.pid, [])
    mine = {one.pid for one in own}
    return own, [one for one in every if one.pid not in mine]


def every_process() -> list[Process]:
    """All processes that this one sees."""
    found = (one_process(int(name)) for name in names(PROC) if name.isdigit())
    return [one for one in found if one is not None]


def parsed(line: str) -> Process:
    """A process from the kernel's line about it. Its name may hold anything, brackets and spaces too.

    Source: proc(5), `/proc/pid/stat`.
    """
    head, _, tail = line.rpartition(")")
    pid, _, name = head.partition("(")
    words = tail.split()  # from the third field on: state, parent, ...
    minor, reaped_minor, major, reaped_major, user, system, reaped_user, reaped_system = map(int, words[7:15])
    return Process(
        pid=int(pid),
        parent=int(words[1]),
        name=name,
        started=int(words[19]),
        cpu_s=(user + system) / TICKS,
        reaped_s=(reaped_user + reaped_system) / TICKS,
        faults=minor + major,
        reaped_faults=reaped_minor + reaped_major,
        resident_bytes=int(words[21]) * PAGE_BYTES,
    )


def family(root: int) -> list[int]:
    """Ids of the process `root` and its descendants.

    Source: proc(5), `/proc/pid/task/tid/children`, which not every kernel has; then all processes are looked through.
    """
    if not Path(f"{PROC}/self/task/{os.getpid()}/children").exists():
        return [one.pid for one in parted(every_process(), root)[0]]
    found = [root]
    for pid in found:  # which grows meanwhile
        found += children(pid)
    return found


def children(pid: int) -> list[int]:
    """Ids of the processes that a process has started and that are there; none where it has ended itself."""
    found: list[int] = []
    with suppress(OSError):
        for task in names(f"{PROC}/{pid}/task"):
            found += map(int, contents(f"{PROC}/{pid}/task/{task}/children").split())
    return found
