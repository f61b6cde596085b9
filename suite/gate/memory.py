"""Memory of both sides, case by case: found once, and twice more where it seems to have grown or shrunk.

The same code takes nearly the same memory each time: peaks differ by some tenths of a percent, allocations not at
all. So it needs no statistics but patience: every reading of one side has to lie beyond every reading of the other.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from time import monotonic

from suite.forked import ForkedWorker
from suite.gate.blocks import WHO, Reading, Row, Setting, start
from suite.gate.pair import OneFailed, answer
from suite.records import Series

SURVEY = "memory"
READINGS = 3
"""Of each side, before memory is said to have changed."""
METRICS = {"peak_memory": "B", "allocations": "count"}
"""What is compared, and its unit."""
PEAKS = {
    "device_memory_allocated_peak_": "device_memory_allocated_before_made",
    "memory_peak_": "memory_before_made",
}
"""Beginning of the names of the peaks by phase, and what had been taken before: of devices, else of the host."""


def measure_memory(setting: Setting, rows: Sequence[Row], index: int, seed: int) -> Reading:
    """Survey the memory of cases in a fresh process of each side, both sides at the same time.

    Raises:
        StepmarkError: one of the sides does not start.
    """
    chance = random.Random(f"{seed} memory {index}")  # noqa: S311 - an order
    started_s = monotonic()
    found: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    with ExitStack() as stack:
        launchers = setting.launchers("comparison", chance)
        for launcher in launchers:
            stack.enter_context(launcher)
        start(launchers, chance.randrange(2))
        for row in rows:
            workers: list[ForkedWorker] = []
            try:
                for place, case in enumerate((row.baseline, row.candidate)):
                    begin = partial(launchers[place].begin_survey, case, SURVEY)
                    workers.append(answer(place, begin))
                first, second = (values(answer(place, workers[place].surveyed)) for place in range(len(WHO)))
                found[row.id] = (first, second)
            except OneFailed:
                continue  # the blocks will tell why
            finally:
                for worker in workers:
                    worker.end()
    return Reading(index, monotonic() - started_s, found)


def values(series: Sequence[Series]) -> dict[str, float]:
    """What is compared, by metric, of what a survey found."""
    found = {one.metric.name: one.values[0] for one in series if one.values}
    told: dict[str, float] = {}
    for beginning, before in PEAKS.items():
        peaks = [value for name, value in found.items() if name.startswith(beginning)]
        if peaks and "peak_memory" not in told:
            told["peak_memory"] = max(peaks) - found.get(before, 0.0)
    if "allocations" in found:
        told["allocations"] = found["allocations"]
    return told


def suspects(rows: Sequence[Row], readings: Sequence[Reading], metrics: Sequence[str], tolerance: float) -> list[Row]:
    """Rows whose memory seems to differ by more than the tolerance in every reading so far."""
    return [
        row for row in rows if any(abs(direction(*columns(readings, row.id, metric), tolerance)) for metric in metrics)
    ]


def columns(readings: Sequence[Reading], row: str, metric: str) -> tuple[list[float], list[float]]:
    """A metric's readings of a row, of the baseline and of the candidate."""
    pairs = [reading.found[row] for reading in readings if row in reading.found]
    told = [pair for pair in pairs if metric in pair[0] and metric in pair[1]]
    return [pair[0][metric] for pair in told], [pair[1][metric] for pair in told]


def direction(baseline: Sequence[float], candidate: Sequence[float], tolerance: float) -> int:
    """1 where every reading of the candidate exceeds every one of the baseline by more than the tolerance, -1 where it
    falls short likewise, else 0.
    """
    if not baseline:
        return 0
    if min(candidate) > max(baseline) * (1 + tolerance):
        return 1
    return -1 if max(candidate) * (1 + tolerance) < min(baseline) else 0


def wanted(metrics: Mapping[str, str] | Sequence[str]) -> list[str]:
    """Those of the metrics that are memory's."""
    return [metric for metric in metrics if metric in METRICS]
