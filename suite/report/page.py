"""Run -> facts -> views -> HTML through the templates, with every value escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from suite import theme
from suite.records import Run
from suite.report import charts, data, files
from suite.report.facts import Facts
from suite.report.view import View
from suite.report.views import (
    anatomy,
    case,
    effects,
    environment,
    findings,
    headline,
    heatmap,
    learning,
    method,
    modes,
    other_metrics,
    parallel,
    pareto,
    quality,
    ranking,
    ruler,
    scaling,
    skipped,
    structures,
    utilization,
    why,
)

VIEWS: tuple[Callable[[Facts], View | None], ...] = (
    findings.view,
    ranking.view,
    structures.view,
    case.view,
    pareto.view,
    ruler.view,
    effects.view,
    heatmap.view,
    parallel.view,
    learning.view,
    scaling.view,
    modes.view,
    anatomy.view,
    why.view,
    utilization.view,
    other_metrics.view,
    skipped.view,
    quality.view,
    environment.view,
    method.view,
)
"""Sections below the first screen, in the order of the page."""


def page(run: Run, record_path: str) -> str:
    """The whole page about a run."""
    facts = Facts(run, record_path)
    views = [found for make in VIEWS if (found := make(facts)) is not None]
    first = headline.view(facts)
    names = [one.name for one in (first, *views)]
    return (
        theme.environment(files.FOLDER)
        .get_template("page.html.j2")
        .render(
            run_id=run.header.run_id,
            first=first,
            views=views,
            style=files.style(names),
            script=files.script(names),
            scripts_data=scripts_data(facts, views) if facts.ranked else None,
        )
    )


def scripts_data(facts: Facts, views: Iterable[View]) -> dict[str, object]:
    """Input of the page's scripts: columns of the cases, charts, and Vega."""
    return {
        "columns": data.columns(facts),
        "sketches": data.sketches(facts),
        "charts": {chart.id: chart.specification for view in views for chart in view.charts},
        "grammar": data.grammar(),
        "vega": charts.scripts(),
    }
