"""Intervals of the cases of a run, with the visit as the replicate.

    log round = case + window + visit + round

A window is a group of cases that take turns. Its level is the machine's in those seconds, and belongs to the truth of
the run. A visit is one fresh process of one case. The variance between visits is pooled over the cases of the run,
since three visits of one case hardly show it. The median is that of all rounds that count, as measured.
docs/decisions/0026 has the reasons, docs/results.md has what the intervals were seen to cover (`make coverage`).

Source: Kalibera and Jones 2013, "Rigorous benchmarking in reasonable time", for the levels of replication; Shao and Tu
    1995, "The jackknife and bootstrap", section 2.3, for a median with groups left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from statistics import fmean, variance

from suite.analysis.estimates import (
    CONFIDENCE,
    Estimate,
    Kept,
    MedianError,
    estimate,
    median_of_ordered,
    quantile,
    stretches,
    student_between,
)
from suite.analysis.variance_pooling import SMALLEST, between_variance, prior_degrees
from suite.records import LEARN, RunRecord

PROCESS = 0.007
"""Standard deviation of the log by which processes of one case differ, until a run has shown its own: forks of one
zygote differed by 0.6 %, zygotes by 0.7 % (docs/decisions/0026)."""
PROCESS_DEGREES = 2.0
"""Degrees of freedom that `PROCESS` is worth: as many as one case with three visits."""
WITHIN_DEGREES = 12.0
"""Degrees of freedom of what the rounds of a case say of one visit."""
PARTS = 5
"""Consecutive parts of a visit; their spread is that of the visit's median."""
SWEEPS = 30
"""Rounds of least squares that separate windows from cases, at most."""
SETTLED = 1e-6
"""Change of a window's level, of a log, from which another round of least squares gains nothing."""
WIDEST = math.log(1e200)
"""Log of the factor to which an interval reaches, at most: its ends are finite, however far rounds differ."""
MEDIAN_OVER_MEAN = {1: 1.0, 2: 1.0, 3: 1.346, 4: 1.193, 5: 1.434, 6: 1.288}
"""Variance of the median of so many normal values over that of their mean; pi / 2 for many."""

Window = tuple[int, float]
"""A pass, and the start of a group of cases that took turns in it."""


@dataclass(frozen=True, slots=True)
class Visits:
    """A case as its visits show it, in logs.

    Attributes:
        weights: share of the case's rounds, for each visit that has some.
        deviations: how far each visit draws the median of all rounds.
        windows: when each visit was.
        within: variance of one visit's median by its own rounds.
        scatter: variance of single rounds about the median of their visit.
    """

    known: Estimate
    weights: list[float]
    deviations: list[float]
    windows: list[Window]
    within: float
    scatter: float


def estimates(records: Iterable[RunRecord], kept: Mapping[str, Kept] | None = None) -> dict[str, Estimate]:
    """Median and interval of the step time by case id, of cases with rounds.

    Args:
        records: all of a run.
        kept: rounds that count by case id, where the caller has them.
    """
    return {case_id: known for case_id, (known, _) in estimates_and_errors(records, kept).items()}


def estimates_and_errors(
    records: Iterable[RunRecord], kept: Mapping[str, Kept] | None = None
) -> dict[str, tuple[Estimate, MedianError | None]]:
    """As `estimates`, with the error that each interval comes from.

    The variance between visits is that of all measured cases, those that learn apart from the rest; a case that failed
    on the way is judged alone. A case with a round that is not above 0 has no error.
    """
    known: dict[str, tuple[Estimate, MedianError | None]] = {}
    pools: dict[bool, dict[str, Visits]] = {True: {}, False: {}}
    for record in records:
        measurement, case_id = record.measurement, record.case.id
        if measurement is None:
            continue
        chosen = kept[case_id] if kept else Kept.of(measurement)
        if not chosen.ordered:
            continue
        if not all(map((0.0).__lt__, chosen.ordered)):
            alone = estimate(chosen.turns)
            if alone is not None:
                known[case_id] = alone, None
            continue
        split = split_by_visit(chosen)
        known[case_id] = split.known, None  # the place of a measured case; its interval follows
        if record.outcome == "measured":
            pools[record.case.mode == LEARN][case_id] = split
        else:
            known[case_id] = intervals([split])[0]
    for pool in pools.values():
        known |= dict(zip(pool, intervals(list(pool.values())), strict=True))
    return known


def split_by_visit(kept: Kept) -> Visits:
    """A case split into its visits; all its rounds are above 0."""
    shares: list[float] = []
    ordered: list[list[float]] = []
    windows: list[Window] = []
    turns = iter(kept.turns)
    for visit, values in zip(kept.measurement.visits, kept.visits, strict=True):
        in_time = list(chain.from_iterable(islice(turns, len(visit.turns))))
        if values:
            shares.append(share_variance(in_time, median_of_ordered(values)))
            ordered.append(list(map(math.log, values)))
            windows.append((visit.index, visit.started_s))
    rounds, middle = len(kept.ordered), median_of_ordered(kept.ordered)
    weights = [len(part) / rounds for part in ordered]
    within, scatter = within_visits(ordered, shares)
    known = Estimate(middle, middle, middle, rounds)
    return Visits(known, weights, deviations(ordered, weights), windows, within, scatter)


def deviations(ordered: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """Pull of each visit on the median of all rounds, per unit of its weight.

    Args:
        ordered: logs of each visit, in ascending order.
        weights: share of the rounds of each.
    """
    if len(ordered) < 2:
        return [0.0]
    without = [median_of_ordered(sorted(chain(*ordered[:left], *ordered[left + 1 :]))) for left in range(len(ordered))]
    middle = fmean(without)
    return [(middle - one) * (1 - weight) / weight for one, weight in zip(without, weights, strict=True)]


def within_visits(ordered: Sequence[Sequence[float]], shares: Sequence[float]) -> tuple[float, float]:
    """Variance of a visit's median by its own rounds, and of single rounds about it.

    Args:
        ordered: logs of each visit, in ascending order.
        shares: variance of the share of rounds below the median of each.

    Source: Woodruff 1952, as `suite.analysis.estimates.estimate`, with consecutive parts of the visit as groups.
    """
    about: list[float] = []
    for part in ordered:
        middle = median_of_ordered(part)
        about += [value - middle for value in part]
    about.sort()
    reach = math.sqrt(fmean(shares))
    half = (quantile(about, 0.5 + reach) - quantile(about, 0.5 - reach)) / 2
    return max(half**2, SMALLEST), fmean([value * value for value in about])


def share_variance(values: Sequence[float], middle: float) -> float:
    """Variance of the share below a visit's median; at least that of white noise."""
    floor = 0.25 / len(values)
    if len(values) < 2 * PARTS:
        return floor
    twice = [(value < middle) + (value <= middle) for value in values]  # 2 below the median, 1 at it
    apart = [sum(twice[start:end]) / 2 / (end - start) - 0.5 for start, end in stretches(len(values), PARTS)]
    return max(floor, sum([one * one for one in apart]) / (PARTS - 1) / PARTS)


def intervals(cases: Sequence[Visits]) -> list[tuple[Estimate, MedianError]]:
    """Median of each case with interval and error, by the pooled variance of visits."""
    if not cases:
        return []
    company: dict[Window, int] = defaultdict(int)
    for case in cases:
        for window in case.windows:
            company[window] += 1
    levels = window_levels(cases, company)
    degrees = [free_visits(case, company) for case in cases]
    own = [spread(case, levels, free) for case, free in zip(cases, degrees, strict=True)]
    within = [case.within for case in cases]
    between = between_variance(own, within, degrees, PROCESS**2, PROCESS_DEGREES)
    expected = [part + between for part in within]
    several = [(a / b, free) for a, b, free in zip(own, expected, degrees, strict=True) if free]
    agreed = prior_degrees([ratio for ratio, _ in several], [free for _, free in several])
    common, all_degrees = common_variance(levels, company, own), sum(degrees)
    made = []
    for case, one, likely, free in zip(cases, own, expected, degrees, strict=True):
        prior = min(agreed, PROCESS_DEGREES + all_degrees - free)
        known = prior + free
        if not free:  # one visit: its rounds and the processes of others are all that is known
            known = likely**2 / (case.within**2 / WITHIN_DEGREES + between**2 / prior)
        drawn = (prior * likely + free * one) / (prior + free)
        total, total_degrees = added((drawn, known), common)
        made.append(interval(case, total, total_degrees, between))
    return made


def free_visits(case: Visits, company: dict[Window, int]) -> float:
    """Degrees of freedom of a case's visits, less those of its windows' levels."""
    kept = fmean([1 - 1 / company[window] if company[window] > 1 else 1.0 for window in case.windows])
    return (len(case.windows) - 1) * kept


def window_levels(cases: Sequence[Visits], company: dict[Window, int]) -> dict[Window, float]:
    """Level of each window that several cases share, by least squares."""
    levels = {window: 0.0 for window, count in company.items() if count > 1}
    shares: dict[Window, float] = defaultdict(float)
    for case in cases:
        for window, weight in zip(case.windows, case.weights, strict=True):
            shares[window] += weight
    for _ in range(SWEEPS if levels else 0):
        sums = dict.fromkeys(company, 0.0)
        for case in cases:
            middle = middle_of(case, levels)
            for window, weight, one in zip(case.windows, case.weights, case.deviations, strict=True):
                sums[window] += weight * (one - middle)
        before, levels = levels, {window: sums[window] / shares[window] for window in levels}
        if all(abs(levels[window] - before[window]) < SETTLED for window in levels):
            break
    return levels


def middle_of(case: Visits, levels: Mapping[Window, float]) -> float:
    """Mean deviation of a case without its windows' levels."""
    rows = zip(case.weights, case.deviations, case.windows, strict=True)
    return sum([weight * (one - levels.get(window, 0.0)) for weight, one, window in rows])


def remaining(case: Visits, levels: dict[Window, float]) -> list[float]:
    """Deviations of a case without its windows' levels, about their mean."""
    middle = middle_of(case, levels)
    rows = zip(case.deviations, case.windows, strict=True)
    return [one - levels.get(window, 0.0) - middle for one, window in rows]


def spread(case: Visits, levels: dict[Window, float], free: float) -> float:
    """Variance between the visits of a case without its windows' levels; or 0."""
    if not free:
        return 0.0
    squares = sum([weight * one * one for weight, one in zip(case.weights, remaining(case, levels), strict=True)])
    return len(case.weights) * squares / free


def common_variance(
    levels: dict[Window, float], company: dict[Window, int], own: Sequence[float]
) -> tuple[float, float]:
    """Variance of a window's level about its pass, and its degrees of freedom.

    A case was in one window of each pass, and the run in all. Where a pass has one window, the case has seen all that
    the run has.
    """
    passes: dict[int, list[Window]] = defaultdict(list)
    for window in levels:
        passes[window[0]].append(window)
    several = [windows for windows in passes.values() if len(windows) > 1]
    if not several:
        return 0.0, 1.0
    seen = fmean(variance([levels[window] for window in windows]) for windows in several)
    noise = fmean(own) * fmean(1 / company[window] for windows in several for window in windows)
    unseen = 1 - fmean(1 / len(windows) for windows in several)
    return max(0.0, seen - noise) * unseen, float(sum(len(windows) - 1 for windows in several))


def added(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Sum of two variances with their degrees of freedom, and its degrees.

    Source: Satterthwaite 1946, "An approximate distribution of estimates of variance components".
    """
    total = one[0] + other[0]
    return total, total**2 / (one[0] ** 2 / one[1] + other[0] ** 2 / other[1])


def interval(case: Visits, variance_of_visit: float, degrees: float, between: float) -> tuple[Estimate, MedianError]:
    """A case's median with the interval of Student's t in logs, and its error.

    The median of all rounds is the mean of the visits as long as they overlap, and their median once they do not.
    """
    visits = len(case.weights)
    apart = between / (between + case.scatter)
    of_median = 1 + (MEDIAN_OVER_MEAN.get(visits, math.pi / 2) - 1) * apart
    error = MedianError(variance_of_visit * of_median * sum([weight**2 for weight in case.weights]), degrees)
    factor = math.exp(min(WIDEST, student_between((1 + CONFIDENCE) / 2, degrees) * math.sqrt(error.variance)))
    middle = case.known.median
    return Estimate(middle, middle / factor, middle * factor, case.known.rounds), error
