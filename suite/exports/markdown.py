"""A run as GitHub's Markdown: a comment on a pull request, or a job's summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suite import units
from suite.analysis.case_figures import CaseFigures, figures_of
from suite.analysis.estimates import CONFIDENCE
from suite.analysis.validity import label
from suite.markup.github_markdown import LONGEST, LONGEST_TEXT, bullets, code, code_cell, folded, row, table, text
from suite.records import Run, RunRecord

if TYPE_CHECKING:
    from suite.overview import Overview

LISTED = 10
"""Findings, and reasons of failed or skipped cases, that are listed; a line counts the others."""
NAMED = 2
"""Cases that a line names for one reason; it counts the others."""
ROOM_FOR_COUNTS = 400
"""Characters for the lines that count omitted rows and name omitted sections."""
HEAD = ("rank", "case", "step time", f"{100 * CONFIDENCE:.0f} % interval", "throughput", "peak memory", "validity")
IS_NUMBER = (True, False, True, True, True, True, False)
"""Columns aligned to the right."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the comment.

    Attributes:
        importance: the section with the largest number is left out first.
        make: its text within that many characters; a longer one is left out.
    """

    name: str
    importance: int
    make: Callable[[int], str]


def render(run: Run) -> str:
    """The first answers, the best cases, failures, findings and all cases.

    Sections are left out in the order of their importance where the text would be longer than GitHub takes.
    """
    from suite.overview import overview  # not at the top: effects need numpy

    figures = figures_of(run.cases)
    found = overview(run, figures)
    ranked = sorted(
        (one for one in figures.values() if one.is_measured), key=lambda one: (one.step_time.median, one.case.id)
    )
    ranks = {one.case.id: rank for rank, one in enumerate(ranked, 1)}
    sections = (
        Section("head", 0, lambda _: head(run, found)),
        Section("best cases", 1, lambda room: best(found, ranks, room)),
        Section("failed cases", 2, lambda _: outcomes_of(run, "failed", "Failed cases")),
        Section("findings", 4, lambda _: findings(found)),
        Section("all cases", 5, lambda room: everything(ranked, ranks, room)),
        Section("skipped cases", 6, lambda _: outcomes_of(run, "skipped", "Skipped cases")),
        Section("machine", 3, lambda _: machine(run)),
    )
    return fitted(sections, LONGEST - ROOM_FOR_COUNTS) + "\n"


def fitted(sections: Iterable[Section], room: int) -> str:
    """The sections that fit, the most important first; a line names the others."""
    sections = list(sections)
    made: dict[str, str] = {}
    for section in sorted(sections, key=lambda one: one.importance):
        content = section.make(room)
        if len(content) <= room:
            made[section.name] = content
            room -= len(content) + 2
    omitted = [section.name for section in sections if section.name not in made]
    last = f"Left out here to keep the comment short: {', '.join(omitted)}." if omitted else ""
    return "\n\n".join(filter(None, [*(made.get(section.name, "") for section in sections), last]))


def head(run: Run, found: Overview) -> str:
    """The run's name, the three sentences, and warnings about the record."""
    notes = [f"> **Note:** {text(one, 3 * LONGEST_TEXT)}" for one in run.warnings[:LISTED]]
    return "\n\n".join(
        [f"## Stepmark: {text(run.header.run_id)}", *(text(one, 3 * LONGEST_TEXT) for one in found.sentences), *notes]
    )


def best(found: Overview, ranks: dict[str, int], room: int) -> str:
    """The fastest case of each structure."""
    rows = [row_of(one, ranks) for one in found.best]
    return f"### Fastest case of each structure\n\n{table(HEAD, IS_NUMBER, rows, room)}" if rows else ""


def everything(ranked: list[CaseFigures], ranks: dict[str, int], room: int) -> str:
    """As many measured cases as fit, folded."""
    summary = f"all {len(ranked):,} measured cases, the fastest first"
    around = len(folded(summary, " ")) + ROOM_FOR_COUNTS
    rows = [row_of(one, ranks) for one in ranked]
    return folded(summary, table(HEAD, IS_NUMBER, rows, room - around)) if rows and room > around else ""


def row_of(figures: CaseFigures, ranks: dict[str, int]) -> str:
    """A row of a table: one measured case."""
    found = figures.step_time
    rate = "images/s" if figures.case.task == "classify" else "examples/s"
    return row(
        (
            f"{ranks[figures.case.id]:,}",
            code_cell(figures.case.id),
            units.text(found.median, "s"),
            units.interval(found.low, found.high, "s"),
            units.text(figures.throughput, rate),
            units.text(figures.peak_memory_bytes, "B"),
            text(label(figures.issues)),
        )
    )


def findings(found: Overview) -> str:
    """The largest effects in words."""
    lines = [text(one.text, 2 * LONGEST_TEXT) for one in found.findings]
    return f"### Findings\n\n{bullets(lines, LISTED, 'findings')}" if lines else ""


def outcomes_of(run: Run, outcome: str, title: str) -> str:
    """Cases of an outcome by reason."""
    by_reason: dict[str, list[RunRecord]] = {}
    for record in run.cases:
        if record.outcome == outcome:
            by_reason.setdefault(record.reason, []).append(record)
    lines = [f"{named(records)}: {text(reason)}" for reason, records in by_reason.items()]
    return f"### {title}\n\n{bullets(lines, LISTED, 'reasons')}" if lines else ""


def named(records: list[RunRecord]) -> str:
    """The first cases, and the number of the others."""
    rest = len(records) - NAMED
    names = ", ".join(code(record.case.id) for record in records[:NAMED])
    return names + (f" and {rest:,} more" if rest > 0 else "")


def machine(run: Run) -> str:
    """Processor, software and commit in one line."""
    facts = run.header.environment
    host, software, commit = (group(facts, name) for name in ("machine", "software", "commit"))
    revision = str(commit.get("revision") or "")
    dirty = ", with changes that are not committed" if revision and commit.get("dirty") else ""
    known = (
        ("processor", host.get("processor")),
        ("usable cores", host.get("cores_usable")),
        ("Python", software.get("python")),
        ("torch", software.get("torch")),
        ("Stepmark", software.get("stepmark")),
        ("commit", f"{revision}{dirty}"),
        ("started", run.header.started_at),
    )
    words = [f"**{name}** {text(str(value))}" for name, value in known if value not in (None, "")]
    return f"<sub>{'; '.join(words)}</sub>" if words else ""


def group(facts: dict[str, Any], name: str) -> dict[str, Any]:
    """A group of the environment; empty if the record has none."""
    found = facts.get(name)
    return found if isinstance(found, dict) else {}
