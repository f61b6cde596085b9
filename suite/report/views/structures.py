"""Chart of step times by structure, optimizer and execution."""

from __future__ import annotations

from suite import units
from suite.analysis.estimates import CONFIDENCE
from suite.report import charts
from suite.report.facts import Facts
from suite.report.view import Chart, View


def view(facts: Facts) -> View:
    """Step time by structure as dots with intervals, or a sentence without a case."""
    return View(
        id="structures",
        title="Step time by structure",
        navigation="Chart",
        template="structures.html.j2",
        values={"nothing": facts.nothing},
        charts=(chart(facts),) if facts.ranked else (),
    )


def chart(facts: Facts) -> Chart:
    """Dots with intervals: structure by row, optimizer by colour, execution by shape."""
    return Chart(
        id="chart",
        title="Step time of each case",
        reading=reading(facts),
        specification=charts.by_structure(facts.ranked),
        twin="ranked",
    )


def reading(facts: Facts) -> str:
    """How to read the chart, and the ratio of the slowest to the fastest case."""
    slowest, fastest = facts.ranked[-1].step_time.median, facts.ranked[0].step_time.median
    ratio = slowest / fastest if fastest and len(facts.ranked) > 1 else None
    sentences = [
        f"Each mark is the median step time of a case, with its {units.percent_rounded(CONFIDENCE)} interval.",
        "Left is faster.",
    ]
    if ratio:
        text = f"{ratio:.3g}" if ratio < 100 else f"{ratio:.0f}"
        sentences.append(f"The slowest case takes {text} times as long as the fastest.")
    return " ".join([*sentences, "Within a structure, optimizers have the order of the legend."])
