"""Metrics of memory that are compared: peak beyond imports, and counts.

The same code takes nearly the same each time: peaks differ by some tenths of a percent, counts not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from suite.records import Series

METRICS = {"peak_memory": "B", "allocations": "count", "host_reads": "count"}
"""What is compared, and its unit."""
EXACT = frozenset({"host_reads"})
"""Metrics of which any growth counts, whatever is tolerated of the others: one read more in each step makes the host
wait for the device once more, however many reads there were."""
COUNTED = tuple(name for name, unit in METRICS.items() if unit == "count")
PEAKS = {
    "device_memory_allocated_peak_": "device_memory_allocated_before_made",
    "memory_peak_": "memory_before_made",
}
"""Beginning of the names of the peaks by phase, and what had been taken before: of devices, else of the host."""
WITH_WORKSPACES = ("device_memory_allocated_peak_",)
WORKSPACES, STEADY = "device_workspace_bytes", "steady"
"""A metric of records in which workspaces of libraries, many times a small network's memory, are in the peaks of the
first phases and not in the peak of this one."""


def exact_metrics(surveyed: Iterable[Series]) -> dict[str, float]:
    """Compared metrics by name, of those that instruments measured."""
    found = {one.metric.name: one.values[0] for one in surveyed if one.values}
    compared = {name: found[name] for name in COUNTED if name in found}
    for beginning, before in PEAKS.items():
        ending = STEADY if WORKSPACES in found and beginning in WITH_WORKSPACES else ""
        peaks = [value for name, value in found.items() if name.startswith(beginning + ending)]
        peak = max(peaks, default=0.0) - found.get(before, 0.0)
        if peak > 0:
            compared.setdefault("peak_memory", peak)
    return compared


def tolerance_of(metric: str, tolerance: float) -> float:
    """Growth of a metric that is no regression, given the tolerance of memory."""
    return 0.0 if metric in EXACT else tolerance


def growth(baseline: float, candidate: float) -> float:
    """Candidate / baseline - 1: infinite from 0 to more, 0.0 if both are 0."""
    if baseline:
        return candidate / baseline - 1
    return math.inf if candidate else 0.0
