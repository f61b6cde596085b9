"""The ranked table: one row for each measured case, fastest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from suite import units
from suite.analysis.case_figures import CaseFigures, examples_noun
from suite.analysis.estimates import CONFIDENCE
from suite.records import DEFAULT_MODE, Run, Stop
from suite.report.provenance import command, in_one_line
from suite.report.svg import Scale, interval_path, spark_path
from suite.report.table import DIGITS, HIGHER, LOWER, Column, Drawing, Folded, Table, table

DETAILED_ROWS = 800
"""Cases up to which each row carries its command and attributes; beyond, one pattern of the command stands for all, so
that 1,000 cases stay within 2 MB and 10,000 within 6 MB."""
PLACEHOLDER = "CASE"
STOPS: tuple[Stop, ...] = get_args(Stop)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A measured case with its rank; with command and attributes if there is room."""

    rank: int
    figures: CaseFigures
    command: str
    attributes: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranked table.

    Attributes:
        has_details: whether each row has its command. Otherwise the page shows the pattern below the table.
        pattern: the command for any case.
        nothing: the reason why the table is empty; else empty.
    """

    table: Table[Ranked]
    has_details: bool
    pattern: str
    nothing: str


def ranking(run: Run, ranked: Sequence[CaseFigures]) -> Ranking:
    """One row for each measured case, in their order: fastest first."""
    has_details = len(ranked) <= DETAILED_ROWS
    rows = [
        Ranked(
            rank,
            one,
            command(run, one.case.id, one.case.mode) if has_details else "",
            in_one_line(one.record.attributes) if has_details else "",
        )
        for rank, one in enumerate(ranked, 1)
    ]
    return Ranking(
        table=table("Ranked table", columns(ranked), rows),
        has_details=has_details,
        pattern=command(run, PLACEHOLDER, ranked[0].case.mode if ranked else DEFAULT_MODE),
        nothing="" if ranked else nothing_measured(run),
    )


def columns(ranked: Sequence[CaseFigures]) -> tuple[Column[Ranked], ...]:
    """Columns of the table; all intervals share one scale.

    The page's script reads them by their places.
    """
    lows, highs = [one.step_time.low for one in ranked], [one.step_time.high for one in ranked]
    scale = Scale(min(lows, default=0.0), max(highs, default=0.0))
    intervals: Column[Ranked] = Column(
        f"{CONFIDENCE * 100:.0f} % interval",
        ("of the median,", "narrower is better"),
        lambda row: interval(row.figures, scale),
        sort="interval",
        ends=(units.text(scale.low, "s", DIGITS), units.text(scale.high, "s", DIGITS)),
        ends_note=f"one {'logarithmic' if scale.logarithmic else 'linear'} scale",
    )
    noun = examples_noun(one.case for one in ranked)
    throughput = figure("Throughput", (f"{noun}/s,", HIGHER), lambda one: one.throughput, "count", is_descending=True)
    return (*BEFORE_INTERVAL, intervals, DISTRIBUTION, throughput, *AFTER_INTERVAL)


def name(row: Ranked) -> Folded | str:
    """The id of a case; with its attributes and command under it if there is room."""
    return Folded(row.figures.case.id, row.attributes, row.command) if row.command else row.figures.case.id


def interval(figures: CaseFigures, scale: Scale) -> Drawing:
    """The interval as text and on the common scale."""
    step_time = figures.step_time
    return Drawing((interval_path(step_time, scale),), units.interval(step_time.low, step_time.high, "s"))


def distribution(row: Ranked) -> Drawing:
    """The histogram of the kept rounds."""
    return Drawing((spark_path(row.figures.rounds),))


def rounds(row: Ranked) -> str:
    """Kept rounds of those that were taken."""
    return f"{row.figures.step_time.rounds} / {row.figures.taken}"


def stops(row: Ranked) -> str:
    """Visits by the reason for which they ended."""
    return ", ".join(f"{reason} {count}" for reason in STOPS if (count := row.figures.stopped_by(reason)))


def figure(
    title: str,
    note: tuple[str, ...],
    value: Callable[[CaseFigures], float | None],
    unit: str,
    digits: int = units.SIGNIFICANT_DIGITS,
    *,
    is_descending: bool = False,
) -> Column[Ranked]:
    """A column of numbers; a click on its header sorts the best to the top."""
    return Column(
        title,
        note,
        lambda row: units.text(value(row.figures), unit, digits),
        sort="number",
        is_descending=is_descending,
    )


BEFORE_INTERVAL: tuple[Column[Ranked], ...] = (
    Column("Rank", (), lambda row: str(row.rank), sort="number"),
    Column("Case", (), name, is_heading=True, sort="text"),
    figure("Step time", ("median,", LOWER), lambda one: one.step_time.median, "s"),
)
DISTRIBUTION: Column[Ranked] = Column("Distribution", ("own scale each,", "narrower is better"), distribution)
AFTER_INTERVAL: tuple[Column[Ranked], ...] = (
    figure("Peak memory", ("of the process,", LOWER), lambda one: one.peak_memory_bytes, "B"),
    figure("Minor faults", ("per step,", LOWER), lambda one: one.minor_faults, "count", DIGITS),
    figure("CPU time", ("per step,", LOWER), lambda one: one.cpu_time_s, "s"),
    Column("Rounds", ("kept / taken,", HIGHER), rounds, sort="number", is_descending=True),
    Column("Stopped by", ("visits,", "precision is better"), stops, sort="text", is_text=True),
)


def nothing_measured(run: Run) -> str:
    """Why the ranked table is empty."""
    if not run.header.planned and not run.cases:
        return "No case was measured: the run planned none."
    outcomes = Counter(record.outcome for record in run.cases)
    parts = [f"{outcomes[name]} {name}" for name in ("skipped", "failed") if outcomes[name]]
    parts += [f"{outcomes['measured']} without a recorded round"] if outcomes["measured"] else []
    parts += [f"{len(run.missing)} without an outcome"] if run.missing else []
    return f"No case was measured: {', '.join(parts)}."
