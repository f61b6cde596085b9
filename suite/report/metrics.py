"""Metrics by which the page's tables, charts and scripts compare cases."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from suite.analysis.case_figures import CaseFigures
from suite.analysis.learning_curves import final_values
from suite.report.instruments import added_by_step, has_memory, kept_memory, median_of
from suite.report.roofline import achieved, has_roofline, roof

Figure = Callable[[CaseFigures], float | None]


def instrument(*names: str) -> Figure:
    """Median readings of the first of these metrics that a case has."""

    def find(figures: CaseFigures) -> float | None:
        for name in names:
            if (found := median_of(figures, name)) is not None:
                return found
        return None

    return find


def final_accuracy(figures: CaseFigures) -> float | None:
    """Median over the seeds of the last accuracy; None without learning."""
    found = final_values(figures.measurement, "accuracy")
    return median(found) if found else None


def of_rounds(metric: str) -> Figure:
    """Median of a metric over the kept rounds."""

    def find(figures: CaseFigures) -> float | None:
        found = figures.kept(metric)
        return median(found) if found else None

    return find


part_data_wait, data_wait = instrument("part_data_wait"), of_rounds("data_wait")


def of_roof(figures: CaseFigures) -> float | None:
    """Share of the roof that a step achieves; None where operations were not counted."""
    return achieved(figures) / roof(figures) if has_roofline(figures) else None


METRICS: dict[str, Figure] = {
    "step_time": lambda one: one.step_time.median,
    "low": lambda one: one.step_time.low,
    "high": lambda one: one.step_time.high,
    "precision": lambda one: one.step_time.precision,
    "rounds": lambda one: one.step_time.rounds,
    "throughput": lambda one: one.throughput,
    "peak_memory": lambda one: one.peak_memory_bytes,
    "energy": instrument("energy_of_step", "host_energy_of_step"),
    "accuracy": final_accuracy,
    "of_roof": of_roof,
    "cpu_time": lambda one: one.cpu_time_s,
    "data_wait": lambda one: part_data_wait(one) or data_wait(one),
    "minor_faults": lambda one: one.minor_faults,
    "forward": instrument("part_forward"),
    "backward": instrument("part_backward"),
    "optimizer_step": instrument("part_update"),
    "memory_kept": lambda one: kept_memory(one) if has_memory(one) else None,
    "memory_added": lambda one: added_by_step(one) if has_memory(one) else None,
}
"""Key of a metric -> its figure, in base units; None where the case lacks it. The keys stand in `page.cases`."""
