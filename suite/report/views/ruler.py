"""The ruler: the fastest case within limits that a reader drags, and its price."""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.case_figures import examples_noun
from suite.effects.advice_text import NAMES
from suite.effects.limits import OPTIONS
from suite.effects.recommendation import Advice
from suite.report.facts import Facts
from suite.report.view import View
from suite.report.views.pareto import rivals_of


def view(facts: Facts) -> View | None:
    """A ruler for each metric but the step time; None where the page has no front."""
    groups = rivals_of(facts)
    if not groups:
        return None
    return View(
        id="ruler",
        title="What a limit costs: the fastest case within it",
        navigation="Limits",
        template="ruler.html.j2",
        values={"limits": limits(groups), "noun": examples_noun(one.case for one in facts.ranked)},
    )


def limits(groups: Sequence[Advice]) -> list[dict[str, str]]:
    """The limits that `stepmark recommend` knows, of the metrics that a group has."""
    kinds = {metric.name: metric for one in groups for metric in one.group.metrics if metric.name != "step_time"}
    return [
        {
            "metric": name,
            "name": NAMES[name],
            "option": option,
            "example": example,
            "unit": kinds[name].unit,
            "better": kinds[name].better,
        }
        for option, (name, example) in OPTIONS.items()
        if name in kinds
    ]
