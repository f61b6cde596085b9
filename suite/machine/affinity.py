"""Cores, and the threads that compute on them: one core each during rounds.

Torch's threads wait for each other some hundred times a step, and spin while they wait. Where another process takes a
core, the kernel may put two of them on the one that is left; each then spins through the other's time, and a step was
found to take up to 25 times as long, instead of twice (docs/decisions/0008). With a core for each that cannot happen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suite.machine.readings import optional_or

TASKS = Path("/proc/self/task")
AT_WORK = 0.2
"""Share of the busiest thread's time on cores above which a thread counts as one that computes."""


class Cores:
    """Binds each computing thread of this process to a core during rounds.

    Make it after torch was given its number of threads and before it computes. A thread that exists by then, but for
    the main one, is none that computes: torch 2.11 keeps a second pool, whose threads spin for some 20 ms after it was
    made and are never used again. The threads of OpenMP, which compute, are born in the first step.

    Some steps end and start threads all the time: where a part of a step has work for fewer threads, OpenMP ends the
    others, and starts new ones for the next part. A new thread inherits the core of the thread that starts it, and both
    would spin on that core. Such a process is never bound.
    """

    def __init__(self) -> None:
        self._idle = set(thread_ids()) - {os.getpid()}
        self._found: list[int] = []
        self._sure = False
        self._given_up = False

    @contextmanager
    def one_each(self, threads: int) -> Iterator[bool]:
        """Bind each computing thread to a separate core, until the context ends.

        A context binds if no thread was born or ended in the one before, which found the threads that compute. They are
        looked for again until two contexts agree. Nothing is bound, and False given, where the threads are not as many
        as the cores that the process may use (the kernel has a core to spare, or too few), where there is only one, or
        where the kernel does not keep to it. Once a thread was born or has ended while others were bound, nothing is
        bound any more. Processes started inside inherit one core: start none.

        Args:
            threads: that compute, the main one included.
        """
        cores = allowed_cores()
        wanted = 1 < threads == len(cores) and not self._given_up
        before, before_ns = thread_ids(), thread_times_ns() if wanted and not self._sure else {}
        bound = wanted and len(self._found) == threads and self._bind(cores)
        try:
            yield bound
        finally:
            if bound:
                bind_all(cores)
            if thread_ids() != before:
                self._found, self._sure = [], False
                self._given_up |= bound
            elif before_ns:
                found = self._computing(before_ns)
                self._found, self._sure = found, bound and found == self._found

    def _bind(self, cores: list[int]) -> bool:
        """Bind each found thread to its core; return whether all are bound.

        Otherwise all threads are free, and the next context finds them anew.
        """
        if all(bind(thread, {core}) for thread, core in zip(self._found, cores, strict=True)):
            return True
        bind_all(cores)
        self._found, self._sure = [], False
        return False

    def _computing(self, before_ns: dict[int, int]) -> list[int]:
        """Ids of the threads that have computed since then."""
        spent_ns = {
            thread: time_ns - before_ns.get(thread, 0)
            for thread, time_ns in thread_times_ns().items()
            if thread not in self._idle
        }
        most_ns = max(spent_ns.values(), default=0)
        return sorted(thread for thread, time_ns in spent_ns.items() if time_ns > AT_WORK * most_ns)


@optional_or(lambda: [os.getpid()])
def thread_ids() -> list[int]:
    """Ids of this process's threads, in order; only the main one if none are listed."""
    return sorted(int(task.name) for task in TASKS.iterdir())


@optional_or(list)
def allowed_cores() -> list[int]:
    """Numbers of the cores that this process may use; empty if unknown."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def affinity_cores() -> int:
    """Number of cores in this process's affinity.

    A CPU quota may grant less: `threads.granted_cores`.
    """
    return len(allowed_cores()) or os.cpu_count() or 1


@optional_or(dict)
def thread_times_ns() -> dict[int, int]:
    """CPU time of each thread of this process, by id; empty if unknown.

    Source: Linux, Documentation/scheduler/sched-stats.rst, `/proc/<pid>/task/<tid>/schedstat`, first field.
    """
    found: dict[int, int] = {}
    for task in TASKS.iterdir():
        with suppress(OSError, IndexError):  # a thread that has just ended
            found[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return found


def bind(thread: int, cores: set[int]) -> bool:
    """Restrict a thread to these cores; return whether the kernel confirms it."""
    try:
        os.sched_setaffinity(thread, cores)
        return os.sched_getaffinity(thread) == cores
    except OSError:
        return False


def bind_all(cores: Iterable[int]) -> None:
    """Restrict every thread of this process to these cores, new ones included."""
    for thread in thread_ids():
        bind(thread, set(cores))
