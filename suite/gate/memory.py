"""Reads the memory of both sides, case by case, by the survey that records have too."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from time import monotonic

from suite.forked import ForkedWorker
from suite.gate.blocks import Setting, start
from suite.gate.pair import OneFailed, answer
from suite.gate.records import WHO, Reading, Row
from suite.records import Series

SURVEY = "memory"
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
