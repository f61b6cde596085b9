"""Joint p-values by flipping the signs of whole blocks.

If candidate and baseline were the same, each block could as well have had them swapped. All log ratios of the block
would then have the other sign. Each choice of signs is a world. A column's adjusted p-value is the share of worlds in
which the largest statistic of all columns reaches the column's own. It is exact for every symmetric distribution, and
it keeps the correlation between the cases of a block.

The statistic of a column is its sum over a power of its sum of squares, without the other columns. P-values of columns
that do not differ therefore hold for any values of the others, and columns may be rejected one after the other
(`stepwise`). This controls the chance of any false rejection in the strong sense.

Source: Westfall and Young 1993, "Resampling-based multiple testing", sections 2.6 and 2.8 (step-down max-T); Romano
    and Wolf 2005, "Exact and approximate stepdown methods for multiple hypothesis testing"; Phipson and Smyth 2010,
    "Permutation p-values should never be zero".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ALL_WORLDS_UP_TO = 12
"""Most blocks for which all 2^n worlds are evaluated."""
WORLDS = 20_000
"""Number of random worlds for more blocks."""
REACH = 1.5
"""Largest size of a value, over the median size of its column; larger ones are clipped."""
POWER = 0.8
"""Power of a column's root mean square that divides its sum. With 1 all clear columns are alike; with 0 only their sums
rank them. Any power keeps the test exact. With this one, in simulations, most slowdowns were found at the first look:
in one case and in many, with equal and with unequal noise."""
GRID = 2**12
"""Steps in the largest size of a single column, so that its worlds can be counted and need not be drawn."""


def signs(blocks: int, seed: int) -> Values:
    """(W, blocks) of +1 and -1; the first row, the measured world, is all +1."""
    if blocks <= ALL_WORLDS_UP_TO:
        flipped = (np.arange(2**blocks)[:, None] >> np.arange(blocks)) & 1
    else:
        flipped = np.random.default_rng(seed).integers(0, 2, size=(WORLDS, blocks))
        flipped[0] = 0
    return np.where(flipped == 1, -1.0, 1.0)


def statistics(ratios: Values, worlds: Values) -> Values:
    """(W, M) sums of clipped values over the root mean square to the `POWER`.

    Args:
        ratios: (N, M) of N blocks and M columns; NaN if a case was not measured.
        worlds: (W, N) signs of the blocks in W worlds.

    Returns:
        The statistics; -inf for columns with fewer than two values, or with zeros only.
    """
    values = np.zeros_like(ratios)
    for place, column in enumerate(ratios.T):
        values[np.isfinite(column), place] = clipped(column)
    size = np.sqrt(np.square(values).mean(axis=0)) ** POWER
    usable = (np.isfinite(ratios).sum(axis=0) > 1) & (size > 0)
    sums: Values = np.where(usable, worlds @ (values / np.where(usable, size, 1.0)), -np.inf)
    return sums


def clipped(column: Values) -> Values:
    """The finite values of a column (N,), clipped to `REACH` times their median size.

    The limit is the same in every world. A disturbed block has a sign like any other block, and hardly more weight.
    """
    finite = column[np.isfinite(column)]
    limit = REACH * np.median(np.abs(finite)) if len(finite) else 0.0
    values: Values = np.clip(finite, -limit, limit)
    return values


def stepwise(ratios: Values, seed: int) -> Values:
    """(M,) adjusted one-sided p-values for means above 0.

    The column with the largest statistic is adjusted for all columns, the next one for all but that, and so on. No
    p-value is smaller than one before it. A column with fewer than two values has 1.

    Args:
        ratios: (N, M), as for `statistics`.
        seed: of the worlds, if they are drawn at random.
    """
    in_worlds = statistics(ratios, signs(len(ratios), seed))
    own = in_worlds[0]
    p_values = np.ones(len(own))
    order = [place for place in np.argsort(own) if np.isfinite(own[place])]
    largest = np.full(len(in_worlds), -np.inf)
    shares = []
    for place in order:  # from the smallest on: the maximum of a column and all smaller ones
        np.maximum(largest, in_worlds[:, place], out=largest)
        shares.append(float(np.mean(largest >= own[place] - 1e-12)))
    p_values[order[::-1]] = np.maximum.accumulate(shares[::-1]) if shares else []
    return p_values


def alone(column: Values) -> float:
    """The one-sided p-value of one column (N,) for a mean above 0, over all worlds.

    It is 1 with fewer than two values. All worlds have the same sum of squares, so the sum orders them as t does. The
    sum depends only on the total size of the negative values. The worlds in which this total is at most the measured
    one are counted, size by size, as subset sums. Sizes are rounded down to a grid: the count may include a world that
    just fails, but misses none.

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
