"""A run as typed columns: one row a case, one column a figure.

CSV, Parquet and OpenMetrics are made from it, so that they have the same names and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Literal

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
Kind = Literal["text", "count", "number"]


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
    """A column's name, and its cell in a row.

    Attributes:
        unit: of its numbers, a key of `suite.units.SCALES`; empty if it has none.
        description: of its numbers, in one sentence.
    """

    name: str
    value: Callable[[Row], Cell]
    kind: Kind = "text"
    unit: str = ""
    description: str = ""

    @property
    def is_figure(self) -> bool:
        """Whether its cells are figures of measured cases, not levels or words."""
        return bool(self.unit)


@dataclass(frozen=True, slots=True)
class CaseTable:
    """The rows and columns of a run."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def table_of(run: Run) -> CaseTable:
    """One row per case, skipped and failed ones too.

    Only measured cases have figures. The rounds of a case that failed later stay in the record. A figure is the median
    over the kept rounds, over the visits, or over the readings of an instrument. `learning_curves.FINAL_METRICS` have
    their last value instead, and counts that most rounds lack, such as skipped steps,
    their mean. `validity` is `steady`, or the kinds of issues (`suite.analysis.validity`). The last column is the step
    time without the machine's drift, from which differences between cases are computed (decision 38).
    """
    known = figures_of(run.cases)
    figures = {case_id: one for case_id, one in known.items() if one.is_measured}
    steady = step_times_without_drift(run.cases, known)
    rows = [row(record, figures.get(record.case.id), steady.get(record.case.id)) for record in run.cases]
    columns = [*case_columns(run), *COLUMNS, throughput_column(run), *metric_columns(rows), WITHOUT_DRIFT]
    return CaseTable(tuple(columns), tuple(rows))


def row(record: RunRecord, figures: CaseFigures | None, steady: Estimate | None) -> Row:
    """A case with the medians of its metrics; without any if it was not measured."""
    values = dict(metric_values(figures)) if figures else {}
    medians = {column_name(metric): median(found) for metric, found in values.items() if found}
    return Row(record, figures, medians, steady.median if figures and steady else None)


def metric_columns(rows: Sequence[Row]) -> list[Column]:
    """A column for each metric of any case but the step time, as first seen."""
    measured = [one.figures.measurement for one in rows if one.figures]
    series = [one for found in measured for one in (*found.series, *found.per_visit, *found.surveyed)]
    metrics: dict[str, Metric] = {}
    for one in series:
        if one.metric.name != "step_time":
            metrics.setdefault(column_name(one.metric), one.metric)
    return [metric_column(name, metric) for name, metric in metrics.items()]


def metric_column(name: str, metric: Metric) -> Column:
    """The column of a metric."""
    return Column(name, lambda row: row.medians.get(name), "number", metric.unit, metric.description)


def column_name(metric: Metric) -> str:
    """A metric's name, ending in its unit: `cpu_time_s`, `minor_faults`."""
    suffix = SUFFIXES.get(metric.unit, "")
    return metric.name.removesuffix(suffix) + suffix


def of_case(field: str, kind: Kind) -> Column:
    """A level or a size."""
    return Column(field, lambda row: getattr(row.record.case, field), kind)


def case_columns(run: Run) -> list[Column]:
    """The id, and every level and size; a silent factor if a case has another level."""
    shown = [factor.name for factor in shown_factors([record.case for record in run.cases])]
    silent = {factor.name for factor in FACTORS} - set(shown)
    kinds: dict[str, Kind] = {
        field.name: "count" if field.type in (int, "int") else "text"
        for field in fields(Case)
        if field.name not in silent
    }
    return [Column("id", lambda row: row.record.case.id), *(of_case(name, kind) for name, kind in kinds.items())]


def throughput_column(run: Run) -> Column:
    """All examples over all time, named by what a batch has."""
    noun = examples_noun(record.case for record in run.cases)
    return of_figures(
        f"throughput_{noun}_per_s", lambda figures: figures.throughput, "number", f"{noun}/s", f"All {noun}, all time."
    )


def of_figures(
    name: str,
    value: Callable[[CaseFigures], Cell],
    kind: Kind,
    unit: str = "",
    description: str = "",
    missing: Cell = None,
) -> Column:
    """A figure of measured cases."""
    return Column(name, lambda row: value(row.figures) if row.figures else missing, kind, unit, description)


COLUMNS = (
    Column("outcome", lambda row: row.record.outcome),
    Column("reason", lambda row: row.record.reason),
    of_figures("validity", lambda figures: label(figures.issues), "text", missing=""),
    of_figures("rounds", lambda figures: figures.step_time.rounds, "count", "count", "Kept rounds."),
    of_figures(
        "step_time_s", lambda figures: figures.step_time.median, "number", "s", "Median step time of the kept rounds."
    ),
    of_figures(
        "step_time_low_s", lambda figures: figures.step_time.low, "number", "s", "Low end of the median's interval."
    ),
    of_figures(
        "step_time_high_s", lambda figures: figures.step_time.high, "number", "s", "High end of the median's interval."
    ),
)
"""Columns of every table, between those of the case and those of its metrics."""
WITHOUT_DRIFT = Column(
    "step_time_without_drift_s",
    lambda row: row.steady_s,
    "number",
    "s",
    "Median step time without the machine's drift, for ratios between cases.",
)
"""The last column: effects are ratios of its cells."""
