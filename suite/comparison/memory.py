"""Memory and counts of the cases of two stored runs: one reading in each, compared as it stands.

Source: `docs/method.md`; a gate reads three times before it says that memory has changed, and has a closer tolerance.
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
    """One case by one metric in both runs, in base units; `change` is candidate / baseline - 1, None from 0 on."""

    id: str
    metric: str
    unit: str
    baseline: float
    candidate: float
    change: float | None
    verdict: ChangeVerdict


def compare_memory(pairs: Sequence[tuple[RunRecord, RunRecord]], tolerance: float) -> tuple[MemoryChange, ...]:
    """Every metric of memory that both runs have of a case; the largest growth first."""
    found = [
        judged(before.case.id, metric, *figures, tolerance)
        for before, after in pairs
        for metric in METRICS
        if (figures := both(before, after, metric))
    ]
    return tuple(sorted(found, key=lambda one: -math.inf if one.change is None else -one.change))


def both(before: RunRecord, after: RunRecord, metric: str) -> tuple[float, float] | None:
    """A metric in both runs; None where one of them has none."""
    first, second = (
        exact_metrics(one.measurement.surveyed).get(metric) if one.measurement else None for one in (before, after)
    )
    return None if first is None or second is None else (first, second)


def judged(case_id: str, metric: str, baseline: float, candidate: float, tolerance: float) -> MemoryChange:
    """A regression where it grew by more than the tolerance, an improvement where growing back would be one."""
    tolerance = tolerance_of(metric, tolerance)
    verdict: ChangeVerdict = "no change"
    if candidate > baseline * (1 + tolerance):
        verdict = "regression"
    elif candidate * (1 + tolerance) < baseline:
        verdict = "improvement"
    change = growth(baseline, candidate)
    known = change if math.isfinite(change) else None
    return MemoryChange(case_id, metric, METRICS[metric], baseline, candidate, known, verdict)
