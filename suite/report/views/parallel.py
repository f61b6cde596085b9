"""Parallel coordinates of all cases, and the levels that the fastest ones share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.effects.wording import count
from suite.records.factors import NAMES
from suite.report.charts import level_of
from suite.report.facts import Facts
from suite.report.parallel_chart import MOST_LINES, TOP, axes_of, specification
from suite.report.table import Column, Table, table
from suite.report.view import Chart, View

MOST_LEVELS = 12
LEAST_EXCESS = 0.1
"""Difference of the shares from which a level is listed."""
FEWEST_CASES = 3
FEWEST_AXES = 3


@dataclass(frozen=True, slots=True)
class Level:
    """A level among the fastest cases, and among all.

    Attributes:
        among_top, among_all: numbers of cases with the level.
        top, all: numbers of the fastest cases, and of all.
    """

    factor: str
    level: str
    among_top: int
    among_all: int
    top: int
    all: int

    @property
    def excess(self) -> Fraction:
        """The share among the fastest cases less that among all."""
        return Fraction(self.among_top, self.top) - Fraction(self.among_all, self.all)


def view(facts: Facts) -> View | None:
    """The chart and the levels of the fastest cases; None for too few cases or axes."""
    ranked = facts.ranked
    axes = axes_of(facts) if len(ranked) >= FEWEST_CASES else []
    if len(axes) < FEWEST_AXES:
        return None
    levels = levels_of(ranked)
    chart = Chart(
        id="lines",
        title="All factors and metrics of every case",
        reading=reading(levels),
        specification=specification(axes, len(ranked)),
        twin="ranked",
    )
    return View(
        id="parallel",
        title="Parallel coordinates: which levels the fastest cases share",
        navigation="Parallel coordinates",
        template="parallel.html.j2",
        values={
            "levels": levels_table(levels),
            "axes": [
                {"key": one.key, "title": one.title, "low": one.low, "high": one.high, "levels": one.levels}
                for one in axes
            ],
            "percent": round(100 * TOP),
            "left_out": left_out(len(ranked)),
        },
        charts=(chart,),
    )


def left_out(cases: int) -> str:
    """The sentence about lines that are not drawn; empty if all are."""
    every = -(-cases // MOST_LINES)
    if every < 2:
        return ""
    return f"Of {cases:,} cases, the chart draws the fastest ones and every {every}th of the others."


def levels_of(ranked: Sequence[CaseFigures]) -> list[Level]:
    """Levels that are more frequent among the fastest cases, the most so first."""
    top = math.ceil(TOP * len(ranked))
    found = []
    for factor in NAMES:
        levels = list(map(level_of(factor), ranked))
        among_all, among_top = Counter(levels), Counter(levels[:top])
        if len(among_all) > 1:
            found += [Level(factor, str(one), among_top[one], of, top, len(ranked)) for one, of in among_all.items()]
    found = [one for one in found if one.among_top > 1 and one.excess >= LEAST_EXCESS]
    return sorted(found, key=lambda one: (-one.excess, one.factor, one.level))


def reading(levels: Sequence[Level]) -> str:
    """The level that the fastest cases have more often than others."""
    if not levels:
        return "No level is clearly more frequent among the fastest tenth of the cases than among all cases."
    first = levels[0]
    return (
        f"Of the fastest tenth, {count(first.top, 'case')}, {share(first.among_top, first.top)} "
        f"{'has' if first.among_top == 1 else 'have'} {first.factor.replace('_', ' ')} {first.level}; of all "
        f"{count(first.all, 'case')}, {share(first.among_all, first.all)}."
    )


def share(some: int, of: int) -> str:
    """A number of cases as a share."""
    return units.percent(some / of)


def levels_table(levels: Sequence[Level]) -> Table[Level]:
    """The levels that are most over-represented among the fastest cases."""
    return table(
        "Levels of the fastest tenth",
        (
            Column("Level", (), lambda one: f"{one.factor.replace('_', ' ')} {one.level}", is_heading=True),
            Column("Of the fastest tenth", ("share of cases",), lambda one: share(one.among_top, one.top)),
            Column("Of all", ("share of cases",), lambda one: share(one.among_all, one.all)),
        ),
        levels[:MOST_LEVELS],
    )
