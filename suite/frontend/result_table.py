"""The results of a run as lines: the end of a run, and `stepmark show`."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite import units
from suite.analysis.case_figures import CaseFigures, figures_of
from suite.analysis.validity import label
from suite.markup.printable import printable
from suite.overview import overview
from suite.overview.best import ranked_of
from suite.records import Run
from suite.records.selected import whole_of

WIDEST, NARROWEST = 100, 80
"""Columns of the lines: a mail, a log and half a screen hold 100; in less than 80 an id has no room."""
GAP = 2
VERDICT_LEAST = 14
"""Columns between two others, and those of the verdict where ids are long: its longest word has 13."""
SHOWN = 40
"""Rows of the table where not all are asked for."""
SHOWN_REASONS = 10
"""Reasons of skipped and failed cases, the most frequent first."""


def width_here() -> int:
    """Columns of the table here; in a pipe the most that it may have."""
    return max(NARROWEST, min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST))


def result_lines(run: Run, *, width: int, has_colours: bool = False, shows_all: bool = False) -> Iterator[str]:
    """The table of the measured cases, then the three sentences.

    Args:
        run: all of a run, or some of it (`suite.records.selected`): ranks are those among all.
        width: columns, at least `NARROWEST`.
        has_colours: whether lines may have escape sequences.
        shows_all: whether the table has every case, not the fastest `SHOWN`.
    """
    figures = figures_of(run.cases)
    everywhere = figures_of(whole_of(run.cases)) if whole_of(run.cases) is not run.cases else figures
    ranks = {one.case.id: rank for rank, one in enumerate(ranked_of(everywhere), 1)}
    ranked = ranked_of(figures)
    shown = ranked if shows_all else ranked[:SHOWN]
    if shown:
        yield from table_lines([(ranks[one.case.id], one) for one in shown], width, has_colours=has_colours)
    if len(shown) < len(ranked):
        yield f"{len(ranked) - len(shown):,} slower cases are not shown; `stepmark show RECORD --all` shows them"
    if shown:
        yield ""
    for text in overview(run, figures).sentences:
        yield from wrap(printable(text), width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")


def table_lines(rows: Sequence[tuple[int, CaseFigures]], width: int, *, has_colours: bool) -> list[str]:
    """One line for each case, or more where a text is longer than its column.

    The verdict gives way first: it is long where there is much to doubt.
    """
    has_memory = any(one.peak_memory_bytes is not None for _, one in rows)
    heads = ("#", "case", "step time", "95 % interval", *(["peak memory"] if has_memory else []), "verdict")
    cells = [cells_of(rank, one, has_memory=has_memory) for rank, one in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    rank, case, *numbers, verdict = widths
    room = width - rank - sum(numbers) - GAP * (len(heads) - 1) - min(verdict, VERDICT_LEAST)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for head in heads:
        if head == "case":
            table.add_column(head, overflow="fold", width=min(case, room))
        else:
            table.add_column(head, justify="left" if head == "verdict" else "right", no_wrap=head != "verdict")
    for row, (_, one) in zip(cells, rows, strict=True):
        table.add_row(*map(Text, row[:-1]), Text(row[-1], style="yellow" if one.issues else ""))
    return lines_of(table, width, has_colours=has_colours)


def cells_of(rank: int, one: CaseFigures, *, has_memory: bool) -> list[str]:
    """The texts of one row."""
    time = one.step_time
    memory = [units.text(one.peak_memory_bytes, "B")] if has_memory else []
    interval = units.interval(time.low, time.high, "s")
    return [str(rank), printable(one.case.id), units.text(time.median, "s"), interval, *memory, label(one.issues)]


def lines_of(table: Table, width: int, *, has_colours: bool) -> list[str]:
    """A table of rich as lines without blanks at their ends."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=has_colours,
        color_system="standard" if has_colours else None,
        legacy_windows=False,
        _environ={},  # width and colours are the caller's to choose
    )
    console.print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def outcome_lines(run: Run) -> Iterator[str]:
    """Numbers of skipped and failed cases by reason, the most frequent first."""
    counts = Counter((record.outcome, record.reason) for record in run.cases if record.outcome != "measured")
    for (outcome, reason), count in counts.most_common(SHOWN_REASONS):
        yield f"{outcome} {count:,}: {printable(reason)}"
    if len(counts) > SHOWN_REASONS:
        yield f"and {len(counts) - SHOWN_REASONS} more reasons; `stepmark export RECORD --format csv` has all"
