"""Weighted sums of the responses of many cases, each sum rounded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from suite.effects.sizes import Contrast
from suite.effects.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of cases in one sum or in several.

    Attributes:
        places: of the cases (cases).
        weights: one for each place (cases).
        counts: cases of each group.
    """

    places: NDArray[np.intp]
    weights: Floats
    counts: list[int]

    @classmethod
    def of_means(cls, groups: Iterable[tuple[Sequence[int], float]]) -> Self:
        """Weights of the mean of each group of places, times a factor."""
        found = list(groups)
        counts = [len(places) for places, _ in found]
        places = np.fromiter(chain.from_iterable(places for places, _ in found), np.intp, sum(counts))
        return cls(places, np.repeat([factor / len(places) for places, factor in found], counts), counts)

    def divided(self, by: float) -> Weights:
        """All weights over one number."""
        return Weights(self.places, self.weights / by, self.counts)


@dataclass(frozen=True, slots=True)
class Responses:
    """Responses of cases with their errors (cases).

    Attributes:
        variances, degrees: of the error; NaN for a case without one.
    """

    middles: Floats
    variances: Floats
    degrees: Floats

    @classmethod
    def of(cls, values: Sequence[Value]) -> Self:
        """The responses of some values."""
        errors = [(math.nan, math.nan) if (e := one.error) is None else (e.variance, e.degrees) for one in values]
        variances, degrees = np.array(errors, float).reshape(-1, 2).T
        return cls(np.array([one.response for one in values], float), variances, degrees)

    def sums(self, weights: Weights, groups: int) -> list[float]:
        """Weighted sum of each `groups` consecutive groups."""
        products = (weights.weights * self.middles[weights.places]).tolist()
        ends = list(accumulate(weights.counts, initial=0))[::groups]
        return [math.fsum(products[start:end]) for start, end in pairwise(ends)]

    def contrast(self, weights: Weights) -> Contrast:
        """Weighted sum of all, with the source of its interval."""
        middle = math.fsum((weights.weights * self.middles[weights.places]).tolist())
        shares = weights.weights**2 * self.variances[weights.places]
        if np.isnan(shares).any():
            return Contrast(middle)
        spreads = shares / np.sqrt(self.degrees[weights.places])
        return Contrast(middle, math.fsum(shares.tolist()), math.fsum(spreads.tolist()))
