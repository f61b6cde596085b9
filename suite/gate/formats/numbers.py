"""Numbers of a verdict for a reader: shares in percent, changes with their intervals, medians."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal

from suite import units
from suite.gate.verdict import Judged

MANY_PERCENT = 10_000
"""From here on a percentage has two digits and an exponent, so that a broken measurement does not break a table."""


def percent(share: float, sign: bool = False) -> str:
    """A share for a reader: `0.052` is `5.2 %`, or `+5.2 %` with its sign; a dash where it is not finite."""
    figure = percent_figure(share, sign)
    return figure if figure == "–" else f"{figure} %"


def percent_figure(share: float, sign: bool) -> str:
    """A share in percent without the mark, to one decimal."""
    value = 100 * share
    if not math.isfinite(value):
        return "–"
    kind = ".2g" if abs(value) >= MANY_PERCENT else ".1f"
    figure = f"{value:{'+' if sign else ''}{kind}}"
    return "0.0" if figure in ("+0.0", "-0.0") else figure


def limit(share: float) -> str:
    """A limit as the user gave it: `1 %`."""
    return f"{100 * share:g} %"


def percent_above(share: float) -> str:
    """A bound in percent, rounded up, so that the text claims no more than was shown."""
    if not math.isfinite(share) or 100 * share >= MANY_PERCENT:
        return percent(share)
    return f"{(Decimal(str(share)) * 100).quantize(Decimal('0.1'), ROUND_CEILING)} %"


def interval(low: float, high: float) -> str:
    """An interval of changes: `+2.8 to +3.4 %`; a dash where an end is not known."""
    ends = percent_figure(low, sign=True), percent_figure(high, sign=True)
    return "–" if "–" in ends else f"{ends[0]} to {ends[1]} %"


def between(one: Judged) -> str:
    """The interval of a change; a dash where it has none, or is compared exactly."""
    return "–" if one.low == one.high else interval(one.low, one.high)


def size(one: Judged) -> str:
    """A change without its interval: `+3.1 %`, or `0 to 2` where something came of nothing."""
    if one.change == math.inf and one.baseline_median is not None:
        return f"{units.whole(one.baseline_median, one.unit)} to {units.whole(one.candidate_median, one.unit)}"
    return percent(one.change, sign=True)


def change(one: Judged) -> str:
    """A change, with its interval where it has one: `+3.1 % (+2.8 to +3.4 %)`."""
    ends = between(one)
    return size(one) + ("" if ends == "–" else f" ({ends})")
