"""Metrics of a round: one `Probe` each. A new metric needs no other edit.

Probes are cumulative counters of the worker's process, read before the clock starts and after it has stopped; the
value of a round is the difference, divided by its steps. Reading them costs some microseconds, outside the round.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from suite.machine.readings import optional_or
from suite.records import Metric

STEP_TIME = Metric(
    "step_time",
    "s",
    "lower",
    "Wall time of one training step: zero_grad, forward, loss, backward and optimizer step on one batch.",
)
"""The primary metric. It comes from the clock, not from a probe."""
DATA_WAIT = Metric(
    "data_wait",
    "s",
    "lower",
    "The part of one step's time in which it waited for the input pipeline to yield its batch on the device.",
)
"""Read from the step, which measures the time from its request to the batch."""
DATA_WAIT_OF_DEVICE = Metric(
    "data_wait",
    "s",
    "lower",
    "The part of one step's time in which it waited for the input pipeline to yield its batch, without the copy to the "
    "device: that waits for the device's earlier work.",
)
"""The same of a step on an accelerator."""
TASKS = Path("/proc/self/task")
"""The kernel's folder with one folder for each thread of this process."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A metric and its counter: the metric is the difference of two readings."""

    metric: Metric
    read: Callable[[], float]


class QueueTimeCounter:
    """The time in which threads of this process waited for a core, by the kernel.

    Its files stay open until `close`. After a step the kernel's own data have left the caches, and each call costs some
    20 us. So the threads are listed again only if the number of links of their folder has changed: it is two more than
    the number of threads.

    Source: Linux, Documentation/scheduler/sched-stats.rst, `/proc/<pid>/task/<tid>/schedstat`, second field
        (nanoseconds).
    """

    def __init__(self) -> None:
        self._folder = -1
        self._files: list[int] = []
        self._links = 0

    @optional_or(float)
    def read_s(self) -> float:
        """Seconds in which a thread was ready to run and another process ran instead.

        0.0 if the kernel does not count it. A thread that has ended no longer counts.
        """
        if self._folder < 0:
            self._open()
        elif os.fstat(self._folder).st_nlink != self._links:
            self.close()
            self._open()
        total_ns = 0
        for file in self._files:
            with suppress(OSError, IndexError, ValueError):  # the thread has just ended, or the kernel counts nothing
                total_ns += int(os.pread(file, 128, 0).split()[1])
        return total_ns / 1e9

    def _open(self) -> None:
        if not TASKS.is_dir():
            return
        self._folder = os.open(TASKS, os.O_RDONLY)
        self._links = os.fstat(self._folder).st_nlink
        for task in TASKS.iterdir():
            with suppress(OSError):
                self._files.append(os.open(task / "schedstat", os.O_RDONLY))

    def close(self) -> None:
        """Close the files. Reading opens them again."""
        while self._files:
            os.close(self._files.pop())
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


PROBES: tuple[Probe, ...] = (
    Probe(
        Metric("cpu_time", "s", "lower", "Time on cores during one step, all threads of the worker together."),
        time.process_time,
    ),
    Probe(
        Metric(
            "minor_faults",
            "count",
            "lower",
            "Pages mapped in during one step without reading a disk; many mean that the allocator gives memory back.",
        ),
        lambda: getrusage(RUSAGE_SELF).ru_minflt,
    ),
    Probe(
        Metric("major_faults", "count", "lower", "Pages read from a disk during one step."),
        lambda: getrusage(RUSAGE_SELF).ru_majflt,
    ),
    Probe(
        Metric(
            "involuntary_switches", "count", "lower", "Times in one step that the kernel gave the worker's core away."
        ),
        lambda: getrusage(RUSAGE_SELF).ru_nivcsw,
    ),
)
QUEUE_TIME = Metric(
    "queue_time",
    "s",
    "lower",
    "Time in one step in which a thread of the worker was ready to run but another process ran instead.",
)
"""Shows the rounds in which other processes disturbed the step. A step with more processes than cores disturbs itself,
so it has no such metric."""

ACCURACY = Metric(
    "accuracy", "ratio", "higher", "Share of the test images that the network classifies correctly after the epoch."
)
TEST_LOSS = Metric("test_loss", "1", "lower", "Cross-entropy on the test images after the epoch.")
