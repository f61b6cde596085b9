"""Numbers of a verdict as text: percentages, changes, intervals."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal

from suite import units
from suite.gate.verdict import Judged

MANY_PERCENT = 10_000
"""Larger percentages have two digits and an exponent, so that a broken measurement does not widen a table."""


def percent(share: float, sign: bool = False) -> str:
    """A share in percent: `5.2 %`, or `+5.2 %` with its sign; a dash if not finite."""
    figure = percent_figure(share, sign)
    return figure if figure == "–" else f"{figure} %"


def percent_figure(share: float, sign: bool) -> str:
    """A share in percent without the percent sign, to one decimal."""
    value = 100 * share
    if not math.isfinite(value):
        return "–"
    kind = ".2g" if abs(value) >= MANY_PERCENT else ".1f"
    figure = f"{value:{'+' if sign else ''}{kind}}"
    return "0.0" if figure in ("+0.0", "-0.0") else figure


def limit(share: float) -> str:
    """A limit in percent, as the user gave it: `1 %`."""
    return f"{100 * share:g} %"


def percent_above(share: float) -> str:
    """A bound in percent, rounded up: the text claims no more than was shown."""
    if not math.isfinite(share) or 100 * share >= MANY_PERCENT:
        return percent(share)
    return f"{(Decimal(str(share)) * 100).quantize(Decimal('0.1'), ROUND_CEILING)} %"


def interval(low: float, high: float) -> str:
    """An interval of changes: `+2.8 to +3.4 %`; a dash if an end is unknown."""
    ends = percent_figure(low, sign=True), percent_figure(high, sign=True)
    return "–" if "–" in ends else f"{ends[0]} to {ends[1]} %"


def between(judged: Judged) -> str:
    """The interval of a change; a dash without one, as of exact metrics."""
    return "–" if judged.low == judged.high else interval(judged.low, judged.high)


def is_from_zero(judged: Judged) -> bool:
    """Whether the baseline is 0 and the candidate is not: there is no percentage."""
    return judged.change == math.inf and judged.baseline_median is not None


def size(judged: Judged) -> str:
    """A change without its interval: `+3.1 %`, or `0 to 2` if the baseline is 0."""
    if is_from_zero(judged):
        return (
            f"{units.whole(judged.baseline_median, judged.unit)} to {units.whole(judged.candidate_median, judged.unit)}"
        )
    return percent(judged.change, sign=True)


def amount(judged: Judged) -> str:
    """A regression after its verb: `by 3.1 %`, or `from 0 to 2` if the baseline is 0."""
    return f"from {size(judged)}" if is_from_zero(judged) else f"by {percent(judged.change)}"


def change(judged: Judged) -> str:
    """A change with its interval if it has one: `+3.1 % (+2.8 to +3.4 %)`."""
    ends = between(judged)
    return size(judged) + ("" if ends == "–" else f" ({ends})")
