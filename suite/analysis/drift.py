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
from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import fmean, median

from suite.analysis.estimates import Kept, median_of_ordered
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


def without_drift(records: Iterable[RunRecord], kept: Mapping[str, Kept] | None = None) -> list[RunRecord]:
    """The records of a run, with step times without the machine's drift.

    A round of t seconds becomes t * exp(-b * s): s is the median over the other cases of log(turn / that case's median
    turn) in the same seconds, b the case's coefficient. The others are those on the same kind of device. A case with
    too few others or turns is not changed, nor is any metric but `step_time`. Learning cases are not changed, and do
    not count as others.

    Args:
        records: all of a run.
        kept: the rounds of each case that count, by id, where the caller has them.
    """
    whole = list(records)
    factors = drift_factors(whole, kept_of(whole) if kept is None else kept)
    return [
        replace(record, measurement=corrected(record.measurement, factors[record.case.id]))
        if record.measurement is not None and record.case.id in factors
        else record
        for record in whole
    ]


def kept_of(records: Iterable[RunRecord]) -> dict[str, Kept]:
    """The rounds of each case that count, by id."""
    return {one.case.id: Kept.of(one.measurement) for one in records if one.measurement is not None}


def drift_factors(records: Iterable[RunRecord], kept: Mapping[str, Kept]) -> dict[str, list[float]]:
    """A factor for each turn of the cases that `without_drift` changes, by id."""
    repeating = [one for one in records if one.outcome == "measured" and one.case.mode != LEARN and one.case.id in kept]
    levels = {one.case.id: turn_levels(kept[one.case.id]) for one in repeating}
    found: dict[str, list[float]] = {}
    for ids in by_device(repeating):
        for case_id, others in common_drift({case_id: levels[case_id] for case_id in ids}).items():
            followed = coefficient(levels[case_id], others)
            turns = moments(kept[case_id].measurement)
            found[case_id] = [math.exp(-followed * others.get(moment, 0.0)) for moment in turns]
    return found


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


def turn_levels(kept: Kept) -> dict[Moment, float]:
    """Log of a turn's median over the case's, for each turn with a kept round."""
    turns = zip(moments(kept.measurement), kept.middles, strict=False)
    logs = {moment: math.log(middle) for moment, middle in turns if middle is not None and middle > 0}
    middle = median_of_ordered(sorted(logs.values())) if logs else 0.0
    return {moment: level - middle for moment, level in logs.items()}


def common_drift(levels: dict[str, dict[Moment, float]]) -> dict[str, dict[Moment, float]]:
    """By case and turn, the median level of the other cases.

    Turns with too few others have none, nor has any case with too few turns.
    """
    together: dict[Moment, list[float]] = defaultdict(list)
    for own in levels.values():
        for moment, level in own.items():
            together[moment].append(level)
    ordered = {moment: sorted(values) for moment, values in together.items() if len(values) > MIN_OTHERS}
    shared = {case_id: [moment for moment in own if moment in ordered] for case_id, own in levels.items()}
    return {
        case_id: {moment: median_without(ordered[moment], levels[case_id][moment]) for moment in turns}
        for case_id, turns in shared.items()
        if len(turns) >= MIN_TURNS
    }


def median_without(ordered: list[float], value: float) -> float:
    """The median of ordered values once `value`, one of them, is taken away."""
    gap = bisect_left(ordered, value)
    low, high = (len(ordered) - 2) // 2, (len(ordered) - 1) // 2
    return (ordered[low + (low >= gap)] + ordered[high + (high >= gap)]) / 2


def corrected(measurement: Measurement, factors: list[float]) -> Measurement:
    """A measurement whose step times are multiplied by the factor of their turn."""
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
        reach = OUTLIER * median([abs(one - middle) for one in apart])
        kept = [pair for pair, one in zip(pairs, apart, strict=True) if abs(one - middle) <= reach]
        slope = least_squares(kept)
    return min(max(slope, 0.0), MOST_FOLLOWED)


def least_squares(pairs: list[tuple[float, float]]) -> float:
    """Slope of the first of each pair by the second; 0 where the second does not vary."""
    my_mean, their_mean = fmean([mine for mine, _ in pairs]), fmean([theirs for _, theirs in pairs])
    squares = sum([(theirs - their_mean) ** 2 for _, theirs in pairs])
    together = sum([(mine - my_mean) * (theirs - their_mean) for mine, theirs in pairs])
    return together / squares if squares else 0.0
