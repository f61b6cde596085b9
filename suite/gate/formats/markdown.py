"""A verdict as a comment on a pull request, or as a job's summary, in GitHub's Markdown.

Source: GitHub Flavored Markdown, sections 4.10 (a pipe ends a cell even in code, unless escaped) and 6.3 (code spans).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from suite import units
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
    level_label,
    metric_first,
    names,
    not_compared,
    outcome,
    particulars,
    remarks,
    telling_levels,
)
from suite.gate.verdict import GateVerdict, Judged

LONGEST = 60_000
"""Characters. A comment may have 65,536; the rest is for what a workflow puts around it."""
LONGEST_TEXT = 200
"""Characters of one name or reason: all that stands outside the tables, which is limited, stays far below `LONGEST`."""
LISTED = BLAMED
"""Failed cases and reasons that are listed, as many as culprits; more are counted."""
ROOM_FOR_COUNTS = 400
"""Characters for the two lines that count the rows that were left out."""
HEAD = ("case", "metric", "baseline", "candidate", "change", "95 % interval", "verdict")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
MENTION = {"@": "@\N{ZERO WIDTH SPACE}"}
"""So that nobody whose name stands in a reason is called to the thread."""
ESCAPES = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|~#"} | ENTITIES | MENTION)


def render(verdict: GateVerdict) -> str:
    """A heading, the culprits, what changed, the rest folded away, and how it was measured, within `LONGEST`."""
    verdict = printable(verdict)
    levels = [row(level_label(one), one) for one in telling_levels(verdict)]
    changed = [row(case_label(one), one) for one in verdict.cases if one.verdict != "no change"]
    same = [row(case_label(one), one) for one in verdict.cases if one.verdict == "no change"]
    head, foot = top(verdict), bottom(verdict)
    room = LONGEST - len(head) - len(foot) - ROOM_FOR_COUNTS
    first = tabled([*changed, *levels], room)
    second = folded(same, room - len(first))
    return "\n\n".join(part for part in (head, first, second, foot) if part)


def top(verdict: GateVerdict) -> str:
    """The verdict, what to know before trusting it, and the culprits."""
    blamed = [f"**{text(label)}**: {text(metric_first(one))}{change(one)}" for label, one in culprits(verdict)]
    parts = [f"## Stepmark gate: {outcome(verdict)}", text(particulars(verdict), 3 * LONGEST_TEXT)]
    parts += [f"> **Note:** {text(one)}" for one in remarks(verdict)]
    return "\n\n".join([*parts, *([bullets(blamed, "culprits")] if blamed else [])])


def bottom(verdict: GateVerdict) -> str:
    """Cases without a verdict, and how it was measured in one line."""
    failed = [f"failed: {code(one.name)}: {text(one.reason)}" for one in failures(verdict)]
    left = [
        f"not compared: {names([code(name) for name in some])}: {text(reason)}"
        for reason, some in by_reason(not_compared(verdict)).items()
    ]
    measured = "; ".join(f"**{label}** {text(said)}" for label, said in conditions(verdict))
    lists = [bullets(failed, "failed cases"), bullets(left, "reasons for which cases were not compared")]
    return "\n\n".join([*(one for one in lists if one), f"<sub>{measured}</sub>"])


def bullets(lines: list[str], what: str) -> str:
    """A list with as many lines as are listed, and a line that counts the rest."""
    rest = len(lines) - LISTED
    return "\n".join(f"- {line}" for line in [*lines[:LISTED], *([f"{rest:,} more {what}"] if rest > 0 else [])])


def tabled(rows: list[str], room: int) -> str:
    """A table of as many rows as there is room for, and a line that counts the rest; nothing without rows."""
    if not rows:
        return ""
    head = [line(HEAD), "| --- | --- | ---: | ---: | ---: | ---: | --- |"]
    shown = fitting(rows, room - sum(len(one) + 1 for one in head))
    rest = len(rows) - len(shown)
    left = f"\n\n{rest:,} more rows are left out here to keep the comment short." if rest else ""
    return "\n".join([*head, *shown]) + left if shown else left.strip()


def folded(rows: list[str], room: int) -> str:
    """The cases without a change, folded away; nothing where there are none."""
    if not rows:
        return ""
    summary = f"<details><summary>no change: {len(rows):,} {'row' if len(rows) == 1 else 'rows'}</summary>"
    return f"{summary}\n\n{tabled(rows, room - len(summary) - 20)}\n\n</details>"


def fitting(rows: Iterable[str], room: int) -> list[str]:
    """The first rows that fit into so many characters."""
    shown = []
    for one in rows:
        room -= len(one) + 1
        if room < 0:
            break
        shown.append(one)
    return shown


def row(label: str, one: Judged) -> str:
    """One case, or one level, by one metric."""
    medians = (units.whole(value, one.unit) for value in (one.baseline_median, one.candidate_median))
    figures = (percent(one.change, sign=True), between(one))
    return line((code(label).replace("|", "\\|"), text(one.metric), *medians, *figures, text(finding(one))))


def line(cells: Iterable[str]) -> str:
    """Cells of one row."""
    return f"| {' | '.join(cells)} |"


def text(words: str, longest: int = LONGEST_TEXT) -> str:
    """Words that stay words: neither Markdown nor HTML, and not too long."""
    return clipped(words, longest).translate(ESCAPES)


def code(name: str) -> str:
    """A name as a code span, fenced by more backticks than it has in a row."""
    name = clipped(name, LONGEST_TEXT)
    fence = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    gap = " " if "`" in name else ""
    return f"{fence}{gap}{name}{gap}{fence}" if name else ""


def clipped(words: str, longest: int) -> str:
    """Words up to a length, with an ellipsis where that is not all."""
    return words if len(words) <= longest else f"{words[: longest - 1]}…"
