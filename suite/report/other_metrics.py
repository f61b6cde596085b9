"""What was measured beside step time for some cases alone: waiting for data, compilation, skipped steps."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.analysis.learning_curves import FINAL_METRICS
from suite.records import Metric, Series

SHOWN_ELSEWHERE = {
    "step_time",
    "cpu_time",
    "minor_faults",
    "major_faults",
    "involuntary_switches",
    "queue_time",
    *FINAL_METRICS,
}
"""Metrics that the ranked table or the table of what was learnt shows, or that data quality judges by."""
WORTH_SHOWING = 0.01
"""Share of the step time below which a part of it is not shown: synthetic input waits some microseconds."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A table with one column for each metric that any case has something to show for.

    Attributes:
        columns: a metric's name in words, what it means, and which way is better.
        rows: case id and its figures, one text for each column, empty where there is none.
    """

    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def beside(ranked: list[CaseFigures]) -> Beside:
    """The table over all ranked cases, in their order."""
    figures = {facts.case.id: figures_as_text(facts) for facts in ranked}
    metrics = list(dict.fromkeys(metric for found in figures.values() for metric in found))
    return Beside(
        columns=tuple((words(metric), metric.description, f"{metric.better} is better") for metric in metrics),
        rows=tuple(
            (name, tuple(found.get(metric, "") for metric in metrics)) for name, found in figures.items() if found
        ),
    )


def figures_as_text(facts: CaseFigures) -> dict[Metric, str]:
    """A case's figures that are worth a place, as text."""
    found: dict[Metric, str] = {}
    for one in facts.measurement.series:
        value = typical(facts, one)
        if one.metric.name not in SHOWN_ELSEWHERE and is_worth_showing(one.metric, value, facts):
            found[one.metric] = text(one.metric, value, facts)
    for one in facts.measurement.per_visit:
        found[one.metric] = units.text(median(one.values), one.metric.unit)
    return found


def typical(facts: CaseFigures, series: Series) -> float:
    """The median over the rounds that count; of counts their mean, since most rounds have none."""
    values = facts.kept(series.metric.name)
    return fmean(values) if series.metric.unit == "count" else median(values)


def is_worth_showing(metric: Metric, value: float, facts: CaseFigures) -> bool:
    """Whether a figure tells the reader anything."""
    return value >= WORTH_SHOWING * facts.step_time.median if metric.unit == "s" else value != 0


def text(metric: Metric, value: float, facts: CaseFigures) -> str:
    """A figure, and its share of the step where it is a part of it."""
    shown = units.text(value, metric.unit)
    return f"{shown} ({value / facts.step_time.median:.0%})" if metric.unit == "s" else shown


def words(metric: Metric) -> str:
    """`data_wait` -> Data wait."""
    return metric.name.replace("_", " ").capitalize()
