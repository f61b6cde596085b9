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

from suite.effects.candidates import SLACK, Candidate, Group
from suite.effects.linear_model import Floats
from suite.effects.values import MetricKind

OnFront = Literal["yes", "perhaps", "no"]


def front(group: Group) -> list[OnFront]:
    """Whether each case is on the front of all metrics of its group."""
    low, high, slack = bounds(group.candidates, group.metrics)
    sure, likely = minima(high), minima(low)
    found: list[OnFront] = []
    for place in range(len(low)):
        ahead = high[sure]
        surely = np.all(ahead <= low[place] + slack, axis=1) & np.any(ahead < low[place] - slack, axis=1)
        ahead = np.delete(low, place, axis=0) if place in likely else low[likely]
        maybe = np.all(ahead <= high[place] + slack, axis=1) & np.any(ahead < high[place] - slack, axis=1)
        found.append("no" if surely.any() else "perhaps" if maybe.any() else "yes")
    return found


def minima(costs: Floats) -> list[int]:
    """Cases (of cases, metrics) of which one is as good as any other in all metrics.

    Whatever a case dominates, one of these dominates as well, so that 10,000 cases are compared with some dozens.
    """
    found: list[int] = []
    for place in np.lexsort(costs.T[::-1]):
        if not np.any(np.all(costs[found] <= costs[place], axis=1)):
            found.append(int(place))
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
