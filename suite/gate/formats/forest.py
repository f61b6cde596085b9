"""The changes of a verdict as rows of a forest plot."""

from __future__ import annotations

from suite import units
from suite.analysis import change_text
from suite.analysis.change_text import is_time
from suite.gate.formats.sentences import case_label, finding, level_label
from suite.gate.verdict import GateChange, GateVerdict
from suite.theme import forest as plot
from suite.theme.forest import Forest, Interval


def forest(verdict: GateVerdict) -> Forest | None:
    """The changes of step time, cases above levels; None without step times."""
    cases = [interval(case_label(case), case) for case in verdict.cases if is_time(case)]
    levels = [interval(level_label(level), level) for level in verdict.levels if is_time(level)]
    if not cases and not levels:
        return None
    limits = ((share, units.percent(share)) for share in (verdict.limits.tolerance, verdict.limits.margin))
    return plot.forest([cases, levels], *limits)


def interval(label: str, judged: GateChange) -> Interval:
    """The row of a case or level."""
    return Interval(
        label=label,
        verdict=judged.verdict,
        low=judged.low,
        change=judged.change,
        high=judged.high,
        figures=change_text.with_interval(judged),
        finding=finding(judged),
    )
