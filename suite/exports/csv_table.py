"""A run as a CSV table: one row a case, one column a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, fields
from statistics import median

from suite.analysis.case_figures import (
    CaseFigures,
    examples_noun,
    figures_of,
    metric_values,
    step_times_without_drift,
)
from suite.analysis.estimates import Estimate
from suite.analysis.validity import label
from suite.records import Case, Metric, Run, RunRecord
from suite.records.factors import FACTORS, shown_factors

SUFFIXES = {
    "s": "_s",
    "B": "_bytes",
    "B/s": "_bytes_per_s",
    "FLOP/s": "_per_s",
    "W": "_w",
    "J": "_j",
    "images/s": "_images_per_s",
    "examples/s": "_examples_per_s",
}
"""Base unit -> end of a column's name; counts, operations and ratios have none."""

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A case, its figures if it was measured, and medians of metrics by column.

    Attributes:
        steady_s: step time without the machine's drift.
    """

    record: RunRecord
    figures: CaseFigures | None
    medians: dict[str, float]
    steady_s: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, and its cell in a row."""

    name: str
    value: Callable[[Row], Cell]


def render(run: Run) -> str:
    """One row per case, skipped and failed ones too, with numbers at full precision.

    Only measured cases have figures. The rounds of a case that failed later stay in the record. A figure is the median
    over the kept rounds, over the visits, or over the readings of an instrument. `learning_curves.FINAL_METRICS` have
    their last value instead. `validity` is `steady`, or the kinds of issues (`suite.analysis.validity`). The last
    column is the step time without the machine's drift, from which differences between cases are computed (decision
    38).

    Source: RFC 4180 for quotes and line ends.
    """
    figures = {case_id: one for case_id, one in figures_of(run.cases).items() if one.is_measured}
    steady = step_times_without_drift(run.cases)
    rows = [row(record, figures.get(record.case.id), steady.get(record.case.id)) for record in run.cases]
    columns = [*case_columns(run), *COLUMNS, throughput_column(run), *metric_columns(rows), WITHOUT_DRIFT]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(column.name for column in columns)
    writer.writerows([column.value(one) for column in columns] for one in rows)
    return text.getvalue()


def row(record: RunRecord, figures: CaseFigures | None, steady: Estimate | None) -> Row:
    """A case with the medians of its metrics; without any if it was not measured."""
    values = dict(metric_values(figures)) if figures else {}
    medians = {column_name(metric): median(found) for metric, found in values.items() if found}
    return Row(record, figures, medians, steady.median if figures and steady else None)


def metric_columns(rows: list[Row]) -> list[Column]:
    """A column for each metric of any case but the step time, as first seen."""
    measured = [one.figures.measurement for one in rows if one.figures]
    series = [one for found in measured for one in (*found.series, *found.per_visit, *found.surveyed)]
    names = dict.fromkeys(column_name(one.metric) for one in series if one.metric.name != "step_time")
    return [Column(name, lambda row, name=name: row.medians.get(name)) for name in names]  # type: ignore[misc]


def column_name(metric: Metric) -> str:
    """A metric's name, ending in its unit: `cpu_time_s`, `minor_faults`."""
    suffix = SUFFIXES.get(metric.unit, "")
    return metric.name.removesuffix(suffix) + suffix


def of_case(field: str) -> Column:
    """A level or a size."""
    return Column(field, lambda row: getattr(row.record.case, field))


def case_columns(run: Run) -> list[Column]:
    """The id, and every level and size; a silent factor if a case has another level."""
    shown = [factor.name for factor in shown_factors([record.case for record in run.cases])]
    silent = {factor.name for factor in FACTORS} - set(shown)
    names = [field.name for field in fields(Case) if field.name not in silent]
    return [Column("id", lambda row: row.record.case.id), *map(of_case, names)]


def throughput_column(run: Run) -> Column:
    """All examples over all time, named by what a batch has."""
    noun = examples_noun(record.case for record in run.cases)
    return of_figures(f"throughput_{noun}_per_s", lambda figures: figures.throughput)


def of_figures(name: str, value: Callable[[CaseFigures], Cell], missing: Cell = None) -> Column:
    """A figure of measured cases."""
    return Column(name, lambda row: value(row.figures) if row.figures else missing)


COLUMNS = (
    Column("outcome", lambda row: row.record.outcome),
    Column("reason", lambda row: row.record.reason),
    of_figures("validity", lambda figures: label(figures.issues), ""),
    of_figures("rounds", lambda figures: figures.step_time.rounds),
    of_figures("step_time_s", lambda figures: figures.step_time.median),
    of_figures("step_time_low_s", lambda figures: figures.step_time.low),
    of_figures("step_time_high_s", lambda figures: figures.step_time.high),
)
"""Columns of every table, between those of the case and those of its metrics."""
WITHOUT_DRIFT = Column("step_time_without_drift_s", lambda row: row.steady_s)
"""The last column: effects are ratios of its cells."""
