"""A verdict as plain text, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis import change_text
from suite.analysis.change_text import aligned, bound, is_bounded, is_time
from suite.gate.formats.conditions import conditions
from suite.gate.formats.sentences import (
    BLAMED,
    by_reason,
    case_label,
    changed_levels,
    culprit_line,
    culprits,
    failures,
    finding,
    level_label,
    names,
    not_compared,
    remarks,
    sentence,
    widest,
)
from suite.gate.verdict import GateChange, GateVerdict

FEW = 3
"""Most unchanged cases of a memory metric that have a row each; more share one line."""
HEAD = ("case", "metric", "baseline", "candidate", "change", "95 % interval", "verdict")
LEFT = {0, 1, 6}
"""Columns aligned to the left, because they contain words."""


def render(verdict: GateVerdict) -> str:
    """The sentence, the culprits, a row for each case and metric, and the conditions."""
    unchanged = unchanged_memory(verdict.cases)
    shown = [case for case in verdict.cases if case.metric not in unchanged or not is_unchanged(case)]
    rows = [cells(case_label(case), case) for case in shown]
    levels = [cells(level_label(level), level) for level in changed_levels(verdict)]
    paragraphs = [
        [f"baseline {verdict.baseline}, candidate {verdict.candidate}: {sentence(verdict)}", *remarks(verdict)],
        culprit_lines(verdict),
        [*(aligned([HEAD, *rows, *levels], LEFT) if rows or levels else []), *unchanged.values()],
        unjudged(verdict),
        [f"{label}: {text}" for label, text in conditions(verdict) if label not in ("baseline", "candidate")],
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def culprit_lines(verdict: GateVerdict) -> list[str]:
    """The largest culprits, and the number of the others."""
    lines = [culprit_line(label, judged) for label, judged in culprits(verdict)]
    rest = len(lines) - BLAMED
    return [*lines[:BLAMED], *([f"and {rest:,} more"] if rest > 0 else [])]


def is_unchanged(judged: GateChange) -> bool:
    """Whether the verdict is "no change"."""
    return judged.verdict == "no change"


def unchanged_memory(cases: Sequence[GateChange]) -> dict[str, str]:
    """One line for each memory metric with more than `FEW` unchanged cases, by metric."""
    lines = {}
    for metric in dict.fromkeys(case.metric for case in cases if not is_time(case)):
        unchanged = [case for case in cases if case.metric == metric and is_unchanged(case)]
        if len(unchanged) > FEW:
            ruled_out = f"; {bound(widest(unchanged))} in all" if is_bounded(widest(unchanged)) else ""
            lines[metric] = f"{metric}: no change in {len(unchanged):,} cases{ruled_out}"
    return lines


def cells(label: str, judged: GateChange) -> tuple[str, ...]:
    """One case or level by one metric."""
    return (label, judged.metric, *change_text.figures(judged), finding(judged))


def unjudged(verdict: GateVerdict) -> list[str]:
    """Each case that fails in the candidate, and the cases not compared, by reason."""
    return [
        *(f"failed: {case.name}: {case.reason}" for case in failures(verdict)),
        *(f"not compared: {names(some)}: {reason}" for reason, some in by_reason(not_compared(verdict)).items()),
    ]
