"""Joint p-values by flipping the signs of whole blocks.

Were candidate and baseline the same, each block might as well have had them the other way round: all ratios of the
block would then have the other sign. The share of such worlds in which the largest statistic of all columns reaches
that of a column is its p-value, adjusted for the number of columns. It is exact whatever the distribution, as long as
that is symmetric, and it keeps how the cases of a block resemble each other.

The statistic of a column is its sum over a power of its sum of squares, and knows nothing of other columns: so a
p-value of columns that do not differ holds whatever the others do, and columns may be rejected one after the other
(`stepwise`). The error of any false rejection is then the level in the strong sense.

Source: Westfall and Young 1993, "Resampling-based multiple testing", sections 2.6 and 2.8 (step-down max-T); Romano
    and Wolf 2005, "Exact and approximate stepdown methods for multiple hypothesis testing"; Phipson and Smyth 2010,
    "Permutation p-values should never be zero".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ALL_WORLDS_UP_TO = 12
"""Blocks up to which every one of the 2^n worlds is looked at."""
WORLDS = 20_000
"""Worlds drawn by chance where there are more."""
REACH = 1.5
"""Size of a value, over the median size of its column, beyond which it counts for no more."""
POWER = 0.8
"""Of a column's root mean square, by which its sum is divided. With 1 all clear columns are alike, with 0 they are
ranked by their sums alone. Any power keeps the test exact; with this one, in simulations, most slowdowns were found at
the first look, in one case and in many, with noise that is alike and that is not."""
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


def statistics(ratios: Values, worlds: Values) -> Values:
    """(W, M) sums over the root mean square to the `POWER`, of M columns in W worlds; values are clipped.

    Args:
        ratios: (N, M) of N blocks; NaN where a case was not measured.
        worlds: (W, N) signs of the blocks.

    Returns:
        -inf for columns with fewer than two values, or without any that is not 0.
    """
    values = np.zeros_like(ratios)
    for place, column in enumerate(ratios.T):
        values[np.isfinite(column), place] = clipped(column)
    size = np.sqrt(np.square(values).mean(axis=0)) ** POWER
    usable = (np.isfinite(ratios).sum(axis=0) > 1) & (size > 0)
    found: Values = np.where(usable, worlds @ (values / np.where(usable, size, 1.0)), -np.inf)
    return found


def clipped(column: Values) -> Values:
    """The finite values of a column (N,), clipped to `REACH` times the median of their sizes.

    That is the same in every world: a disturbed block has a sign as the others have, and hardly more.
    """
    told = column[np.isfinite(column)]
    limit = REACH * np.median(np.abs(told)) if len(told) else 0.0
    found: Values = np.clip(told, -limit, limit)
    return found


def stepwise(ratios: Values, seed: int) -> Values:
    """(M,) adjusted one-sided p-values for means above 0; 1 for columns with fewer than two values.

    The column with the largest statistic is adjusted for all columns, the next one for all but that, and so on; none
    has a smaller p-value than one before it.

    Args:
        ratios: (N, M), as `statistics` takes them.
        seed: of the worlds, where not all are looked at.
    """
    found = statistics(ratios, signs(len(ratios), seed))
    own = found[0]
    p_values = np.ones(len(own))
    order = [place for place in np.argsort(own) if np.isfinite(own[place])]
    largest = np.full(len(found), -np.inf)
    shares = []
    for place in order:  # from the smallest on: the largest of a column and all that are smaller
        np.maximum(largest, found[:, place], out=largest)
        shares.append(float(np.mean(largest >= own[place] - 1e-12)))
    p_values[order[::-1]] = np.maximum.accumulate(shares[::-1]) if shares else []
    return p_values


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
