"""Numbers -> path data of inline SVG, in whole pixels, so that it stays small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

from suite.analysis.estimates import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPARK_BARS = 16
SPARK_BAR_PX = 4
SPARK_HEIGHT_PX = 18
"""Width of a sparkline: bars times bar width. The same sizes stand in views/ranking.css."""
SPARK_SHARE = 0.95
"""Share of the rounds over which the bars but the last are spread; the slowest rest is stacked in the last one, so that
a single slow round does not squeeze all others into one bar."""
INTERVAL_WIDTH_PX = 100
INTERVAL_MIDDLE_PX = 6
CURVE_WIDTH_PX = 120
CURVE_HEIGHT_PX = 36
STACK_WIDTH_PX = 120
STACK_HEIGHT_PX = 12
LOG_FROM = 8.0
"""Largest over smallest value from which a shared scale is logarithmic."""


def is_logarithmic(low: float, high: float) -> bool:
    """Whether values from `low` to `high` are shown on a logarithmic scale."""
    return 0 < low * LOG_FROM <= high


@dataclass(frozen=True, slots=True)
class Scale:
    """Base units to pixels, for all rows of a column; logarithmic for a wide range."""

    low: float
    high: float

    @property
    def logarithmic(self) -> bool:
        """Whether equal distances are equal ratios."""
        return is_logarithmic(self.low, self.high)

    def px(self, value: float) -> int:
        """Pixels from the left end: 0 up to `low`, `INTERVAL_WIDTH_PX` from `high` on."""
        low, high = self.low, self.high
        if high <= low:
            return INTERVAL_WIDTH_PX // 2
        value = low if value < low else min(value, high)
        if is_logarithmic(low, high):
            value, low, high = math.log(value), math.log(low), math.log(high)
        return round(INTERVAL_WIDTH_PX * (value - low) / (high - low))


def interval_path(estimate: Estimate, scale: Scale) -> str:
    """A line from low to high with a tick at the median."""
    low, middle, high = scale.px(estimate.low), scale.px(estimate.median), scale.px(estimate.high)
    return f"M{low} {INTERVAL_MIDDLE_PX}H{max(high, low + 1)}M{middle} 1v{2 * INTERVAL_MIDDLE_PX - 2}"


def histograms(cases: Sequence[Sequence[float]]) -> NDArray[np.int64]:
    """How many of the ordered values of each case fall into each bar (cases, bars).

    The first bar has all values where nearly all are equal.
    """
    lengths = np.array(list(map(len, cases)))
    values, starts = np.fromiter(chain.from_iterable(cases), float, lengths.sum()), np.cumsum(lengths) - lengths
    low, high = values[starts], quantiles(values, starts, lengths, SPARK_SHARE)
    case, width = np.repeat(np.arange(len(cases)), lengths), np.where(high > low, high - low, 1.0)
    bars = ((values - low[case]) / width[case] * (SPARK_BARS - 1)).astype(np.int64)
    bars[values >= high[case]] = SPARK_BARS - 1
    bars[(high <= low)[case]] = 0
    found = np.bincount(case * SPARK_BARS + bars, minlength=len(cases) * SPARK_BARS)
    return found.reshape(len(cases), SPARK_BARS)


def quantiles(
    values: NDArray[np.float64], starts: NDArray[np.int64], lengths: NDArray[np.int64], share: float
) -> NDArray[np.float64]:
    """The quantile of each case, as `suite.analysis.estimates.quantile` (cases).

    Args:
        values: ordered ones of all cases, one case after the other.
        starts: the place of the first value of each case.
        lengths: values of each case, at least one.
        share: of the values below the quantile.
    """
    position = share * (lengths - 1)
    below = np.floor(position).astype(np.int64)
    low, high = values[starts + below], values[starts + np.minimum(below + 1, lengths - 1)]
    found: NDArray[np.float64] = low + (high - low) * (position - below)
    return found


def spark_paths(cases: Sequence[Sequence[float]]) -> list[str]:
    """Outlines of the histograms of ordered values, one for each case."""
    if not cases:
        return []
    counts = histograms(cases)
    heights = np.rint(SPARK_HEIGHT_PX * counts / counts.max(axis=1, keepdims=True)).astype(np.int64)
    rows = np.where(counts > 0, np.maximum(heights, 1), 0).tolist()
    return [outline(row if any(row[1:]) else row[:1]) for row in rows]


def outline(heights: Sequence[int]) -> str:
    """Path around bars of these heights in pixels, as relative steps."""
    path, before, width = f"M0 {SPARK_HEIGHT_PX}", 0, 0
    for height, after in zip(heights, (*heights[1:], None), strict=True):
        width += SPARK_BAR_PX
        if height != after:
            path += f"v{before - height}h{width}"
            before, width = height, 0
    return f"{path}v{before}"


def stack(shares: Sequence[float]) -> tuple[str, ...]:
    """Adjacent rectangles, one path each, as shares of the whole width."""
    edges = [0, *(round(STACK_WIDTH_PX * min(1.0, sum(shares[: index + 1]))) for index in range(len(shares)))]
    return tuple(f"M{left} 0H{right}V{STACK_HEIGHT_PX}H{left}z" for left, right in pairwise(edges))


def curve_path(shares: Sequence[float]) -> str:
    """A line through shares from 0 to 1, from the left end to the right."""
    steps = max(1, len(shares) - 1)
    points = (f"{round(CURVE_WIDTH_PX * index / steps)} {curve_px(share)}" for index, share in enumerate(shares))
    return "M" + "L".join(points)


def curve_px(share: float) -> int:
    """Pixels from the top of a curve: 0 for a share of 1."""
    return round(CURVE_HEIGHT_PX * (1 - share))
