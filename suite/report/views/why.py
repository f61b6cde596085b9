"""Two cases side by side: which phases of a step, and which memory, differ."""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.case_figures import CaseFigures
from suite.records.factors import NAMES
from suite.report.case_details import MOST_CASES
from suite.report.facts import Facts
from suite.report.instruments import median_of
from suite.report.view import View


def view(facts: Facts) -> View | None:
    """A form that scripts fill; None without two timed cases, or with many cases."""
    timed = [one for one in facts.ranked if median_of(one, "part_forward") is not None]
    if len(timed) < 2 or len(facts.ranked) > MOST_CASES:
        return None
    return View(
        id="why",
        title="Two cases side by side: where the difference lies",
        navigation="Two cases",
        template="why.html.j2",
        values={"pair": [one.case.id for one in first_pair(timed)]},
    )


def first_pair(timed: Sequence[CaseFigures]) -> tuple[CaseFigures, CaseFigures]:
    """The fastest case, and the fastest of those that differ from it in fewest levels."""
    first, *others = timed
    return first, min(others, key=lambda one: differing_levels(first, one))


def differing_levels(one: CaseFigures, other: CaseFigures) -> int:
    """Number of factors in which two cases differ."""
    return sum(getattr(one.case, name) != getattr(other.case, name) for name in NAMES)
