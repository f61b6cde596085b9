"""Sizes of changes of step time in words, with their bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import quantiles
from typing import Literal

from suite import units
from suite.analysis import change_text
from suite.analysis.change import Change
from suite.analysis.thresholds import Thresholds

Magnitude = Literal["within tolerance", "small", "medium", "large"]
LARGE_MARGINS = 4.0
"""Margins from which a change is large: 20 % by default."""
FEWEST_FOR_HALF = 4
"""Cases from which the half of them around the median is named."""


def magnitude(change: float, limits: Thresholds) -> Magnitude | None:
    """The size of a relative change, slower or faster; None if it is unknown."""
    size = abs(change)
    if math.isnan(size):
        return None
    if size <= limits.tolerance:
        return "within tolerance"
    if size <= limits.margin:
        return "small"
    return "medium" if size <= LARGE_MARGINS * limits.margin else "large"


def bounds_in_words(limits: Thresholds) -> str:
    """`within tolerance: up to 1 %; small: up to 5 %; ...; large: more`."""
    tolerance, margin, large = (
        units.percent_as_given(share) for share in (limits.tolerance, limits.margin, LARGE_MARGINS * limits.margin)
    )
    return f"within tolerance: up to {tolerance}; small: up to {margin}; medium: up to {large}; large: more"


def reading(changes: Sequence[Change]) -> str:
    """One line about a plot of changes: the extremes, and where most cases are."""
    known = sorted((one for one in changes if math.isfinite(one.change)), key=lambda one: one.change)
    if not known:
        return "Left is faster. No change is known."
    texts = ["Left is faster"]
    if known[-1].change > 0:
        texts.append(f"the largest slowdown is {change_text.percent(known[-1])}, of {known[-1].name}")
    if known[0].change < 0:
        texts.append(f"the largest speed-up is {change_text.percent(known[0])}, of {known[0].name}")
    if len(known) >= FEWEST_FOR_HALF:
        low, _, high = quantiles([one.change for one in known], n=4, method="inclusive")
        texts.append(
            f"half of the cases are between {units.percent(low, sign=True)} and {units.percent(high, sign=True)}"
        )
    return "; ".join(texts) + "."
