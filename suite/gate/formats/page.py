"""A verdict as one HTML file without scripts or other files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suite import theme
from suite.analysis import change_text
from suite.analysis.change_text import is_time, with_interval
from suite.gate.formats.conditions import conditions
from suite.gate.formats.forest import MARK_PX, SHAPES, TOP_PX, forest
from suite.gate.formats.sentences import (
    BLAMED,
    by_reason,
    case_label,
    culprits,
    details,
    failures,
    finding,
    level_label,
    metric_prefix,
    not_compared,
    outcome,
    remarks,
)
from suite.gate.formats.table import is_unchanged, unchanged_memory
from suite.gate.verdict import GateChange, GateVerdict

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: one case or level by one metric."""

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
    """The page of a verdict."""
    blamed = culprits(verdict)
    memory = [case for case in verdict.cases if not is_time(case)]
    unchanged = unchanged_memory(memory)
    folded = [case for case in memory if case.metric in unchanged and is_unchanged(case)]
    shown = [case for case in memory if case.metric not in unchanged or not is_unchanged(case)]
    return (
        theme.environment(FOLDER)
        .get_template("gate.html.j2")
        .render(
            style=theme.style(FOLDER / "gate.css"),
            verdict=verdict,
            outcome=outcome(verdict),
            details=details(verdict),
            remarks=remarks(verdict),
            culprits=[(label, f"{metric_prefix(judged)}{with_interval(judged)}") for label, judged in blamed[:BLAMED]],
            more_culprits=len(blamed[BLAMED:]),
            failures=failures(verdict),
            forest=forest(verdict),
            shapes=SHAPES,
            top=TOP_PX,
            middle=MARK_PX,
            cases=[line(case_label(case), case) for case in verdict.cases if is_time(case)],
            levels=[line(level_label(level), level) for level in verdict.levels],
            memory=[line(case_label(case), case) for case in shown],
            memory_unchanged=[line(case_label(case), case) for case in folded],
            unchanged=list(unchanged.values()),
            left_out=by_reason(not_compared(verdict)),
            conditions=conditions(verdict),
        )
    )


def line(label: str, judged: GateChange) -> Line:
    """The texts of one row."""
    of = f" of {judged.blocks + judged.discarded:,}" if judged.discarded else ""
    baseline, candidate, change, interval = change_text.figures(judged)
    return Line(
        label=label,
        metric=judged.metric,
        verdict=judged.verdict,
        baseline=baseline,
        candidate=candidate,
        change=change,
        interval=interval,
        finding=finding(judged),
        blocks=f"{judged.blocks:,}{of}",
    )
