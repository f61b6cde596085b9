"""Whether blocks resemble the block before them, beyond chance.

All that is said of a gate's error takes its blocks as independent. What drifts through a gate makes neighbours alike.
The statistic is the sum over neighbours, and over all cases, of the product of their deviations; a world has the blocks
in another order, all cases of a block together, so that their likeness within a block costs no error. Blocks change
places only within stretches in which the same cases were measured: what ended a stretch did not look at their order.

Source: Wald and Wolfowitz 1943, "An exact test for randomness in the non-parametric case based on serial correlation";
    ours sums over columns, and clips deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

WORLDS = 5_000
"""Orders looked at, the measured one included."""
REACH = 3.0
"""Size of a deviation, over the median size of its column, beyond which it counts for no more."""
SHORTEST = 4
"""Blocks of a stretch that can tell something."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """Of neighbouring blocks.

    Attributes:
        correlation: of neighbours, over all cases; about -1 / blocks where they are independent.
        p_value: chance of as much where the order of blocks is one of chance.
    """

    correlation: float
    p_value: float


def resemblance(ratios: Values, ends: Sequence[int], seed: int) -> Resemblance:
    """How much neighbouring blocks resemble each other.

    Args:
        ratios: (N, M) of N blocks in order; NaN where a case was not measured.
        ends: blocks after which other cases were measured than before.
        seed: of the worlds.
    """
    values = standardised(ratios)
    chance = np.random.default_rng(seed)
    stretches = [(first, last) for first, last in stretches_of(len(ratios), ends) if last - first >= SHORTEST]
    found = np.zeros(WORLDS)
    pairs = 0.0
    for first, last in stretches:
        part = values[first:last]
        told = (part != 0).astype(np.float64)
        pairs += float((told[:-1] * told[1:]).sum())
        alike = part @ part.T
        worlds = chance.permuted(np.tile(np.arange(last - first), (WORLDS, 1)), axis=1)
        worlds[0] = np.arange(last - first)
        found += alike[worlds[:, :-1], worlds[:, 1:]].sum(axis=1)
    if not pairs:
        return Resemblance(0.0, 1.0)
    return Resemblance(float(found[0]) / pairs, float(np.mean(found >= found[0] - 1e-9)))


def stretches_of(blocks: int, ends: Sequence[int]) -> list[tuple[int, int]]:
    """First block and the one after the last, of each stretch."""
    cuts = sorted({0, blocks, *(end for end in ends if 0 < end < blocks)})
    return list(pairwise(cuts))


def standardised(ratios: Values) -> Values:
    """Deviations from each column's median, clipped, over their root mean square; 0 where there is no value."""
    values = np.zeros_like(ratios)
    for place, column in enumerate(ratios.T):
        told = np.isfinite(column)
        if told.sum() < SHORTEST:
            continue
        away = column[told] - np.median(column[told])
        limit = REACH * np.median(np.abs(away))
        away = np.clip(away, -limit, limit)
        away -= away.mean()
        size = np.sqrt(np.square(away).mean())
        values[told, place] = away / size if size > 0 else 0.0
    return values
