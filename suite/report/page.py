"""Sections -> HTML through the template, with every value escaped."""

from __future__ import annotations

import json
from pathlib import Path

from markupsafe import Markup

from suite import theme
from suite.analysis.case_figures import CaseFigures, figures_of
from suite.analysis.estimates import CONFIDENCE, DISTURBED_SHARE, ENOUGH_UNDISTURBED
from suite.records import Run
from suite.report import chart
from suite.report.headline import headline
from suite.report.instruments import instruments
from suite.report.learning import TARGET, learning
from suite.report.other_metrics import other_metrics
from suite.report.provenance import environment_entries, run_entries
from suite.report.quality import quality
from suite.report.ranking import PLACEHOLDER, ranking
from suite.report.scaling import scaling
from suite.report.skipped import skipped
from suite.units import SCALES

FOLDER = Path(__file__).parent


def page(run: Run, record_path: str) -> str:
    """The whole page about a run."""
    figures = figures_of(run.cases)
    ranked = sorted(
        (one for one in figures.values() if one.is_measured), key=lambda one: (one.step_time.median, one.case.id)
    )
    return (
        theme.environment(FOLDER)
        .get_template("page.html.j2")
        .render(
            header=run.header,
            style=theme.style(FOLDER / "page.css"),
            script=theme.trusted(FOLDER / "page.js"),
            headline=headline(run, ranked),
            ranking=ranking(run, ranked),
            placeholder=PLACEHOLDER,
            chart=drawing(ranked),
            learning=learning(ranked),
            learning_target=TARGET,
            scaling=scaling(run, ranked),
            other_metrics=other_metrics(ranked),
            instruments=instruments(ranked),
            skipped=skipped(run, figures),
            quality=quality(run, ranked),
            run_entries=run_entries(run, record_path),
            environment_entries=environment_entries(run),
            environment_json=json.dumps(run.header.environment, indent=2, ensure_ascii=False),
            confidence=CONFIDENCE,
            disturbed_share=DISTURBED_SHARE,
            enough_undisturbed=ENOUGH_UNDISTURBED,
        )
    )


def drawing(ranked: list[CaseFigures]) -> dict[str, object] | None:
    """Input of the page's script for the chart; None without a case."""
    if not ranked:
        return None
    sizes = {name: size for scale in SCALES.values() for size, name in scale if name}
    slowest, fastest = ranked[-1].step_time.median, ranked[0].step_time.median
    return {
        "columns": chart.columns(ranked),
        "specification": chart.specification(ranked),
        "sizes": sizes,
        "scripts": Markup(chart.scripts()),  # noqa: S704 - Vega's own code, not a record's
        "ratio": slowest / fastest if fastest else None,
    }
