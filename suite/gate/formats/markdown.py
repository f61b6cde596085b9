"""A verdict as GitHub's Markdown: a comment on a pull request, or a job's summary.

Source: GitHub Flavored Markdown, sections 4.10 (a pipe ends a cell even in code, unless escaped) and 6.3 (code spans).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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

LONGEST = 60_000
"""Characters. A comment may have 65,536; the rest is for the text that a workflow adds."""
LONGEST_TEXT = 200
"""Characters of one name or reason, so that the text outside the tables stays far below `LONGEST`."""
LISTED = BLAMED
"""Failed cases and reasons that are listed; a line counts the others."""
ROOM_FOR_COUNTS = 400
"""Characters for the two lines that count omitted rows."""
HEAD = ("case", "metric", "baseline", "candidate", "change", "95 % interval", "verdict")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
MENTION = {"@": "@\N{ZERO WIDTH SPACE}"}
"""Keeps GitHub from notifying users whose names occur in a reason."""
ESCAPES = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|~#"} | ENTITIES | MENTION)


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
    return "\n\n".join([*parts, *([bullets(blamed, "culprits")] if blamed else [])])


def bottom(verdict: GateVerdict) -> str:
    """Cases without a verdict, and the conditions in one line."""
    failed = [f"failed: {code(case.name)}: {text(case.reason)}" for case in failures(verdict)]
    left = [
        f"not compared: {names([code(name) for name in some])}: {text(reason)}"
        for reason, some in by_reason(not_compared(verdict)).items()
    ]
    measured = "; ".join(f"**{label}** {text(condition)}" for label, condition in conditions(verdict))
    lists = [bullets(failed, "failed cases"), bullets(left, "reasons for which cases were not compared")]
    return "\n\n".join([*filter(None, lists), f"<sub>{measured}</sub>"])


def bullets(lines: list[str], plural: str) -> str:
    """A list of at most `LISTED` lines, and a line that counts the others."""
    rest = len(lines) - LISTED
    return "\n".join(f"- {line}" for line in [*lines[:LISTED], *([f"{rest:,} more {plural}"] if rest > 0 else [])])


def table(rows: list[str], room: int) -> str:
    """A table of the rows that fit into `room`, and a line that counts the others."""
    if not rows:
        return ""
    head = [line(HEAD), "| --- | --- | ---: | ---: | ---: | ---: | --- |"]
    shown = fitting(rows, room - sum(len(text) + 1 for text in head))
    rest = len(rows) - len(shown)
    left = f"\n\n{rest:,} more rows are left out here to keep the comment short." if rest else ""
    return "\n".join([*head, *shown]) + left if shown else left.strip()


def folded(rows: list[str], room: int) -> str:
    """The unchanged cases in a folded section; no text if there are none."""
    if not rows:
        return ""
    summary = f"<details><summary>no change: {len(rows):,} {'row' if len(rows) == 1 else 'rows'}</summary>"
    return f"{summary}\n\n{table(rows, room - len(summary) - 20)}\n\n</details>"


def fitting(rows: Iterable[str], room: int) -> list[str]:
    """The first rows that fit `room` characters."""
    shown = []
    for text in rows:
        room -= len(text) + 1
        if room < 0:
            break
        shown.append(text)
    return shown


def row(label: str, judged: GateChange) -> str:
    """A row of a table: one case or level by one metric."""
    figures = change_text.figures(judged)
    return line((code(label).replace("|", "\\|"), text(judged.metric), *figures, text(finding(judged))))


def line(cells: Iterable[str]) -> str:
    """A row of Markdown from its cells."""
    return f"| {' | '.join(cells)} |"


def text(raw: str, longest: int = LONGEST_TEXT) -> str:
    """A text of at most `longest` characters, with Markdown and HTML escaped."""
    return clipped(raw, longest).translate(ESCAPES)


def code(name: str) -> str:
    """A name as a code span, in more backticks than it has in a row."""
    name = clipped(name, LONGEST_TEXT)
    fence = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    gap = " " if "`" in name else ""
    return f"{fence}{gap}{name}{gap}{fence}" if name else ""


def clipped(raw: str, longest: int) -> str:
    """A text of at most `longest` characters; an ellipsis marks that it is cut."""
    return raw if len(raw) <= longest else f"{raw[: longest - 1]}…"
