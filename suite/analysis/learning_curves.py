"""Curves of learning cases: accuracy by epoch, steps and seconds, for each seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median, variance
from typing import Any

from suite.analysis.estimates import MedianError
from suite.analysis.intervals import MEDIAN_OVER_MEAN
from suite.analysis.variance_pooling import prior_degrees
from suite.records import Measurement

TARGET_ACCURACY = 0.95
"""Share of the test images that counts as having learnt."""
FINAL_METRICS = ("accuracy", "test_loss")
"""Metrics of progress in training: their last value is their figure, not their median."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One training: steps, seconds and accuracy after each epoch."""

    steps: tuple[int, ...]
    seconds: tuple[float, ...]
    accuracy: tuple[float, ...]

    def epochs_to(self, target: float) -> int | None:
        """Epochs until the accuracy is first at least `target`; None where it never is."""
        return next((epoch for epoch, value in enumerate(self.accuracy, 1) if value >= target), None)


def curves(measurement: Measurement) -> list[Curve]:
    """One for each visit, its first epoch included; none where the case did not learn."""
    found, warm, counted = [], 0, 0
    first_s, later_s = measurement.warmup_values("step_time"), measurement.values("step_time")
    first_accuracy, later_accuracy = measurement.warmup_values("accuracy"), measurement.values("accuracy")
    if not later_accuracy:
        return []
    for visit in measurement.visits:
        here, there = slice(warm, warm + visit.warmup_rounds), slice(counted, counted + visit.rounds)
        warm, counted = here.stop, there.stop
        step_s = first_s[here] + later_s[there]
        accuracy = first_accuracy[here] + later_accuracy[there]
        if not accuracy or len(accuracy) != len(step_s):  # a visit without an epoch, or a warm-up without its accuracy
            continue
        seconds = tuple(accumulate(value * visit.steps_per_round for value in step_s))
        steps = tuple(visit.steps_per_round * epoch for epoch in range(1, len(accuracy) + 1))
        found.append(Curve(steps, seconds, accuracy))
    return found


def final_values(measurement: Measurement, metric: str) -> list[float]:
    """The last value of a metric in each visit that has one."""
    return [values[-1] for values in measurement.by_visit(metric) if values]


def final_errors(finals: Mapping[str, Sequence[float]]) -> dict[str, MedianError]:
    """Error of each case's median final value, with seeds as replicates.

    Few seeds hardly show a variance, so that of all cases moderates each (Smyth 2004). None has an error if no case
    has two seeds, or if all seeds of every case agree.
    """
    own = {name: variance(found) for name, found in finals.items() if len(found) > 1}
    free = {name: len(finals[name]) - 1.0 for name in own}
    total = sum(free.values())
    pooled = math.fsum(own[name] * free[name] for name in own) / total if own else 0.0
    if not pooled > 0:
        return {}
    agreed = prior_degrees([one / pooled for one in own.values()], list(free.values()))
    made = {}
    for name, found in finals.items():
        seeds, own_free = len(found), free.get(name, 0.0)
        prior = min(agreed, max(total - own_free, 0.0))
        degrees = prior + own_free
        if seeds and degrees:
            each = (prior * pooled + own_free * own.get(name, 0.0)) / degrees
            made[name] = MedianError(each * MEDIAN_OVER_MEAN.get(seeds, math.pi / 2) / seeds, degrees)
    return made


def summary(measurement: Measurement | None) -> dict[str, Any]:
    """Final accuracy with its range, and the cost of `TARGET_ACCURACY`.

    The cost is a median over the seeds that reached it, None if none did. Times are in seconds.
    """
    made = curves(measurement) if measurement else []
    final = [curve.accuracy[-1] for curve in made]
    reached = [(curve, epochs) for curve in made if (epochs := curve.epochs_to(TARGET_ACCURACY))]
    return {
        "seeds": len(made),
        "final_accuracy": median(final) if final else None,
        "final_accuracy_low": min(final, default=None),
        "final_accuracy_high": max(final, default=None),
        "target_accuracy": TARGET_ACCURACY,
        "seeds_that_reached": len(reached),
        "epochs_to_target": median(epochs for _, epochs in reached) if reached else None,
        "steps_to_target": median(curve.steps[epochs - 1] for curve, epochs in reached) if reached else None,
        "seconds_to_target": median(curve.seconds[epochs - 1] for curve, epochs in reached) if reached else None,
    }
