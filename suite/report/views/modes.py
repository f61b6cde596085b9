"""Cases with two step times: how far apart, how often, and whether by process."""

from __future__ import annotations

from dataclasses import dataclass

from suite.analysis.case_figures import CaseFigures
from suite.analysis.issue import BIMODAL
from suite.analysis.modes import Mode, in_words, is_by_process, slower_by_visit, two_modes
from suite.analysis.validity import turns_of_visits
from suite.report.facts import Facts
from suite.report.svg import spark_paths
from suite.report.table import HIGHER, LOWER, Column, Drawing, table
from suite.report.view import View

BY_PROCESS = "each process keeps one: look for what a process keeps, such as its memory layout or its core"
WITHIN = "both within a process: look for what comes and goes, such as other programs or the clock rate"


@dataclass(frozen=True, slots=True)
class Bimodal:
    """A case with two step times.

    Attributes:
        slower: turns at the slower one, and all turns, of each visit.
    """

    figures: CaseFigures
    modes: tuple[Mode, Mode]
    slower: tuple[tuple[int, int], ...]


def view(facts: Facts) -> View | None:
    """A row for each bimodal case; None without one."""
    found = [found for one in facts.ranked if (found := bimodal(one))]
    if not found:
        return None
    return View(
        id="modes",
        title="Cases with two step times",
        navigation="Two step times",
        template="modes.html.j2",
        values={
            "table": table("Cases with two step times", COLUMNS, found),
            "sentences": [sentence(one) for one in found[:MOST]],
        },
    )


MOST = 5
"""Cases that a sentence describes; all stand in the table."""


def bimodal(figures: CaseFigures) -> Bimodal | None:
    """The two step times of a case that validity calls bimodal; None for any other."""
    if all(issue.kind != BIMODAL for issue in figures.issues):
        return None
    visits = turns_of_visits(figures.measurement)
    modes = two_modes(turn for turns in visits for turn in turns)
    return Bimodal(figures, modes, slower_by_visit(visits, modes)) if modes else None


def sentence(one: Bimodal) -> str:
    """The case, both step times and their shares."""
    return f"{one.figures.case.id}: {in_words(one.modes)}."


def by_visit(one: Bimodal) -> str:
    """Share of the turns at the slower step time, visit by visit."""
    return ", ".join(f"{count} of {turns}" for count, turns in one.slower)


COLUMNS: tuple[Column[Bimodal], ...] = (
    Column("Case", (), lambda one: one.figures.case.id, is_heading=True),
    Column("Distribution", ("of the rounds",), lambda one: Drawing((*spark_paths([one.figures.rounds]),))),
    Column("Faster", ("step time,", LOWER), lambda one: one.modes[0].mean_s, "s"),
    Column("In", ("of the turns,", HIGHER), lambda one: one.modes[0].share, "ratio", digits=2),
    Column("Slower", ("step time,", LOWER), lambda one: one.modes[1].mean_s, "s"),
    Column("In", ("of the turns,", LOWER), lambda one: one.modes[1].share, "ratio", digits=2),
    Column("Apart", (LOWER,), lambda one: one.modes[1].mean_s / one.modes[0].mean_s - 1, "ratio"),
    Column("Turns at the slower", ("visit by visit,", LOWER), by_visit),
    Column("Where to look", (), lambda one: BY_PROCESS if is_by_process(one.slower) else WITHIN, is_text=True),
)
