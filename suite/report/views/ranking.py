"""The ranked table: one row for each measured case, fastest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from suite import units
from suite.analysis.case_figures import CaseFigures, examples_noun
from suite.analysis.estimates import CONFIDENCE
from suite.records import Stop
from suite.report.facts import PLACEHOLDER, Facts
from suite.report.provenance import in_one_line
from suite.report.svg import Scale, interval_path, spark_path
from suite.report.table import DIGITS, HIGHER, LOWER, Column, Drawing, Folded, table
from suite.report.view import View

STOPS: tuple[Stop, ...] = get_args(Stop)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A measured case with its rank; with command and attributes if there is room."""

    rank: int
    figures: CaseFigures
    command: str
    attributes: str


def view(facts: Facts) -> View:
    """One row for each measured case, fastest first."""
    rows = [
        Ranked(
            rank,
            one,
            facts.command(one) if facts.has_details else "",
            in_one_line(one.record.attributes) if facts.has_details else "",
        )
        for rank, one in enumerate(facts.ranked, 1)
    ]
    return View(
        id="ranking",
        title="All measured cases, fastest first",
        navigation="Ranking",
        template="ranking.html.j2",
        values={
            "table": table("Ranked table", columns(facts.ranked), rows),
            "confidence": CONFIDENCE,
            "nothing": facts.nothing,
            "has_details": facts.has_details,
            "placeholder": PLACEHOLDER,
            "pattern": facts.pattern,
        },
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
