"""Baseline against baseline: what the machine, or this gate, takes for a change where there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from scipy import stats

from suite.gate.statistics.moderation import moderated

FEWEST = 2
"""Control blocks that can tell something: one has no spread."""


def alarm(blocks: Iterable[Mapping[str, float]], tolerance: float, alpha: float) -> str:
    """What the control shows, in words; empty where it shows nothing.

    A case's two identical sides are told apart where they differ by more than the tolerance, by the moderated t over
    the control's blocks, adjusted over its cases (Bonferroni).

    Args:
        blocks: log ratios by case; NaN where a block tells nothing.
        tolerance: relative change that counts.
        alpha: chance of any such alarm where the sides do not differ.
    """
    rows = list(blocks)
    cases = list(dict.fromkeys(case for row in rows for case in row))
    table = np.array([[row.get(case, math.nan) for case in cases] for row in rows], dtype=np.float64)
    if len(rows) < FEWEST or not cases:
        return ""
    count = np.isfinite(table).sum(axis=0)
    told = np.flatnonzero(count >= FEWEST)
    if not len(told):
        return ""
    mean = np.nanmean(table[:, told], axis=0)
    variance, degrees = moderated(np.nanvar(table[:, told], axis=0, ddof=1), count[told] - 1.0)
    beyond = (np.abs(mean) - math.log1p(tolerance)) / np.sqrt(variance / count[told])
    p_values = 2 * stats.t.sf(beyond, degrees) * len(told)
    worst = int(np.argmin(p_values))
    if p_values[worst] > alpha:
        return ""
    case, change = cases[int(told[worst])], math.expm1(float(mean[worst]))
    return f"the baseline differs from itself by {change:+.1%} in {case}, over {int(count[told[worst]])} blocks"
