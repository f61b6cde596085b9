"""Changes of memory and counts between two stored runs, from one reading in each.

Source: `docs/method.md`. A gate reads three times before it reports a change, and has a smaller tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.change import Change
from suite.analysis.exact_metrics import METRICS, exact_metrics, growth, tolerance_of
from suite.analysis.thresholds import ChangeVerdict
from suite.records import RunRecord


def compare_memory(pairs: Sequence[tuple[RunRecord, RunRecord]], tolerance: float) -> tuple[Change, ...]:
    """Compare the memory metrics that both runs have; the largest growth first."""
    changes = [
        judge(before.case.id, metric, *readings, tolerance)
        for before, after in pairs
        for metric in METRICS
        if (readings := readings_of(metric, before, after))
    ]
    return tuple(sorted(changes, key=lambda change: -change.change))


def readings_of(metric: str, before: RunRecord, after: RunRecord) -> tuple[float, float] | None:
    """Readings of a metric in both runs; None if one of the runs has none."""
    first, second = (
        exact_metrics(record.measurement.surveyed).get(metric) if record.measurement else None
        for record in (before, after)
    )
    return None if first is None or second is None else (first, second)


def judge(case_id: str, metric: str, baseline: float, candidate: float, tolerance: float) -> Change:
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
    return Change(
        name=case_id,
        metric=metric,
        unit=METRICS[metric],
        verdict=verdict,
        change=change,
        low=change,
        high=change,
        baseline_median=baseline,
        candidate_median=candidate,
    )
