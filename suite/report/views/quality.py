"""Data quality: which numbers to trust less, why, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.analysis.settings_in_effect import unmet_settings
from suite.analysis.validity import label
from suite.records import Run
from suite.report.facts import Facts
from suite.report.grouping import by_reason
from suite.report.machine_readings import course, course_chart, course_table, readings
from suite.report.table import LOWER, Column, Table, table
from suite.report.view import View

PASSES_DIFFER_FROM = 1.05
"""Largest over smallest median of a case's visits from which the page calls its passes different."""
MUCH_DISTURBED = 0.1
"""Share of a case's rounds that were disturbed from which the page remarks on it."""
PASSES_DIFFER = (
    f"cases {{have}} passes that differ by {units.text(PASSES_DIFFER_FROM - 1, 'ratio', 1)} or more. Something that "
    "lasts as long as a process changes their step time, such as the memory layout or the clock rate. Raise --passes."
)


OF_ONE = {"are": "is", "were": "was", "have": "has"}
OF_MANY = {verb: verb for verb in OF_ONE}
"""Verbs after a count."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How far the numbers can be trusted.

    Attributes:
        points: count, of how many, and the fault with its remedy.
        remarks: cases whose numbers deserve less trust.
        warnings: text and the cases that carry it, each with an empty remark.
        unremarkable: measured cases that are in no row.
    """

    points: tuple[tuple[int, int, str], ...]
    remarks: Table[CaseFigures]
    warnings: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    record_warnings: tuple[str, ...]
    unremarkable: int


def view(facts: Facts) -> View:
    """How far the numbers of the run can be trusted."""
    spells = course(facts)
    return View(
        id="quality",
        title="How far to trust the numbers",
        navigation="Data quality",
        template="quality.html.j2",
        values={
            "quality": quality(facts.run, facts.ranked),
            "nothing": facts.nothing,
            "readings": readings(facts.ranked),
            "course": course_table(spells),
        },
        charts=(course_chart(spells),) if spells else (),
    )


def quality(run: Run, ranked: Sequence[CaseFigures]) -> Quality:
    """Issues, visits that ended early, disturbed rounds, passes that differ, warnings."""
    rows = deserving_remark(ranked)
    columns = [one for one in COLUMNS if any(map(one.value, rows))]
    remarks = table("Cases to trust less", columns, rows)
    warnings = [
        (text, (record.case.id, ""))
        for record in run.cases
        for text in dict.fromkeys(record.measurement.warnings if record.measurement else ())
    ]
    return Quality(
        points=points(ranked),
        remarks=remarks,
        warnings=tuple((text, tuple(ids)) for text, ids in by_reason(warnings)),
        record_warnings=(*run.warnings, *unmet_settings(run.header.environment)),
        unremarkable=len(ranked) - len(remarks.rows),
    )


def points(ranked: Sequence[CaseFigures]) -> tuple[tuple[int, int, str], ...]:
    """Counts over the whole run, each with its meaning."""
    visits = sum(len(one.measurement.visits) for one in ranked)
    rounds = sum(one.taken for one in ranked)
    found = (
        (
            sum(bool(one.issues) for one in ranked),
            len(ranked),
            "cases {are} not steady. The table gives the reason and the remedy.",
        ),
        (
            sum(one.unsteady_visits for one in ranked),
            visits,
            "visits {were} not steady when the warm-up's time ran out. Raise --warmup-seconds.",
        ),
        (
            sum(one.stopped_by("time") for one in ranked),
            visits,
            "visits ran out of time before the interval was as narrow as planned. Raise --case-seconds.",
        ),
        (
            sum(one.discarded for one in ranked),
            rounds,
            "rounds {were} discarded as disturbed: other processes used the cores. Pin the run to idle cores.",
        ),
        (sum(one.spread >= PASSES_DIFFER_FROM for one in ranked), len(ranked), PASSES_DIFFER),
    )
    return tuple((count, of, text.format(**(OF_ONE if count == 1 else OF_MANY))) for count, of, text in found)


def deserving_remark(ranked: Sequence[CaseFigures]) -> list[CaseFigures]:
    """The cases of which any column of the table has something to report."""
    values = zip(*(map(column.value, ranked) for column in COLUMNS if not column.is_heading), strict=True)
    return list(compress(ranked, map(any, values)))


def of_visits(figures: CaseFigures, count: int) -> str:
    """A number of a case's visits; empty if there are none."""
    return f"{count} of {len(figures.measurement.visits)}" if count else ""


def disturbed(figures: CaseFigures) -> str:
    """Share of disturbed rounds if it is large, and whether they are kept."""
    share = (figures.disturbed or 0) / figures.taken
    kept = "" if figures.discarded else " (all kept)"
    return units.text(share, "ratio", 2) + kept if share >= MUCH_DISTURBED else ""


def spread(figures: CaseFigures) -> str:
    """Largest over smallest visit median if passes differ."""
    return f"{figures.spread:.3f}" if figures.spread >= PASSES_DIFFER_FROM else ""


COLUMNS: tuple[Column[CaseFigures], ...] = (
    Column("Case", (), lambda figures: figures.case.id, is_heading=True),
    Column("Validity", ("none is best",), lambda one: label(one.issues) if one.issues else "", is_text=True),
    Column("Reason", (), lambda one: "; ".join(issue.text for issue in one.issues), is_text=True),
    Column("Remedy", (), lambda one: "; ".join(dict.fromkeys(i.remedy for i in one.issues)), is_text=True),
    Column("Not steady", ("visits,", LOWER), lambda one: of_visits(one, one.unsteady_visits)),
    Column("Stopped by time", ("visits,", LOWER), lambda one: of_visits(one, one.stopped_by("time"))),
    Column("Disturbed", ("share of rounds,", LOWER), disturbed),
    Column("Passes differ", ("largest / smallest visit median,", "1 is best"), spread),
)
