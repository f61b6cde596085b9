"""Baseline against baseline: what the machine, or this gate, takes for a change where there is none.

A few control blocks raise a suspicion; blocks of the suspected case alone, measured because of it, confirm it or not.
Noise has a tail: of two blocks of one of many cases both may be off by some percent. That this goes on, and always to
the same side, is chance in one of 2^`AGAIN`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy import stats

from suite.gate.statistics.moderation import moderated

FEWEST = 2
"""Control blocks that can tell something: one has no spread."""
AGAIN = 5
"""Blocks of a suspected case by which the suspicion is confirmed or not."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A case whose two identical sides seem to differ, by this log ratio, over so many control blocks."""

    case: str
    log_ratio: float
    blocks: int


def suspicions(blocks: Iterable[Mapping[str, float]], tolerance: float, alpha: float) -> list[Suspicion]:
    """Cases in which the control tells identical sides apart, the clearest first.

    A case's sides are told apart where they differ by more than the tolerance, by the moderated t over the control's
    blocks, adjusted over its cases (Bonferroni).

    Args:
        blocks: log ratios by case; NaN where a block tells nothing.
        tolerance: relative change that counts.
        alpha: chance of any such case where the sides do not differ and noise is normal.
    """
    rows = list(blocks)
    cases = list(dict.fromkeys(case for row in rows for case in row))
    table = np.array([[row.get(case, math.nan) for case in cases] for row in rows], dtype=np.float64)
    if len(rows) < FEWEST or not cases:
        return []
    count = np.isfinite(table).sum(axis=0)
    told = np.flatnonzero(count >= FEWEST)
    if not len(told):
        return []
    mean = np.nanmean(table[:, told], axis=0)
    variance, degrees = moderated(np.nanvar(table[:, told], axis=0, ddof=1), count[told] - 1.0)
    beyond = (np.abs(mean) - math.log1p(tolerance)) / np.sqrt(variance / count[told])
    p_values = 2 * stats.t.sf(beyond, degrees) * len(told)
    found = [place for place in np.argsort(p_values) if p_values[place] <= alpha]
    return [Suspicion(cases[told[place]], float(mean[place]), int(count[told[place]])) for place in found]


def is_confirmed(suspicion: Suspicion, again: Sequence[float], tolerance: float) -> bool:
    """Whether blocks that were measured because of a suspicion all point its way, and by more than the tolerance.

    Args:
        suspicion: what it was.
        again: log ratios of those blocks.
        tolerance: relative change that counts.
    """
    ahead = [math.copysign(1.0, suspicion.log_ratio) * one for one in again]
    return min(ahead) > 0 and median(ahead) > math.log1p(tolerance)
