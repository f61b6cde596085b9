"""Processes of this machine, from one short file of the kernel for each."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from suite.machine.readings import known, known_or, optional, optional_or, positive

PROC = Path("/proc")
TICKS = known("procfs.ticks", lambda: positive(os.sysconf("SC_CLK_TCK"))) or 100
"""Of the kernel's clock in a second; every Linux of these years says 100."""
PAGE_BYTES = known("procfs.page_bytes", lambda: positive(os.sysconf("SC_PAGE_SIZE"))) or 4096
READ_BYTES = 1 << 16
CORE = re.compile(r"cpu(\d+) ")
"""Beginning of the line about a core in `stat`."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one time.

    Attributes:
        started: in ticks since the machine started; with the id it identifies a process, since ids are reused.
        cpu_s: that it has spent on cores.
        reaped_s: spent by ended children for which it has waited, and by theirs.
        faults, reaped_faults: pages mapped in by itself and by those children.
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


def read_file(path: str) -> str:
    """Read a short file of the kernel, ten times as fast as `Path.read_text`.

    Steps run at the same time.

    Raises:
        OSError: there is none, or its process has ended.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, READ_BYTES).decode(errors="replace")
    finally:
        os.close(file)


def list_dir(folder: Path | str) -> list[str]:
    """Names in a folder, without a `Path` for each, which would be slower."""
    return os.listdir(folder)  # noqa: PTH208


def times_of_cores() -> dict[int, Any]:
    """Times of each core since the machine started, by its number.

    psutil gives them in the order of the kernel's lines, which leave out cores that are offline.

    Raises:
        ValueError: a core went on- or offline between the two readings.
    """
    lines = (PROC / "stat").read_text().splitlines()
    numbers = [int(found[1]) for line in lines if (found := CORE.match(line))]
    return dict(zip(numbers, psutil.cpu_times(percpu=True), strict=True))


@optional
def read_process(pid: int) -> Process:
    """A process; None where it has ended."""
    return parse_stat(read_file(f"{PROC}/{pid}/stat"))


def split_by_ancestor(every: list[Process], *roots: int) -> tuple[list[Process], list[Process]]:
    """The processes `roots` with their descendants, each once, and all others."""
    by_parent: dict[int, list[Process]] = {}
    for one in every:
        by_parent.setdefault(one.parent, []).append(one)
    own = {one.pid: one for one in every if one.pid in roots}
    waiting = list(own.values())
    for one in waiting:  # which grows in the loop
        found = [child for child in by_parent.get(one.pid, []) if child.pid not in own]
        own.update((child.pid, child) for child in found)
        waiting += found
    return waiting, [one for one in every if one.pid not in own]


def all_processes() -> list[Process]:
    """All processes that this one sees.

    Raises:
        OSError: the folder of processes cannot be read.
    """
    found = (read_process(int(name)) for name in list_dir(PROC) if name.isdigit())
    return [one for one in found if one is not None]


def parse_stat(line: str) -> Process:
    """A process from its line in `stat`. Its name may hold brackets and spaces.

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


def descendants(root: int) -> list[int]:
    """Ids of the process `root` and its descendants; `root` alone if unknown.

    Source: proc(5), `/proc/pid/task/tid/children`, which not every kernel has; then all processes are looked through.
    """
    if not lists_children():
        return descendants_by_scan(root)
    found = [root]
    for pid in found:  # which grows in the loop
        found += children(pid)
    return found


@optional_or(bool)
def lists_children() -> bool:
    """Whether this kernel lists the children of a process."""
    return Path(f"{PROC}/self/task/{os.getpid()}/children").exists()


def descendants_by_scan(root: int) -> list[int]:
    """As `descendants`, found among all processes."""
    every = known_or("procfs.all_processes", all_processes, list)
    return [one.pid for one in split_by_ancestor(every, root)[0]] or [root]


def children(pid: int) -> list[int]:
    """Ids of a process's running children; none if it has ended."""
    return [child for task in thread_names(pid) for child in children_of(pid, task)]


@optional_or(list)
def thread_names(pid: int) -> list[str]:
    """Names of the threads of a process; none where it has ended."""
    return list_dir(f"{PROC}/{pid}/task")


@optional_or(list)
def children_of(pid: int, task: str) -> list[int]:
    """Ids of the children that one thread has started; none if it has ended."""
    return [int(word) for word in read_file(f"{PROC}/{pid}/task/{task}/children").split()]
