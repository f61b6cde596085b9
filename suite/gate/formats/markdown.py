"""A verdict as GitHub's Markdown: a comment on a pull request, or a job's summary."""

from __future__ import annotations

from suite.analysis import change_text
from suite.analysis.change_text import with_interval
from suite.gate.formats.conditions import conditions
from suite.gate.formats.sentences import (
    BLAMED,
    by_reason,
    case_label,
    changed_levels,
    culprits,
    details,
    failures,
    finding,
    level_label,
    metric_prefix,
    names,
    not_compared,
    outcome,
    remarks,
)
from suite.gate.verdict import GateChange, GateVerdict
from suite.markup import github_markdown
from suite.markup.github_markdown import LONGEST, LONGEST_TEXT, bullets, code, code_cell, text

LISTED = BLAMED
"""Failed cases and reasons that are listed; a line counts the others."""
ROOM_FOR_COUNTS = 400
"""Characters for the two lines that count omitted rows."""
HEAD = ("case", "metric", "baseline", "candidate", "change", "95 % interval", "verdict")
IS_NUMBER = (False, False, True, True, True, True, False)
"""Columns aligned to the right."""


def render(verdict: GateVerdict) -> str:
    """The verdict, culprits, changed cases, folded unchanged cases and conditions."""
    levels = [row(level_label(level), level) for level in changed_levels(verdict)]
    changed = [row(case_label(case), case) for case in verdict.cases if case.verdict != "no change"]
    unchanged = [row(case_label(case), case) for case in verdict.cases if case.verdict == "no change"]
    head, foot = top(verdict), bottom(verdict)
    room = LONGEST - len(head) - len(foot) - ROOM_FOR_COUNTS
    first = table([*changed, *levels], room)
    second = folded(unchanged, room - len(first))
    return "\n\n".join(part for part in (head, first, second, foot) if part)


def top(verdict: GateVerdict) -> str:
    """The verdict, remarks and culprits."""
    blamed = [
        f"**{text(label)}**: {text(metric_prefix(judged))}{with_interval(judged)}"
        for label, judged in culprits(verdict)
    ]
    parts = [f"## Stepmark gate: {outcome(verdict)}", text(details(verdict), 3 * LONGEST_TEXT)]
    parts += [f"> **Note:** {text(remark, 3 * LONGEST_TEXT)}" for remark in remarks(verdict)]
    return "\n\n".join([*parts, *([bullets(blamed, LISTED, "culprits")] if blamed else [])])


def bottom(verdict: GateVerdict) -> str:
    """Cases without a verdict, and the conditions in one line."""
    failed = [f"failed: {code(case.name)}: {text(case.reason)}" for case in failures(verdict)]
    left = [
        f"not compared: {names([code(name) for name in some])}: {text(reason)}"
        for reason, some in by_reason(not_compared(verdict)).items()
    ]
    measured = "; ".join(f"**{label}** {text(condition)}" for label, condition in conditions(verdict))
    lists = [
        bullets(failed, LISTED, "failed cases"),
        bullets(left, LISTED, "reasons for which cases were not compared"),
    ]
    return "\n\n".join([*filter(None, lists), f"<sub>{measured}</sub>"])


def table(rows: list[str], room: int) -> str:
    """A table of the rows that fit into `room`, and a line that counts the others."""
    return github_markdown.table(HEAD, IS_NUMBER, rows, room)


def folded(rows: list[str], room: int) -> str:
    """The unchanged cases in a folded section; no text if there are none."""
    summary = f"no change: {len(rows):,} {'row' if len(rows) == 1 else 'rows'}"
    return github_markdown.folded(summary, table(rows, room - len(github_markdown.folded(summary, " "))))


def row(label: str, judged: GateChange) -> str:
    """A row of a table: one case or level by one metric."""
    figures = change_text.figures(judged)
    return github_markdown.row((code_cell(label), text(judged.metric), *figures, text(finding(judged))))
