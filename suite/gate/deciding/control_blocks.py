"""Baseline against baseline: changes that the machine or the gate itself causes.

after each block, over all control blocks so far:
    a case, or the mean of all cases, seems to differ by more than the tolerance   -> it is suspected
    blocks of all suspected cases, baseline against baseline, until each suspicion is confirmed or refuted

A suspicion is raised easily, since two control blocks show little. Only later blocks, which are independent of the
blocks that raised it, confirm it. Noise has a tail: of many cases, one is often off in two blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from suite.gate.deciding.attribution import EVERY
from suite.gate.deciding.statistics.moderation import moderated
from suite.gate.deciding.statistics.sign_flips import alone

Values = NDArray[np.float64]

FEWEST = 2
"""Fewest control blocks for a suspicion: one block has no spread."""
SEEMS = 1.5
"""Fewest standard errors between 0 and a suspected mean."""
AGAIN = 8
"""Most repeated blocks of a suspicion, which then is confirmed or refuted."""
EARLY = 3
"""Fewest repeated blocks that may refute a suspicion."""
ENOUGH = 5
"""Fewest repeated blocks that may confirm a suspicion once the time is up."""
LEVEL = 1 / 128
"""Chance that repeated blocks confirm a false suspicion. With few blocks it is the chance that all signs agree."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A case, or all cases, whose two identical sides seem to differ.

    Attributes:
        case: its id, or `EVERY` for the mean of all cases.
        log_ratio: the difference, over `blocks` control blocks.
        is_clear: whether the control blocks alone show the difference, adjusted for the number of cases.
    """

    case: str
    log_ratio: float
    blocks: int
    is_clear: bool = True


def suspicions(
    blocks: Iterable[Mapping[str, float]], noise: Mapping[str, float], tolerance: float, alpha: float
) -> list[Suspicion]:
    """Cases whose identical sides seem to differ too much, the clearest first.

    Args:
        blocks: log ratios by case; NaN if a block has none.
        noise: standard deviation of a comparison block's log ratio, by case and for `EVERY`. The control blocks supply
            that of a missing case.
        tolerance: relative change above which a case is suspected.
        alpha: chance of any clear suspicion if the sides do not differ and noise is normal.
    """
    rows = list(blocks)
    cases = list(dict.fromkeys(case for row in rows for case in row))
    table = np.array([[row.get(case, math.nan) for case in cases] for row in rows], dtype=np.float64)
    if len(rows) < FEWEST or not cases:
        return []
    if len(cases) > 1:
        cases, table = [*cases, EVERY], np.column_stack([table, common(table)])
    count = np.isfinite(table).sum(axis=0)
    usable = np.flatnonzero(count >= FEWEST)
    if not len(usable):
        return []
    mean = np.nanmean(table[:, usable], axis=0)
    variance, degrees = moderated(np.nanvar(table[:, usable], axis=0, ddof=1), count[usable] - 1.0)
    own_error = np.sqrt(variance / count[usable])
    known = np.array([noise.get(cases[place], math.nan) for place in usable]) / np.sqrt(count[usable])
    error = np.where(np.isfinite(known), known, own_error)
    beyond = np.abs(mean) - math.log1p(tolerance)
    clear = 2 * stats.t.sf(beyond / own_error, degrees) * len(usable) <= alpha
    seems = (beyond > 0) & (np.abs(mean) >= SEEMS * error)
    suspected = [place for place in np.lexsort((-np.abs(mean) / error, ~clear)) if clear[place] or seems[place]]
    return [
        Suspicion(cases[usable[place]], float(mean[place]), int(count[usable[place]]), bool(clear[place]))
        for place in suspected
    ]


def common(table: Values) -> Values:
    """Mean of all cases (N,) in N blocks (N, M), without the smallest and the largest.

    One case with a large difference must not move the mean of all. Blocks of fewer than five cases keep all of them; a
    block without any has NaN.
    """
    means = np.full(len(table), math.nan)
    for place, row in enumerate(table):
        values = np.sort(row[np.isfinite(row)])
        if len(values):
            means[place] = values[1:-1].mean() if len(values) >= 5 else values.mean()
    return means


def is_confirmed(suspicion: Suspicion, again: Sequence[float], tolerance: float) -> bool:
    """Whether repeated blocks show a change in the same direction above the tolerance.

    Args:
        suspicion: the difference that the control blocks seem to show.
        again: log ratios of the repeated blocks.
        tolerance: relative change above which a suspicion is confirmed.
    """
    ahead = [math.copysign(1.0, suspicion.log_ratio) * ratio for ratio in again]
    return median(ahead) > math.log1p(tolerance) and alone(np.array(ahead)) <= max(LEVEL, 2.0 ** -len(ahead))


def is_resolved(suspicion: Suspicion, again: Sequence[float], tolerance: float) -> bool:
    """Whether a suspicion needs no more blocks: it has `AGAIN`, or they refute it."""
    ahead = [math.copysign(1.0, suspicion.log_ratio) * ratio for ratio in again]
    return len(again) >= AGAIN or (len(again) >= EARLY and median(ahead) <= math.log1p(tolerance) / 2)
