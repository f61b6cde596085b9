"""The Pareto front of a group of cases, with the uncertainty of each case.

A case dominates another that is worse in one metric, and better in none. It does so for sure if the intervals do not
overlap where it is better. A case on the front is dominated by no other:

    yes       no case may dominate it
    perhaps   some case may, and none does for sure
    no        some case does for sure
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suite.effects.candidates import SLACK, Candidate, Group
from suite.effects.linear_model import Floats
from suite.effects.values import MetricKind

OnFront = Literal["yes", "perhaps", "no"]
Truths = NDArray[np.bool_]
MOST_COMPARED = 2_000_000
"""Numbers that are compared at once: 2 MB of truth values."""


def front(group: Group) -> list[OnFront]:
    """Whether each case is on the front of all metrics of its group."""
    low, high, slack = bounds(group.candidates, group.metrics)
    sure, likely = minima(high), minima(low)
    surely = dominated(low, high[sure], slack)
    maybe = dominated(high, low[likely], slack)
    for place in likely:  # these may be compared with themselves alone
        maybe[place] = dominated(high[place : place + 1], np.delete(low, place, axis=0), slack)[0]
    return ["no" if one else "perhaps" if other else "yes" for one, other in zip(surely, maybe, strict=True)]


def dominated(costs: Floats, rivals: Floats, slack: Floats) -> Truths:
    """Whether each row of costs (cases, metrics) is dominated by a row of the rivals."""
    found = np.zeros(len(costs), dtype=bool)
    rows = max(1, MOST_COMPARED // max(1, rivals.size))
    for start in range(0, len(costs), rows):
        some = costs[start : start + rows, None, :]
        found[start : start + rows] = np.any(
            np.all(rivals <= some + slack, axis=2) & np.any(rivals < some - slack, axis=2), axis=1
        )
    return found


def minima(costs: Floats) -> list[int]:
    """Cases (of cases, metrics) of which one is as good as any other in all metrics.

    Whatever a case dominates, one of these dominates as well, so that 10,000 cases are compared with some dozens.
    """
    found: list[int] = []
    left = np.lexsort(costs.T[::-1])
    while left.size:
        first, others = left[0], left[1:]
        found.append(int(first))
        left = others[~np.all(costs[first] <= costs[others], axis=1)]
    return found


def bounds(candidates: Sequence[Candidate], metrics: Sequence[MetricKind]) -> tuple[Floats, Floats, Floats]:
    """Ends of intervals (cases, metrics), and differences (metrics) that are none.

    All are costs: logs of ratios, and accuracies with the other sign. Nothing is known of a metric that a case lacks.
    """
    ends = [[costs(candidate, metric) for metric in metrics] for candidate in candidates]
    slack = np.array([math.log1p(SLACK.get(metric.name, 0.0)) for metric in metrics])
    both = np.array(ends)
    return both[:, :, 0], both[:, :, 1], slack


def costs(candidate: Candidate, metric: MetricKind) -> tuple[float, float]:
    """The least and the largest cost within the interval."""
    known = candidate.known.get(metric.name)
    if known is None:
        return -math.inf, math.inf
    if metric.better == "higher":
        return -known.high, -known.low
    return math.log(known.low) if known.low > 0 else -math.inf, math.log(known.high)
