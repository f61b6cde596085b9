"""Changes of memory and counts between two stored runs, from one reading in each.

Source: `docs/method.md`. A gate reads three times before it reports a change, and has a smaller tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from suite.analysis.exact_metrics import METRICS, exact_metrics, growth, tolerance_of
from suite.analysis.thresholds import ChangeVerdict
from suite.records import RunRecord


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """The change and verdict of one case by one metric, in base units.

    Attributes:
        change: candidate / baseline - 1; None if the baseline is 0 and the candidate is not.
    """

    id: str
    metric: str
    unit: str
    baseline: float
    candidate: float
    change: float | None
    verdict: ChangeVerdict


def compare_memory(pairs: Sequence[tuple[RunRecord, RunRecord]], tolerance: float) -> tuple[MemoryChange, ...]:
    """Compare the memory metrics that both runs have; the largest growth first."""
    changes = [
        judge(before.case.id, metric, *readings, tolerance)
        for before, after in pairs
        for metric in METRICS
        if (readings := readings_of(metric, before, after))
    ]
    return tuple(sorted(changes, key=lambda change: -math.inf if change.change is None else -change.change))


def readings_of(metric: str, before: RunRecord, after: RunRecord) -> tuple[float, float] | None:
    """Readings of a metric in both runs; None if one of the runs has none."""
    first, second = (
        exact_metrics(record.measurement.surveyed).get(metric) if record.measurement else None
        for record in (before, after)
    )
    return None if first is None or second is None else (first, second)


def judge(case_id: str, metric: str, baseline: float, candidate: float, tolerance: float) -> MemoryChange:
    """Judge one metric of one case.

    Growth above the tolerance is a regression. A decrease is an improvement if the way back would be a regression.
    """
    tolerance = tolerance_of(metric, tolerance)
    verdict: ChangeVerdict = "no change"
    if candidate > baseline * (1 + tolerance):
        verdict = "regression"
    elif candidate * (1 + tolerance) < baseline:
        verdict = "improvement"
    change = growth(baseline, candidate)
    finite = change if math.isfinite(change) else None
    return MemoryChange(case_id, metric, METRICS[metric], baseline, candidate, finite, verdict)
