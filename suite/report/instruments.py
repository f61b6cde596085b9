"""Readings of the instruments, for the tables of the views that show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from suite.analysis.case_figures import CaseFigures
from suite.report.table import Column, Table, table

MOST_ROWS = 100
"""Rows of a table, so that a page of 1,000 cases stays within 2 MB; more are counted under it, and each case's page has
all its figures."""


def rows_of(
    name: str,
    columns: Sequence[Column[CaseFigures]],
    cases: Iterable[CaseFigures],
) -> Table[CaseFigures]:
    """A row for each case, in their order, as far as there is room."""
    return table(name, (CASE, *columns), cases, MOST_ROWS)


def readings(figures: CaseFigures, metric: str) -> tuple[float, ...]:
    """An instrument's readings of a metric; none without it."""
    return figures.readings.get(metric, ())


def median_of(figures: CaseFigures, metric: str) -> float | None:
    """Median of an instrument's readings of a metric; None without any."""
    values = readings(figures, metric)
    return median(values) if values else None


def highest(figures: CaseFigures, metric: str) -> float | None:
    """Highest reading of a metric; None without any."""
    return max(readings(figures, metric), default=None)


def metric_column(
    title: str, note: tuple[str, ...], metric: str, unit: str, *, is_lesser: bool = False
) -> Column[CaseFigures]:
    """The median of one metric."""
    return Column(title, note, lambda figures: median_of(figures, metric), unit, is_lesser=is_lesser)


CASE: Column[CaseFigures] = Column("Case", (), lambda figures: figures.case.id, is_heading=True)


def has_memory(figures: CaseFigures) -> bool:
    """Whether resident sets were read."""
    before = (median_of(figures, f"memory_before_{when}") for when in ("made", "steady"))
    return None not in (*before, figures.peak_memory_bytes)


def imported_memory(figures: CaseFigures) -> float:
    """Resident set before the case's network was built, in bytes."""
    return median_of(figures, "memory_before_made") or 0.0


def added_by_step(figures: CaseFigures) -> float:
    """Peak during a step less the resident set before it, in bytes."""
    held = median_of(figures, "memory_before_steady") or 0.0
    return (median_of(figures, "memory_peak_steady") or held) - held


def kept_memory(figures: CaseFigures) -> float:
    """Resident set between steps beyond that of imports, in bytes."""
    return max(0.0, (median_of(figures, "memory_before_steady") or 0.0) - imported_memory(figures))
