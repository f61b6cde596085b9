"""Table of metrics that no other table of cases has, such as data wait."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from suite import units
from suite.analysis.case_figures import CaseFigures, is_rare
from suite.analysis.learning_curves import FINAL_METRICS
from suite.records import Metric, Series
from suite.report.facts import Facts
from suite.report.table import Column, Table, table
from suite.report.view import View

SHOWN_ELSEWHERE = {
    "step_time",
    "cpu_time",
    "minor_faults",
    "major_faults",
    "involuntary_switches",
    "queue_time",
    *FINAL_METRICS,
}
"""Metrics of the ranked table, of the learning table and of data quality."""
WORTH_SHOWING = 0.01
"""Share of the step time below which a duration is not shown: synthetic input waits some microseconds."""
FIRST_METRICS = 8
"""Columns that a window of 1,280 pixels has room for; the others are one click away."""

Row = tuple[CaseFigures, dict[Metric, str]]
"""A case, and its figures that are worth a cell."""


def view(facts: Facts) -> View | None:
    """Metrics that no other table of cases has; None without one."""
    found = other_metrics(facts.ranked)
    if not found.rows:
        return None
    return View(
        id="other-metrics",
        title="Other metrics",
        navigation="Other metrics",
        template="other_metrics.html.j2",
        values={"table": found},
    )


def other_metrics(ranked: Sequence[CaseFigures]) -> Table[Row]:
    """A row for each ranked case with such a metric, a column for each metric."""
    rows = [(figures, found) for figures in ranked if (found := worth_showing(figures))]
    metrics = dict.fromkeys(metric for _, found in rows for metric in found)
    case: Column[Row] = Column("Case", (), lambda row: row[0].case.id, is_heading=True)
    columns = [metric_column(metric, is_lesser=place >= FIRST_METRICS) for place, metric in enumerate(metrics)]
    return table("Other metrics", (case, *columns), rows)


def metric_column(metric: Metric, *, is_lesser: bool) -> Column[Row]:
    """`data_wait` -> Data wait."""
    return Column(
        metric.name.replace("_", " ").capitalize(),
        (f"{metric.better} is better",),
        lambda row: row[1].get(metric),
        meaning=metric.description,
        is_lesser=is_lesser,
    )


def worth_showing(figures: CaseFigures) -> dict[Metric, str]:
    """A case's figures that are not on the page yet and not negligible, as text."""
    found: dict[Metric, str] = {}
    for one in figures.measurement.series:
        if one.metric.name in SHOWN_ELSEWHERE:
            continue
        value = typical(figures, one)
        if is_worth_showing(one.metric, value, figures):
            found[one.metric] = with_share(one.metric, value, figures)
    for one in figures.measurement.per_visit:
        found[one.metric] = units.text(median(one.values), one.metric.unit)
    return found


def typical(figures: CaseFigures, series: Series) -> float:
    """Median over the kept rounds; the mean of counts, since most rounds have none."""
    values = figures.kept(series.metric.name)
    return fmean(values) if is_rare(series.metric) else median(values)


def is_worth_showing(metric: Metric, value: float, figures: CaseFigures) -> bool:
    """Whether a duration is a visible share of the step, or another figure is not 0."""
    return value >= WORTH_SHOWING * figures.step_time.median if metric.unit == "s" else value != 0


def with_share(metric: Metric, value: float, figures: CaseFigures) -> str:
    """A figure; a duration with its share of the step."""
    shown = units.text(value, metric.unit)
    return f"{shown} ({units.percent_rounded(value / figures.step_time.median)})" if metric.unit == "s" else shown
