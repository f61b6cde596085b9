"""Curves of learning cases: accuracy by epoch, steps and seconds, for each seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Any

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
        seconds = tuple(accumulate(value * visit.steps_per_round for value in step_s))
        steps = tuple(visit.steps_per_round * epoch for epoch in range(1, len(accuracy) + 1))
        found.append(Curve(steps, seconds, accuracy))
    return found


def final_values(measurement: Measurement, metric: str) -> list[float]:
    """The last value of a metric in each visit that has one."""
    return [values[-1] for values in measurement.by_visit(metric) if values]


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
