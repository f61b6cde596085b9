"""What the machine did to all cases alike, taken out of each: cases measured in the same seconds tell of its speed.

A step takes longer while the machine is slow, and so do the steps of the other cases that take their turns within the
same seconds: on the shared machine of docs/measuring.md the turns of two cases have a correlation of 0.5 to 0.6. What
the others did meanwhile is therefore a control variate: known beside each turn, no part of the case's own cost, and
zero in the middle of the run. Records stay raw; whoever reads one for its figures reads it through `steadied`.

Source: Lavenberg and Welch 1981, "A perspective on the use of control variables to increase the efficiency of Monte
    Carlo simulations", for the coefficient; docs/decisions/0011 for what it gains here.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean, median

from suite.records import LEARN, Measurement, RunRecord, Series
from suite.stats import counted

MIN_OTHERS = 4
"""Other cases in the same seconds, at least; fewer tell more of themselves than of the machine."""
MIN_TURNS = 8
"""Turns of a case, at least, to tell how far it follows the others."""
MOST_FOLLOWED = 1.5
"""The largest coefficient: small networks were found to follow the machine more than the median case does."""
OUTLIER = 3.0
"""Median absolute deviations beyond which a turn tells no more than that it was slow, when the coefficient is made."""

Moment = tuple[int, float, int]
"""A pass, the start of a group of cases that take turns, and the number of the turn."""


def steadied(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records of a run with the machine's drift taken out of their step times.

    A round of t seconds becomes t * exp(-b * s): s is the median over the other cases of log(turn / that case's median
    turn) in the same seconds, b the case's coefficient. A case that had too few others or turns is left as it is, and
    so is everything but `step_time`. Cases that learn have no part: what they took until they knew is told as it was.
    """
    kept = list(records)
    repeating = [record for record in kept if record.outcome == "measured" and record.case.mode != LEARN]
    levels = {record.case.id: turn_levels(record.measurement) for record in repeating}
    speeds = others_levels(levels)
    return [
        replace(record, measurement=without_drift(record.measurement, levels[record.case.id], speeds[record.case.id]))
        if record.measurement is not None and record.case.id in speeds
        else record
        for record in kept
    ]


def moments(measurement: Measurement) -> list[Moment]:
    """When each turn was, in order."""
    return [(visit.index, visit.started_s, turn) for visit in measurement.visits for turn in range(len(visit.turns))]


def turn_levels(measurement: Measurement | None) -> dict[Moment, float]:
    """Log of the turn's median over the case's median turn, for each turn with a round that counts."""
    if measurement is None:
        return {}
    turns = zip(moments(measurement), counted(measurement), strict=False)
    logs = {moment: math.log(median(turn)) for moment, turn in turns if turn and median(turn) > 0}
    middle = median(logs.values()) if logs else 0.0
    return {moment: level - middle for moment, level in logs.items()}


def others_levels(levels: dict[str, dict[Moment, float]]) -> dict[str, dict[Moment, float]]:
    """For each case and turn, the median level of the other cases in the same turn, where they are enough."""
    together: dict[Moment, list[float]] = defaultdict(list)
    for own in levels.values():
        for moment, level in own.items():
            together[moment].append(level)
    ordered = {moment: sorted(values) for moment, values in together.items() if len(values) > MIN_OTHERS}
    return {
        case_id: {moment: median_without(ordered[moment], level) for moment, level in own.items() if moment in ordered}
        for case_id, own in levels.items()
    }


def median_without(ordered: list[float], value: float) -> float:
    """The median of ordered values once `value`, one of them, is taken away."""
    gap = bisect_left(ordered, value)
    count = len(ordered) - 1

    def at(index: int) -> float:
        return ordered[index + (index >= gap)]

    return (at((count - 1) // 2) + at(count // 2)) / 2


def without_drift(measurement: Measurement, own: dict[Moment, float], others: dict[Moment, float]) -> Measurement:
    """The measurement with each round of step time divided by what the case shared of the machine's slowness."""
    if len(others) < MIN_TURNS:
        return measurement
    followed = coefficient(own, others)
    factors = [math.exp(-followed * others.get(moment, 0.0)) for moment in moments(measurement)]
    lengths = [rounds for visit in measurement.visits for rounds in visit.turns]
    by_round = [factor for factor, rounds in zip(factors, lengths, strict=True) for _ in range(rounds)]
    return replace(measurement, series=tuple(scaled(series, by_round) for series in measurement.series))


def scaled(series: Series, factors: list[float]) -> Series:
    """Step times times their factors; any other series as it is."""
    if series.metric.name != "step_time":
        return series
    return Series(series.metric, tuple(value * by for value, by in zip(series.values, factors, strict=True)))


def coefficient(own: dict[Moment, float], others: dict[Moment, float]) -> float:
    """How far a case follows the others, from 0 to `MOST_FOLLOWED`: the slope of least squares, outliers drawn in."""
    mine, theirs = drawn_in([own[moment] for moment in others]), drawn_in(list(others.values()))
    my_mean, their_mean = fmean(mine), fmean(theirs)
    variance = sum((value - their_mean) ** 2 for value in theirs)
    together = sum((a - my_mean) * (b - their_mean) for a, b in zip(mine, theirs, strict=True))
    return min(max(together / variance, 0.0), MOST_FOLLOWED) if variance else 0.0


def drawn_in(values: list[float]) -> list[float]:
    """Values no further from their median than `OUTLIER` median absolute deviations."""
    middle = median(values)
    reach = OUTLIER * median(abs(value - middle) for value in values)
    return [min(max(value, middle - reach), middle + reach) for value in values]
