"""What is read around a round, one entry each. A new metric is one new `Probe` here; nothing else needs an edit.

Probes are cumulative counters of the worker's process, read before the clock starts and after it has stopped; the
value of a round is the difference, divided by its steps. Reading them costs some microseconds, outside the round.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from resource import RUSAGE_SELF, getrusage

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
"""Read from the step itself, which knows when it asked for a batch."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A metric and the counter that it is the difference of."""

    metric: Metric
    read: Callable[[], float]


def queued_s() -> float:
    """Seconds in which threads of this process were ready to run and another ran instead; 0.0 where the kernel tells
    nothing.

    Source: Linux, Documentation/scheduler/sched-stats.rst, `/proc/<pid>/schedstat`, second field (nanoseconds).
    """
    total_ns = 0
    try:
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - read around every round: cheap calls only
            with open(f"/proc/self/task/{thread}/schedstat", "rb") as file:  # noqa: PTH123 - likewise
                total_ns += int(file.read().split()[1])
    except (FileNotFoundError, IndexError):
        return total_ns / 1e9
    return total_ns / 1e9


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
QUEUE_TIME = Probe(
    Metric(
        "queue_time",
        "s",
        "lower",
        "Time in one step in which a thread of the worker was ready to run but another process ran instead.",
    ),
    queued_s,
)
"""By this rounds are told in which others disturbed the step. A step whose own processes are more than the cores
disturbs itself, and does without."""

ACCURACY = Metric(
    "accuracy", "ratio", "higher", "Share of the test images that the network tells right after the epoch."
)
TEST_LOSS = Metric("test_loss", "1", "lower", "Cross-entropy on the test images after the epoch.")
