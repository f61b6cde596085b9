"""Baseline against baseline: what the machine, or this gate, takes for a change where there is none.

after each block, over all control blocks so far:
    a case, or the mean of all cases, seems to differ by more than the tolerance   -> it is suspected
    blocks of all that is suspected, baseline against baseline, until each is confirmed or refuted

A suspicion is raised easily, since two control blocks can show little. Only blocks that were measured because of it,
which know nothing of what raised it, confirm it. Noise has a tail: two blocks of one of many cases are often off.
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
"""Control blocks that can tell something: one has no spread."""
SEEMS = 1.5
"""Standard errors by which a mean differs from 0 where it is suspected."""
AGAIN = 8
"""Blocks of what is suspected by which it is confirmed, at most."""
EARLY = 3
"""Such blocks from which a suspicion may be refuted."""
ENOUGH = 5
"""Such blocks from which one may be confirmed where the time is up."""
LEVEL = 1 / 128
"""Chance that such blocks confirm a suspicion that chance raised, or that of all signs alike where they are few."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A case, or all cases, whose two identical sides seem to differ.

    Attributes:
        case: its id, or `EVERY` for the mean of all cases.
        log_ratio: by which they differ, over so many control `blocks`.
        is_clear: whether the control blocks alone show it, adjusted for the number of cases.
    """

    case: str
    log_ratio: float
    blocks: int
    is_clear: bool = True


def suspicions(
    blocks: Iterable[Mapping[str, float]], noise: Mapping[str, float], tolerance: float, alpha: float
) -> list[Suspicion]:
    """Cases in which identical sides seem to differ by more than the tolerance, the clearest first.

    Args:
        blocks: log ratios by case; NaN where a block tells nothing.
        noise: standard deviation of a block's log ratio, by case and of `EVERY`, as the blocks that compare the sides
            have it; that of the control blocks where it is not there.
        tolerance: relative change that counts.
        alpha: chance of any clear suspicion where the sides do not differ and noise is normal.
    """
    rows = list(blocks)
    cases = list(dict.fromkeys(case for row in rows for case in row))
    table = np.array([[row.get(case, math.nan) for case in cases] for row in rows], dtype=np.float64)
    if len(rows) < FEWEST or not cases:
        return []
    if len(cases) > 1:
        cases, table = [*cases, EVERY], np.column_stack([table, common(table)])
    count = np.isfinite(table).sum(axis=0)
    told = np.flatnonzero(count >= FEWEST)
    if not len(told):
        return []
    mean = np.nanmean(table[:, told], axis=0)
    variance, degrees = moderated(np.nanvar(table[:, told], axis=0, ddof=1), count[told] - 1.0)
    own_error = np.sqrt(variance / count[told])
    known = np.array([noise.get(cases[place], math.nan) for place in told]) / np.sqrt(count[told])
    error = np.where(np.isfinite(known), known, own_error)
    beyond = np.abs(mean) - math.log1p(tolerance)
    clear = 2 * stats.t.sf(beyond / own_error, degrees) * len(told) <= alpha
    seems = (beyond > 0) & (np.abs(mean) >= SEEMS * error)
    found = [place for place in np.lexsort((-np.abs(mean) / error, ~clear)) if clear[place] or seems[place]]
    return [
        Suspicion(cases[told[place]], float(mean[place]), int(count[told[place]]), bool(clear[place]))
        for place in found
    ]


def common(table: Values) -> Values:
    """The mean of all cases (N,) of blocks (N, M) that have any, without the case that is furthest off on either side.

    One case that differs by much is not the mean of all; there have to be five for that.
    """
    found = np.full(len(table), math.nan)
    for place, row in enumerate(table):
        told = np.sort(row[np.isfinite(row)])
        if len(told):
            found[place] = told[1:-1].mean() if len(told) >= 5 else told.mean()
    return found


def is_confirmed(suspicion: Suspicion, again: Sequence[float], tolerance: float) -> bool:
    """Whether blocks that were measured because of a suspicion show its direction, and more than the tolerance.

    Args:
        suspicion: what it was.
        again: log ratios of those blocks.
        tolerance: relative change that counts.
    """
    ahead = [math.copysign(1.0, suspicion.log_ratio) * one for one in again]
    return median(ahead) > math.log1p(tolerance) and alone(np.array(ahead)) <= max(LEVEL, 2.0 ** -len(ahead))


def is_looked_into(suspicion: Suspicion, again: Sequence[float], tolerance: float) -> bool:
    """Whether it needs no more such blocks: there are as many as there may be, or they refute it."""
    ahead = [math.copysign(1.0, suspicion.log_ratio) * one for one in again]
    return len(again) >= AGAIN or (len(again) >= EARLY and median(ahead) <= math.log1p(tolerance) / 2)
