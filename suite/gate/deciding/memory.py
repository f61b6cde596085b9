"""Changes of a case's memory and counted requests, by readings of both sides.

A gate takes one reading, and two more if it seems to show a change. The same code yields nearly the same values each
time (`exact_metrics`), so no statistics are needed. Every reading of one side has to lie beyond every reading of the
other.
"""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.exact_metrics import METRICS, tolerance_of
from suite.gate.record.values import SIDES, CasePair, Reading, Side

READINGS = 3
"""Readings of each side that a change needs."""


def suspects(
    rows: Sequence[CasePair], readings: Sequence[Reading], metrics: Sequence[str], tolerance: float
) -> list[CasePair]:
    """Rows to read again.

    Their memory differs by more than the tolerance in every reading so far, or a worker was killed in each.
    """
    return [
        row
        for row in rows
        if is_lost(readings, row.id) or any(direction_of(readings, row.id, metric, tolerance) for metric in metrics)
    ]


def is_lost(readings: Sequence[Reading], row: str) -> bool:
    """Whether a worker of a row was killed in each reading."""
    return not any(row in reading.found or row in reading.failed for reading in readings)


def columns(readings: Sequence[Reading], row: str, metric: str) -> tuple[list[float], list[float]]:
    """A metric's readings of a row: the baseline's, and the candidate's."""
    pairs = [reading.found[row] for reading in readings if row in reading.found]
    complete = [pair for pair in pairs if metric in pair[0] and metric in pair[1]]
    return [pair[0][metric] for pair in complete], [pair[1][metric] for pair in complete]


def direction_of(readings: Sequence[Reading], row: str, metric: str, tolerance: float) -> int:
    """The direction of a row's metric; `tolerance` is that of memory."""
    return direction(*columns(readings, row, metric), tolerance_of(metric, tolerance))


def direction(baseline: Sequence[float], candidate: Sequence[float], tolerance: float) -> int:
    """1 for growth, -1 for a reduction, 0 for neither.

    Every reading of the larger side has to exceed every one of the other by more than the tolerance.
    """
    if not baseline:
        return 0
    if min(candidate) > max(baseline) * (1 + tolerance):
        return 1
    return -1 if max(candidate) * (1 + tolerance) < min(baseline) else 0


def silent(readings: Sequence[Reading], metric: str) -> list[Side]:
    """Sides that report this metric for no row; an older revision may lack it.

    Without readings there are none.
    """
    pairs = [pair for reading in readings for pair in reading.found.values()]
    return [side for place, side in enumerate(SIDES) if pairs and not any(metric in pair[place] for pair in pairs)]


def wanted(metrics: Sequence[str]) -> list[str]:
    """The metrics that the memory instrument reports."""
    return [metric for metric in metrics if metric in METRICS]
