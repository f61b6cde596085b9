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
AT_ONCE = 2048
"""Worlds looked at in one go: what is held is so many times the number of cases."""


def signs(blocks: int, seed: int) -> Values:
    """(W, blocks) of +1 and -1, the first row as it was."""
    if blocks <= ALL_WORLDS_UP_TO:
        flipped = (np.arange(2**blocks)[:, None] >> np.arange(blocks)) & 1
    else:
        flipped = np.random.default_rng(seed).integers(0, 2, size=(WORLDS, blocks))
        flipped[0] = 0
    return np.where(flipped == 1, -1.0, 1.0)


def statistics(ratios: Values, families: Sequence[slice], worlds: Values | None = None) -> Values:
    """Moderated t of the mean of each column.

    Args:
        ratios: (N, M) of N blocks; NaN where a case was not measured.
        families: columns whose variances know of each other.
        worlds: (W, N) signs of the blocks; as they are where left out.

    Returns:
        (W, M), or (1, M); -inf for columns with fewer than two values.
    """
    measured = np.isfinite(ratios)
    count = measured.sum(axis=0).astype(np.float64)
    filled = np.where(measured, ratios, 0.0)
    worlds = np.ones((1, len(ratios))) if worlds is None else worlds
    sums = np.einsum("wn,nm->wm", worlds, filled)  # no product of matrices: its threads would spin beside a worker
    means = sums / np.maximum(count, 1)
    squares = (filled**2).sum(axis=0)
    variances = np.maximum(squares - count * means**2, 0.0) / np.maximum(count - 1, 1)
    found = np.full(means.shape, -np.inf)
    for family in families:
        known = np.flatnonzero(count[family] > 1) + (family.start or 0)
        if len(known):
            drawn, _ = moderated(variances[:, known], count[known] - 1)
            found[:, known] = means[:, known] / np.sqrt(drawn / count[known])
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
