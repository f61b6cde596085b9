"""GitHub's Markdown from texts of outside: escaped, and within GitHub's limits.

Source: GitHub Flavored Markdown, sections 4.10 (a pipe ends a cell even in code, unless escaped) and 6.3 (code spans).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from suite.markup.printable import printable

LONGEST = 60_000
"""Characters. A comment may have 65,536; the rest is for the text that a workflow adds.

A job's summary may have 1 MiB, which is more, since a character takes at most four bytes.
"""
LONGEST_TEXT = 200
"""Characters of one name or reason, so that the text outside the tables stays far below `LONGEST`."""
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
MENTION = {"@": "@\N{ZERO WIDTH SPACE}"}
"""Keeps GitHub from notifying users whose names occur in a reason."""
ESCAPES = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|~#"} | ENTITIES | MENTION)


def text(raw: str, longest: int = LONGEST_TEXT) -> str:
    """A text of at most `longest` characters on one line, escaped."""
    return clipped(printable(raw), longest).translate(ESCAPES)


def code(name: str) -> str:
    """A name as a code span, in more backticks than it has in a row."""
    name = clipped(printable(name), LONGEST_TEXT)
    fence = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    gap = " " if "`" in name else ""
    return f"{fence}{gap}{name}{gap}{fence}" if name else ""


def code_cell(name: str) -> str:
    """A name as a code span in a table."""
    return code(name).replace("|", "\\|")


def clipped(raw: str, longest: int) -> str:
    """A text of at most `longest` characters; an ellipsis marks that it is cut."""
    return raw if len(raw) <= longest else f"{raw[: longest - 1]}…"


def row(cells: Iterable[str]) -> str:
    """A row of a table from its cells."""
    return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], is_number: Sequence[bool], rows: Sequence[str], room: int) -> str:
    """A table of the rows that fit into `room` characters, and a count of the others.

    Args:
        head: titles of the columns.
        is_number: whether a column is aligned to the right.
        rows: as `row` makes them; without any there is no table.
        room: characters, not counting the line that counts the others.
    """
    if not rows:
        return ""
    first = [row(head), row("---:" if right else "---" for right in is_number)]
    shown = fitting(rows, room - sum(len(one) + 1 for one in first))
    rest = len(rows) - len(shown)
    left = f"\n\n{rest:,} more rows are left out here to keep the comment short." if rest else ""
    return "\n".join([*first, *shown]) + left if shown else left.strip()


def fitting(rows: Iterable[str], room: int) -> list[str]:
    """The first rows that fit `room` characters."""
    shown = []
    for one in rows:
        room -= len(one) + 1
        if room < 0:
            break
        shown.append(one)
    return shown


def folded(summary: str, content: str) -> str:
    """A section that is closed at first; no text without content."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>" if content else ""


def bullets(lines: Sequence[str], most: int, plural: str) -> str:
    """A list of at most `most` lines, and a line that counts the others."""
    rest = len(lines) - most
    return "\n".join(f"- {one}" for one in [*lines[:most], *([f"{rest:,} more {plural}"] if rest > 0 else [])])
