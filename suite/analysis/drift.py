"""Step times without the machine's drift, for comparisons between cases alone.

A step takes longer while the machine is slow, and so do the steps of other cases that take their turns within the same
seconds on the same kind of device. The others' turns are a control variate: known for each turn, no part of the case's
cost, and zero in the median of the run. Differences between cases of one run are steadier with it, and so are changes
of cases between two runs about what is common to all. A case's figures, exports and verdicts are of rounds as measured:
a corrected round is one that no step took (docs/decisions/0026).

Source: Lavenberg and Welch 1981, "A perspective on the use of control variables to increase the efficiency of Monte
    Carlo simulations", for the coefficient; docs/decisions/0011 and 0026 for what it gains here.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean, median

from suite.analysis.estimates import kept_rounds
from suite.records import LEARN, Measurement, RunRecord, Series

MIN_OTHERS = 4
"""Other cases in the same seconds, at least; fewer show more of themselves than of the machine."""
MIN_TURNS = 8
"""Turns of a case, at least, to estimate how far it follows the others."""
MOST_FOLLOWED = 1.5
"""The largest coefficient: small networks were found to follow the machine more than the median case does."""
OUTLIER = 5.0
"""Median absolute deviations from the line beyond which a turn is left out when the coefficient is made; of normal
turns one in 1,300 is."""
FITS = 3
"""Fits of the line, each without the turns that lie far from the last; a third one moves it no more."""

Moment = tuple[int, float, int]
"""A pass, the start of a group of cases that take turns, and the number of the turn."""


def without_drift(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records of a run, with step times without the machine's drift.

    A round of t seconds becomes t * exp(-b * s): s is the median over the other cases of log(turn / that case's median
    turn) in the same seconds, b the case's coefficient. The others are those on the same kind of device. A case with
    too few others or turns is not changed, nor is any metric but `step_time`. Learning cases are not changed, and do
    not count as others.
    """
    kept = list(records)
    repeating = [record for record in kept if record.outcome == "measured" and record.case.mode != LEARN]
    levels = {record.case.id: turn_levels(record.measurement) for record in repeating}
    speeds: dict[str, dict[Moment, float]] = {}
    for ids in by_device(repeating):
        speeds |= common_drift({case_id: levels[case_id] for case_id in ids})
    return [
        replace(record, measurement=corrected(record.measurement, levels[record.case.id], speeds[record.case.id]))
        if record.measurement is not None and record.case.id in speeds
        else record
        for record in kept
    ]


def by_device(records: Iterable[RunRecord]) -> Iterable[list[str]]:
    """Ids of cases, those on one kind of device together.

    A busy host does not slow a device, nor does a hot device slow the host's cores.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for record in records:
        found[str(record.attributes.get("execution", {}).get("device", "cpu"))].append(record.case.id)
    return found.values()


def moments(measurement: Measurement) -> list[Moment]:
    """When each turn was, in order."""
    return [
        (visit.index, visit.started_s, visit.first_turn + turn)
        for visit in measurement.visits
        for turn in range(len(visit.turns))
    ]


def turn_levels(measurement: Measurement | None) -> dict[Moment, float]:
    """Log of a turn's median over the case's, for each turn with a kept round."""
    if measurement is None:
        return {}
    turns = zip(moments(measurement), kept_rounds(measurement), strict=False)
    logs = {moment: math.log(median(turn)) for moment, turn in turns if turn and median(turn) > 0}
    middle = median(logs.values()) if logs else 0.0
    return {moment: level - middle for moment, level in logs.items()}


def common_drift(levels: dict[str, dict[Moment, float]]) -> dict[str, dict[Moment, float]]:
    """By case and turn, the median level of the other cases, if they are enough."""
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


def corrected(measurement: Measurement, own: dict[Moment, float], others: dict[Moment, float]) -> Measurement:
    """A measurement whose step times are divided by the case's share of the drift."""
    if len(others) < MIN_TURNS:
        return measurement
    followed = coefficient(own, others)
    factors = [math.exp(-followed * others.get(moment, 0.0)) for moment in moments(measurement)]
    lengths = [rounds for visit in measurement.visits for rounds in visit.turns]
    by_round = [factor for factor, rounds in zip(factors, lengths, strict=True) for _ in range(rounds)]
    return replace(measurement, series=tuple(scaled(series, by_round) for series in measurement.series))


def scaled(series: Series, factors: list[float]) -> Series:
    """Step times times their factors; any other series unchanged."""
    if series.metric.name != "step_time":
        return series
    return Series(series.metric, tuple(value * by for value, by in zip(series.values, factors, strict=True)))


def coefficient(own: dict[Moment, float], others: dict[Moment, float]) -> float:
    """Slope of least squares of a case by the others, from 0 to `MOST_FOLLOWED`.

    Turns that lie far from the line are left out, whatever the others did then. Each series must not be clipped by
    itself: the others' median is the quieter one, loses more of a slow spell, and the slope becomes too steep.
    """
    pairs = [(own[moment], others[moment]) for moment in others]
    slope, kept = 1.0, pairs
    for _ in range(FITS):
        apart = [mine - slope * theirs for mine, theirs in pairs]
        middle = median(apart)
        reach = OUTLIER * median(abs(one - middle) for one in apart)
        kept = [pair for pair, one in zip(pairs, apart, strict=True) if abs(one - middle) <= reach]
        slope = least_squares(kept)
    return min(max(slope, 0.0), MOST_FOLLOWED)


def least_squares(pairs: list[tuple[float, float]]) -> float:
    """Slope of the first of each pair by the second; 0 where the second does not vary."""
    my_mean, their_mean = fmean(mine for mine, _ in pairs), fmean(theirs for _, theirs in pairs)
    squares = sum((theirs - their_mean) ** 2 for _, theirs in pairs)
    together = sum((mine - my_mean) * (theirs - their_mean) for mine, theirs in pairs)
    return together / squares if squares else 0.0
