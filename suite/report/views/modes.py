"""Cases with two step times: how far apart, how often, and whether by process."""

from __future__ import annotations

from dataclasses import dataclass

from suite import units
from suite.analysis.bimodality import TwoModes, two_modes
from suite.analysis.case_figures import CaseFigures
from suite.analysis.issue import BIMODAL
from suite.report.facts import Facts
from suite.report.svg import spark_path
from suite.report.table import DIGITS, LOWER, Column, Drawing, table
from suite.report.view import View

BY_PROCESS = "each process keeps one: look for what a process keeps, such as its memory layout or its core"
WITHIN = "both within a process: look for what comes and goes, such as other programs or the clock rate"


@dataclass(frozen=True, slots=True)
class Bimodal:
    """A case with two step times."""

    figures: CaseFigures
    modes: TwoModes


def view(facts: Facts) -> View | None:
    """A row for each bimodal case; None without one."""
    found = [
        Bimodal(one, modes)
        for one in facts.ranked
        if any(issue.kind == BIMODAL for issue in one.issues) and (modes := two_modes(one.measurement))
    ]
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


def sentence(one: Bimodal) -> str:
    """Both step times and their shares: `5.80 ms in 62 % of its turns, ...`."""
    shares = one.modes.lower_share, 1 - one.modes.lower_share
    lower, upper = (f"{share * 100:.0f} %" for share in shares)
    first, second = (units.text(step_s, "s", DIGITS) for step_s in (one.modes.lower_s, one.modes.upper_s))
    return f"{one.figures.case.id}: {first} in {lower} of its turns, {second} in {upper}."


def by_visit(one: Bimodal) -> str:
    """Share of the turns at the upper step time, visit by visit."""
    return ", ".join(f"{upper} of {turns}" for upper, turns in one.modes.upper_by_visit)


COLUMNS: tuple[Column[Bimodal], ...] = (
    Column("Case", (), lambda one: one.figures.case.id, is_heading=True),
    Column("Distribution", ("of the rounds",), lambda one: Drawing((spark_path(one.figures.rounds),))),
    Column("Lower", ("step time,", LOWER), lambda one: one.modes.lower_s, "s"),
    Column("In", ("of the turns",), lambda one: one.modes.lower_share, "ratio", digits=2),
    Column("Upper", ("step time,", LOWER), lambda one: one.modes.upper_s, "s"),
    Column("In", ("of the turns",), lambda one: 1 - one.modes.lower_share, "ratio", digits=2),
    Column("Apart", (LOWER,), lambda one: one.modes.apart, "ratio"),
    Column("Turns at the upper", ("visit by visit",), by_visit),
    Column("Where to look", (), lambda one: BY_PROCESS if one.modes.is_by_process else WITHIN, is_text=True),
)
