"""Cores and the threads that compute on them: a core for each while rounds are taken.

Torch's threads wait for each other some hundred times a step, and spin while they wait. Where another process takes a
core, the kernel may put two of them on the one that is left; each then spins through the other's time, and a step was
found to take up to 25 times as long, instead of twice (docs/decisions/0008). With a core for each that cannot happen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TASKS = Path("/proc/self/task")
AT_WORK = 0.2
"""Share of the busiest thread's time on cores above which a thread counts as one that computes."""


class Cores:
    """The threads of this process that compute, told by the time that they have spent on cores since this was made.

    Torch keeps its threads: once as many as it computes with are found, they are not looked for again.
    """

    def __init__(self) -> None:
        self._before = times_ns()
        self._found: list[int] = []

    @contextmanager
    def one_each(self, threads: int) -> Iterator[bool]:
        """Bind each computing thread to a core of its own; all are free again when the context ends.

        Nothing is bound, and False given, where the threads are not as many as the cores that the process may use (the
        kernel has a core to spare, or too few), where they have not all computed yet, or where there is only one.
        Processes and threads started meanwhile inherit one core: start none.

        Args:
            threads: that compute, the main one included.
        """
        cores = allowed_cores()
        wanted = 1 < threads == len(cores)
        if wanted and len(self._found) != threads:
            self._found = self.computing()
        bound = wanted and len(self._found) == threads
        for thread, core in zip(self._found if bound else [], cores, strict=False):
            bind(thread, {core})
        try:
            yield bound
        finally:
            for thread in self._found if bound else []:
                bind(thread, set(cores))

    def computing(self) -> list[int]:
        """Ids of the threads that have computed."""
        spent_ns = {thread: time_ns - self._before.get(thread, 0) for thread, time_ns in times_ns().items()}
        most_ns = max(spent_ns.values(), default=0)
        return sorted(thread for thread, time_ns in spent_ns.items() if time_ns > AT_WORK * most_ns)


def allowed_cores() -> list[int]:
    """Numbers of the cores that this process may use; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(allowed_cores()) or os.cpu_count() or 1


def times_ns() -> dict[int, int]:
    """Time on cores of each thread of this process, by its id; nothing where the kernel does not tell.

    Source: Linux, Documentation/scheduler/sched-stats.rst, `/proc/<pid>/task/<tid>/schedstat`, first field.
    """
    found: dict[int, int] = {}
    with suppress(OSError):
        for task in TASKS.iterdir():
            with suppress(OSError, IndexError):  # a thread that has just ended
                found[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return found


def bind(thread: int, cores: set[int]) -> None:
    """Let a thread run on these cores alone; one that has ended needs none."""
    with suppress(OSError):
        os.sched_setaffinity(thread, cores)
