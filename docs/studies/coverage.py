"""`make coverage`: how often intervals hold the truth, on simulated machines.

For each machine (tests/fakes/machines.py), number of cases and standard deviation between processes of one case: the
share of intervals that hold the truth of the run, and the typical half-width, in four ways at the same measuring time:

    turns       stretches of turns as replicates, rounds as measured (runs of one to four cases, before)
    corrected   the same without the machine's drift, each series clipped by itself (five cases and more, before)
    visits      visits as replicates, their variance pooled over the run (suite.analysis.intervals, now)
    alone       Student's t of the visits of each case alone

Then what the correction gains in differences between cases, and how often a verdict accuses a case that only shares a
machine. `RUNS=200 make coverage` sets the runs of 24 cases; of 4 there are three times as many, of one ten times.
Nothing is measured: it takes some ten minutes of computing.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from suite.analysis import drift
from suite.analysis.drift import Moment, least_squares, without_drift
from suite.analysis.estimates import estimate, kept_rounds, student_quantile
from suite.analysis.intervals import estimates
from suite.analysis.run_validity import issues_of_run
from suite.records import RunRecord
from tests.fakes.machines import MACHINES, Setting, measured, share

RUNS = int(os.environ.get("RUNS", "40"))
TIMES = {1: 10, 4: 3, 24: 1}
"""Runs of so many cases, in `RUNS`."""
BETWEEN = (0.0, 0.007, 0.015)
CLIPPED = 3.0
"""Median absolute deviations of a series to which the correction clipped it, before."""

Bounds = list[tuple[float, float]]


def by_turns(records: Sequence[RunRecord]) -> Bounds:
    """Stretches of turns as replicates."""
    found = [estimate(kept_rounds(one.measurement)) for one in records if one.measurement]
    return [(one.low, one.high) for one in found if one]


def corrected(records: Sequence[RunRecord]) -> Bounds:
    """The same after the correction as it was."""
    with patch.object(drift, "coefficient", clipped_by_itself):
        return by_turns(without_drift(records))


def clipped_by_itself(own: Mapping[Moment, float], others: Mapping[Moment, float]) -> float:
    """Coefficient of the former correction, which clips each series by its deviation."""

    def clipped(values: list[float]) -> list[float]:
        middle = median(values)
        reach = CLIPPED * median(abs(value - middle) for value in values)
        return [min(max(value, middle - reach), middle + reach) for value in values]

    pairs = zip(clipped([own[moment] for moment in others]), clipped(list(others.values())), strict=True)
    return min(max(least_squares(list(pairs)), 0.0), drift.MOST_FOLLOWED)


def by_visits(records: Sequence[RunRecord]) -> Bounds:
    """Visits as replicates, pooled over the run."""
    return [(one.low, one.high) for one in estimates(records).values()]


def alone(records: Sequence[RunRecord]) -> Bounds:
    """Student's t of the visits of each case."""
    found = []
    for one in records:
        visits = (
            [math.log(median(rounds)) for rounds in one.measurement.by_visit("step_time")] if one.measurement else []
        )
        reach = student_quantile(0.975, len(visits) - 1) * stdev(visits) / math.sqrt(len(visits))
        found.append((math.exp(fmean(visits) - reach), math.exp(fmean(visits) + reach)))
    return found


WAYS: dict[str, Callable[[Sequence[RunRecord]], Bounds]] = {
    "turns": by_turns,
    "corrected": corrected,
    "visits": by_visits,
    "alone": alone,
}


def main() -> None:
    """All tables."""
    print("| machine | between processes | cases |", " | ".join(f"{way}: held, half-width" for way in WAYS), "|")
    print("| --- " * (3 + len(WAYS)) + "|")
    for machine in MACHINES:
        for cases, times in TIMES.items():
            for between in BETWEEN:
                cells = " | ".join(covered(Setting(machine, cases, between), RUNS * times))
                print(f"| {machine} | {between:.1%} | {cases} | {cells} |", flush=True)
    print("\n| machine | difference between cases, rms, as measured | corrected | accused of 24 cases |")
    print("| --- | --- | --- | --- |")
    for machine in MACHINES:
        print(f"| {machine} | {' | '.join(apart(Setting(machine, between=0.007), RUNS))} |", flush=True)


def covered(setting: Setting, runs: int) -> list[str]:
    """Share of intervals that hold the truth, and their typical half-width, by way."""
    held: dict[str, list[float]] = {way: [] for way in WAYS}
    widths: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(runs):
        records, truth = measured(setting, np.random.default_rng([number, setting.cases]))
        for way, bounds_of in WAYS.items():
            bounds = bounds_of(records)
            held[way].append(share(truth, bounds))
            widths[way] += [math.log(high / low) / 2 for low, high in bounds]
    return [f"{fmean(held[way]):.3f}, {median(widths[way]):.2%}" for way in WAYS]


def apart(setting: Setting, runs: int) -> list[str]:
    """Distance of cases from their common level, and the share with a doubt."""
    before: list[float] = []
    after: list[float] = []
    accused = seen = 0
    for number in range(runs):
        records, _ = measured(setting, np.random.default_rng([number, 1]))
        for found, made in ((before, records), (after, without_drift(records))):
            logs = [math.log(median(one.measurement.values("step_time"))) for one in made if one.measurement]
            found += [(one - median(logs)) ** 2 for one in logs]
        doubted = issues_of_run(records)
        accused, seen = accused + sum(map(bool, doubted.values())), seen + len(doubted)
    return [f"{math.sqrt(fmean(before)):.2%}", f"{math.sqrt(fmean(after)):.2%}", f"{accused} of {seen}"]


if __name__ == "__main__":
    main()
