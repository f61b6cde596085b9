"""Whether neighbouring blocks resemble each other beyond chance.

A gate's stated error assumes independent blocks. Drift makes neighbouring blocks alike. The statistic is the sum, over
neighbours and cases, of the product of their deviations. A world has the blocks in another order. It keeps all cases
of a block together, so their correlation within a block causes no error. Blocks change places only within stretches in
which the same cases were measured. The end of a stretch does not depend on the order of its blocks.

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
"""Number of orders, including the measured one."""
REACH = 3.0
"""Largest size of a deviation, over the median size of its column; larger ones are clipped."""
SHORTEST = 4
"""Fewest blocks of a stretch that counts."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """The serial correlation of blocks.

    Attributes:
        correlation: of neighbouring blocks, over all cases; about -1 / blocks if they are independent.
        p_value: chance of at least this correlation if the order of blocks is random.
    """

    correlation: float
    p_value: float


def resemblance(ratios: Values, ends: Sequence[int], seed: int) -> Resemblance:
    """The serial correlation of blocks, and its p-value.

    Args:
        ratios: (N, M) of N blocks in order; NaN if a case was not measured.
        ends: numbers of blocks after which the set of measured cases changed.
        seed: of the worlds.
    """
    values = standardised(ratios)
    chance = np.random.default_rng(seed)
    stretches = [(first, last) for first, last in stretches_of(len(ratios), ends) if last - first >= SHORTEST]
    sums = np.zeros(WORLDS)
    pairs = 0.0
    for first, last in stretches:
        part = values[first:last]
        measured = (part != 0).astype(np.float64)
        pairs += float((measured[:-1] * measured[1:]).sum())
        alike = part @ part.T
        worlds = chance.permuted(np.tile(np.arange(last - first), (WORLDS, 1)), axis=1)
        worlds[0] = np.arange(last - first)
        sums += alike[worlds[:, :-1], worlds[:, 1:]].sum(axis=1)
    if not pairs:
        return Resemblance(0.0, 1.0)
    return Resemblance(float(sums[0]) / pairs, float(np.mean(sums >= sums[0] - 1e-9)))


def stretches_of(blocks: int, ends: Sequence[int]) -> list[tuple[int, int]]:
    """Half-open range of blocks of each stretch: its first, and one after its last."""
    cuts = sorted({0, blocks, *(end for end in ends if 0 < end < blocks)})
    return list(pairwise(cuts))


def standardised(ratios: Values) -> Values:
    """Clipped deviations from each column's median, scaled to a root mean square of 1.

    A missing value has 0.
    """
    values = np.zeros_like(ratios)
    for place, column in enumerate(ratios.T):
        finite = np.isfinite(column)
        if finite.sum() < SHORTEST:
            continue
        away = column[finite] - np.median(column[finite])
        limit = REACH * np.median(np.abs(away))
        away = np.clip(away, -limit, limit)
        away -= away.mean()
        size = np.sqrt(np.square(away).mean())
        values[finite, place] = away / size if size > 0 else 0.0
    return values
