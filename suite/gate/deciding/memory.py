"""Whether the memory of a case, or what its step is counted to ask for, has changed, by readings of both sides: one,
and two more where it seems so.

The same code takes nearly the same each time (`exact_metrics`). So it needs no statistics but patience: every
reading of one side has to lie beyond every reading of the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.exact_metrics import METRICS, tolerance_of
from suite.gate.record.values import SIDES, CasePair, Reading, Side

READINGS = 3
"""Of each side, before memory is said to have changed."""


def suspects(
    rows: Sequence[CasePair], readings: Sequence[Reading], metrics: Sequence[str], tolerance: float
) -> list[CasePair]:
    """Rows whose memory seems to differ by more than the tolerance in every reading so far."""
    return [row for row in rows if any(direction_of(readings, row.id, metric, tolerance) for metric in metrics)]


def columns(readings: Sequence[Reading], row: str, metric: str) -> tuple[list[float], list[float]]:
    """A metric's readings of a row, of the baseline and of the candidate."""
    pairs = [reading.found[row] for reading in readings if row in reading.found]
    told = [pair for pair in pairs if metric in pair[0] and metric in pair[1]]
    return [pair[0][metric] for pair in told], [pair[1][metric] for pair in told]


def direction_of(readings: Sequence[Reading], row: str, metric: str, tolerance: float) -> int:
    """The direction of a row's metric, where `tolerance` is that of memory."""
    return direction(*columns(readings, row, metric), tolerance_of(metric, tolerance))


def direction(baseline: Sequence[float], candidate: Sequence[float], tolerance: float) -> int:
    """1 where every reading of the candidate exceeds every one of the baseline by more than the tolerance, -1 where it
    falls short likewise, else 0.
    """
    if not baseline:
        return 0
    if min(candidate) > max(baseline) * (1 + tolerance):
        return 1
    return -1 if max(candidate) * (1 + tolerance) < min(baseline) else 0


def silent(readings: Sequence[Reading], metric: str) -> list[Side]:
    """The sides that tell this metric of no row, as the code of an older revision may not; none without readings."""
    pairs = [pair for reading in readings for pair in reading.found.values()]
    return [who for place, who in enumerate(SIDES) if pairs and not any(metric in pair[place] for pair in pairs)]


def wanted(metrics: Sequence[str]) -> list[str]:
    """Those of the metrics that a survey of memory tells."""
    return [metric for metric in metrics if metric in METRICS]
