"""A verdict as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suite import theme, units
from suite.gate.formats.forest import MARK_PX, SHAPES, TOP_PX, forest
from suite.gate.formats.method import conditions
from suite.gate.formats.numbers import between, change, percent
from suite.gate.formats.sanitize import printable
from suite.gate.formats.sentences import (
    BLAMED,
    by_reason,
    case_label,
    culprits,
    failures,
    finding,
    is_time,
    level_label,
    metric_first,
    not_compared,
    outcome,
    particulars,
    remarks,
)
from suite.gate.formats.table import summed_up
from suite.gate.verdict import GateVerdict, Judged

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Line:
    """One case, or one level, by one metric, as a table shows it."""

    label: str
    metric: str
    verdict: str
    baseline: str
    candidate: str
    change: str
    interval: str
    finding: str
    blocks: str


def render(verdict: GateVerdict) -> str:
    """The whole page."""
    verdict = printable(verdict)
    blamed = culprits(verdict)
    memory = [one for one in verdict.cases if not is_time(one)]
    summed = summed_up(memory)
    shown = [one for one in memory if one.metric not in summed or one.verdict != "no change"]
    folded = [one for one in memory if one.metric in summed and one.verdict == "no change"]
    return (
        theme.environment(FOLDER)
        .get_template("gate.html.j2")
        .render(
            style=theme.style(FOLDER / "gate.css"),
            verdict=verdict,
            outcome=outcome(verdict),
            said=particulars(verdict),
            remarks=remarks(verdict),
            culprits=[(label, f"{metric_first(one)}{change(one)}") for label, one in blamed[:BLAMED]],
            more_culprits=len(blamed[BLAMED:]),
            failures=failures(verdict),
            forest=forest(verdict),
            shapes=SHAPES,
            top=TOP_PX,
            middle=MARK_PX,
            cases=[line(case_label(one), one) for one in verdict.cases if is_time(one)],
            levels=[line(level_label(one), one) for one in verdict.levels],
            memory=[line(case_label(one), one) for one in shown],
            memory_same=[line(case_label(one), one) for one in folded],
            summed=list(summed.values()),
            left_out=by_reason(not_compared(verdict)),
            conditions=conditions(verdict),
        )
    )


def line(label: str, one: Judged) -> Line:
    """One row of a table."""
    of = f" of {one.blocks + one.discarded:,}" if one.discarded else ""
    return Line(
        label=label,
        metric=one.metric,
        verdict=one.verdict,
        baseline=units.whole(one.baseline_median, one.unit),
        candidate=units.whole(one.candidate_median, one.unit),
        change=percent(one.change, sign=True),
        interval=between(one),
        finding=finding(one),
        blocks=f"{one.blocks:,}{of}",
    )
