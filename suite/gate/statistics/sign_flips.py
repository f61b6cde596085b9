"""Joint p-values by flipping the signs of whole blocks.

Were candidate and baseline the same, each block might as well have had them the other way round: chance decided which
was which. All ratios of a block would then have the other sign. How often the largest statistic of all cases, over
all such worlds, reaches that of a case is its p-value: exact by the randomisation, whatever the distribution, as long
as it is symmetric, and adjusted for the number of cases, whose likeness within a block it keeps.

Source: Westfall and Young 1993, "Resampling-based multiple testing", chapter 2 (single-step max-T); Phipson and Smyth
    2010, "Permutation p-values should never be zero".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from suite.gate.statistics.moderation import moderated

Values = NDArray[np.float64]

ALL_WORLDS_UP_TO = 12
"""Blocks up to which every one of the 2^n worlds is looked at."""
WORLDS = 20_000
"""Worlds drawn by chance where there are more."""
REACH = 1.5
"""Size of a value, over the median size of its column, beyond which it counts for no more."""
AT_ONCE = 2048
"""Worlds looked at in one go: what is held is so many times the number of cases."""
GRID = 2**12
"""Steps into which the largest size of a single column is cut, to count its worlds and not to draw them."""


def signs(blocks: int, seed: int) -> Values:
    """(W, blocks) of +1 and -1, the first row as it was."""
    if blocks <= ALL_WORLDS_UP_TO:
        flipped = (np.arange(2**blocks)[:, None] >> np.arange(blocks)) & 1
    else:
        flipped = np.random.default_rng(seed).integers(0, 2, size=(WORLDS, blocks))
        flipped[0] = 0
    return np.where(flipped == 1, -1.0, 1.0)


def statistics(ratios: Values, families: Sequence[slice], worlds: Values | None = None) -> Values:
    """Moderated t of the mean of each column, its values clipped.

    Args:
        ratios: (N, M) of N blocks; NaN where a case was not measured.
        families: columns whose variances know of each other.
        worlds: (W, N) signs of the blocks; as they are where left out.

    Returns:
        (W, M), or (1, M); -inf for columns with fewer than two values.
    """
    worlds = np.ones((1, len(ratios))) if worlds is None else worlds
    found = np.full((len(worlds), ratios.shape[1]), -np.inf)
    for family in families:
        columns = [place for place in range(family.start, family.stop) if np.isfinite(ratios[:, place]).sum() > 1]
        if not columns:
            continue
        told = [column_in(ratios[:, place], worlds) for place in columns]
        count = np.array([np.isfinite(ratios[:, place]).sum() for place in columns])
        variances = np.stack([variance for _, variance, _ in told], axis=1)
        drawn, _ = moderated(variances, np.array([float(degrees) for _, _, degrees in told]))
        found[:, columns] = np.stack([mean for mean, _, _ in told], axis=1) / np.sqrt(drawn / count)
    return found


def column_in(column: Values, worlds: Values) -> tuple[Values, Values, int]:
    """A column (N,) in each of W worlds: means (W,), variances (W,), and degrees of freedom.

    Values are clipped to `REACH` times the median of their sizes, which is the same in every world: so that a block
    that was disturbed has a sign as the others have, and hardly more.
    """
    values = worlds[:, np.isfinite(column)] * clipped(column)
    return values.mean(axis=1), values.var(axis=1, ddof=1), values.shape[1] - 1


def clipped(column: Values) -> Values:
    """The values of a column (N,) that are told, clipped to `REACH` times the median of their sizes."""
    told = column[np.isfinite(column)]
    limit = REACH * np.median(np.abs(told))
    found: Values = np.clip(told, -limit, limit)
    return found


def jointly(ratios: Values, families: Sequence[slice], seed: int) -> Values:
    """(M,) adjusted one-sided p-values for means above 0; 1 for columns with fewer than two values.

    Args:
        ratios: (N, M), as `statistics` takes them.
        families: likewise.
        seed: of the worlds, where not all are looked at.
    """
    worlds = signs(len(ratios), seed)
    own = statistics(ratios, families)[0]
    reached = np.zeros(len(own))
    for start in range(0, len(worlds), AT_ONCE):
        largest = statistics(ratios, families, worlds[start : start + AT_ONCE]).max(axis=1, initial=-np.inf)
        reached += (largest[:, None] >= own - 1e-12).sum(axis=0)
    return np.where(np.isfinite(own), reached / len(worlds), 1.0)


def alone(column: Values) -> float:
    """The one-sided p-value of one column (N,) for a mean above 0, over all of its worlds, however many they are; 1
    with fewer than two values.

    All worlds have the same sum of squares, so that their t is ordered as their sum is, and that by what its negative
    values come to. In how many worlds this is no more than it was is counted size by size, as subsets of a sum are.
    Sizes are rounded down to a grid, so that a world may be counted that just fails to reach it, but none is missed.

    Source: Pagano and Tritchler 1983, "On obtaining permutation distributions in polynomial time"; theirs is by
        characteristic functions, ours by the recurrence, of which no more than the observed sum is needed.
    """
    values = clipped(column)
    step = np.max(np.abs(values), initial=0.0) / GRID
    if len(values) < 2 or not step > 0:
        return 1.0
    negative = int(-values[values < 0].sum() / step + 1e-6)
    share = np.zeros(negative + 1)  # of the worlds so far whose negative values come to so many steps
    share[0] = 1.0
    for size in (np.abs(values) / step).astype(np.int64):
        flipped = np.zeros_like(share)
        flipped[size:] = share[: max(negative + 1 - size, 0)]
        share = (share + flipped) / 2
    return float(share.sum())
