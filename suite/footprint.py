"""What of a survey of memory is compared: the highest peak beyond what imports take, and how often steps allocate.

The same code takes nearly the same memory each time: peaks differ by some tenths of a percent, allocations not at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from suite.records import Series

METRICS = {"peak_memory": "B", "allocations": "count"}
"""What is compared, and its unit."""
PEAKS = {
    "device_memory_allocated_peak_": "device_memory_allocated_before_made",
    "memory_peak_": "memory_before_made",
}
"""Beginning of the names of the peaks by phase, and what had been taken before: of devices, else of the host."""


def footprint(surveyed: Iterable[Series]) -> dict[str, float]:
    """What is compared, by metric, of what surveys found; nothing of what they did not."""
    found = {one.metric.name: one.values[0] for one in surveyed if one.values}
    told: dict[str, float] = {}
    for beginning, before in PEAKS.items():
        peaks = [value for name, value in found.items() if name.startswith(beginning)]
        if peaks and "peak_memory" not in told:
            told["peak_memory"] = max(peaks) - found.get(before, 0.0)
    if "allocations" in found:
        told["allocations"] = found["allocations"]
    return told
