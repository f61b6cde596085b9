"""The change from a baseline to a candidate, for a gate and for `compare`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from suite.analysis.thresholds import ChangeVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change of one case, or of all cases of a level, by one metric.

    Attributes:
        name: the case's id, or the level: `optimizer adam`, `all cases`.
        metric: `step_time`, `peak_memory`, `allocations`, `host_reads`.
        unit: of the medians: `s`, `B`, `count`.
        change: candidate / baseline - 1; NaN where it is unknown, infinite from 0 to more.
        low, high: its interval, of a gate at 95 % for this change alone, of `compare` joint over all cases; NaN where
            there is none.
        ruled_out: slowdown (growth, of memory) that is shown not to be exceeded; infinite where none is.
        baseline_median, candidate_median: in base units; None of a level.
        reason: why it is inconclusive, in words; else empty.
    """

    name: str
    metric: str
    unit: str
    verdict: ChangeVerdict
    change: float
    low: float = math.nan
    high: float = math.nan
    ruled_out: float = math.inf
    baseline_median: float | None = None
    candidate_median: float | None = None
    reason: str = ""
