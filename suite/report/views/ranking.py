"""The ranked table: one row for each measured case, fastest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from suite import units
from suite.analysis.case_figures import CaseFigures, examples_noun
from suite.analysis.estimates import CONFIDENCE
from suite.analysis.validity import label
from suite.records import Stop
from suite.report.facts import PLACEHOLDER, Facts
from suite.report.provenance import in_one_line
from suite.report.svg import Scale, interval_path, spark_paths
from suite.report.table import DIGITS, HIGHER, LOWER, Column, Drawing, Folded, table
from suite.report.view import View

STOPS: tuple[Stop, ...] = get_args(Stop)
FIRST_ROWS = 500
"""Rows that the page's script shows until asked for more: layout takes half a second for them."""
FIRST_EXTRA = 8
"""Columns that a window of 1,280 pixels has room for; the others are one click away. ranking.css has their places."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A measured case with its rank; with command and attributes if there is room.

    Attributes:
        columns: figures of all ranked cases by metric.
        distribution: path of the histogram of the kept rounds.
    """

    rank: int
    figures: CaseFigures
    columns: Mapping[str, Sequence[float | None]]
    distribution: str
    command: str
    attributes: str

    def figure(self, metric: str) -> float | None:
        """The case's own figure of a metric."""
        return self.columns[metric][self.rank - 1]


def view(facts: Facts) -> View:
    """One row for each measured case, fastest first."""
    distributions = spark_paths([one.rounds for one in facts.ranked])
    rows = [
        Ranked(
            rank,
            one,
            facts.columns,
            distribution,
            facts.command(one) if facts.has_details else "",
            in_one_line(one.record.attributes) if facts.has_details else "",
        )
        for rank, (one, distribution) in enumerate(zip(facts.ranked, distributions, strict=True), 1)
    ]
    shown = columns(facts.ranked)
    return View(
        id="ranking",
        title="All measured cases, fastest first",
        navigation="Ranking",
        template="ranking.html.j2",
        values={
            "table": table("Ranked table", shown, rows, first=FIRST_ROWS),
            "extra": [column.title for column in shown[FIRST_EXTRA:]],
            "confidence": CONFIDENCE,
            "nothing": facts.nothing,
            "has_details": facts.has_details,
            "placeholder": PLACEHOLDER,
            "pattern": facts.pattern,
        },
    )


def columns(ranked: Sequence[CaseFigures]) -> tuple[Column[Ranked], ...]:
    """Columns of the table, always the same; all intervals share one scale."""
    lows, highs = [one.step_time.low for one in ranked], [one.step_time.high for one in ranked]
    scale = Scale(min(lows, default=0.0), max(highs, default=0.0))
    intervals: Column[Ranked] = Column(
        f"{CONFIDENCE * 100:.0f} % interval",
        ("of the median,", "narrower is better"),
        lambda row: interval(row.figures, scale),
        meaning="Range in which the median of many more processes of this run would lie. All bars share one scale. If "
        "the intervals of two cases overlap, their order is uncertain.",
        sort="precision",
        ends=(units.text(scale.low, "s", DIGITS), units.text(scale.high, "s", DIGITS)),
        ends_note=f"one {'logarithmic' if scale.logarithmic else 'linear'} scale",
    )
    throughput = metric(
        "Throughput",
        (f"{examples_noun(one.case for one in ranked)}/s,", HIGHER),
        "throughput",
        "count",
        "All images, or other examples, divided by all time of the kept rounds.",
        is_descending=True,
    )
    return (*FIRST, intervals, DISTRIBUTION, throughput, *LAST)


def name(row: Ranked) -> Folded | str:
    """The id of a case; with its attributes and command under it if there is room."""
    return Folded(row.figures.case.id, row.attributes, row.command) if row.command else row.figures.case.id


def interval(figures: CaseFigures, scale: Scale) -> Drawing:
    """The interval as text and on the common scale."""
    step_time = figures.step_time
    return Drawing((interval_path(step_time, scale),), units.interval(step_time.low, step_time.high, "s"))


def rounds(row: Ranked) -> str:
    """Kept rounds of those that were taken."""
    return f"{row.figures.step_time.rounds} / {row.figures.taken}"


def stops(row: Ranked) -> str:
    """Visits by the reason for which they ended."""
    found = [visit.stopped_by for visit in row.figures.measurement.visits]
    return ", ".join([f"{reason} {found.count(reason)}" for reason in STOPS if reason in found])


def metric(
    title: str,
    note: tuple[str, ...],
    key: str,
    unit: str,
    meaning: str,
    digits: int = units.SIGNIFICANT_DIGITS,
    *,
    is_descending: bool = False,
) -> Column[Ranked]:
    """A metric of `suite.report.metrics`; a click on its header sorts by it."""
    return Column(
        title,
        note,
        lambda row: units.text(row.figure(key), unit, digits),
        meaning=meaning,
        sort=key,
        is_descending=is_descending,
    )


FIRST: tuple[Column[Ranked], ...] = (
    Column("Rank", (), lambda row: str(row.rank), meaning="Place by step time.", sort="rank"),
    Column(
        "Case",
        (),
        name,
        meaning="Structure, optimizer, execution, and a word for each value that is not the default.",
        is_heading=True,
        sort="id",
    ),
    metric("Step time", ("median,", LOWER), "step_time", "s", "Time of one training step: the median of kept rounds."),
)
DISTRIBUTION: Column[Ranked] = Column(
    "Distribution",
    ("own scale each,", "narrower is better"),
    lambda row: Drawing((row.distribution,)),
    meaning="Histogram of the kept rounds, the fastest at the left; the last bar stacks the slowest twentieth.",
)
LAST: tuple[Column[Ranked], ...] = (
    metric("Peak memory", ("of the process,", LOWER), "peak_memory", "B", "Most RAM of the process in any phase."),
    Column(
        "Validity",
        ("steady is best",),
        lambda row: label(row.figures.issues),
        meaning="Whether its step time is to be trusted: reasons for doubt are other load, a drift or two step times.",
        sort="verdict",
        is_text=True,
    ),
    metric("Energy", ("per step,", LOWER), "energy", "J", "Energy of devices, or of processors, for a step.", DIGITS),
    metric(
        "Of the roof",
        (HIGHER,),
        "of_roof",
        "ratio",
        "Operations per second, as a share of the lower of two ceilings of the machine: compute and memory.",
        DIGITS,
        is_descending=True,
    ),
    metric("CPU time", ("per step,", LOWER), "cpu_time", "s", "Time on cores, of all threads together."),
    metric("Minor faults", ("per step,", LOWER), "minor_faults", "count", "Pages of memory mapped in.", DIGITS),
    Column(
        "Rounds",
        ("kept / taken,", HIGHER),
        rounds,
        meaning="Kept rounds, which the figures use, and all rounds after warm-up.",
        sort="rounds",
        is_descending=True,
    ),
    Column(
        "Stopped by",
        ("visits,", "precision is better"),
        stops,
        meaning="Why the visits ended: the interval was narrow enough, or the time ran out.",
        sort="text",
        is_text=True,
    ),
)
