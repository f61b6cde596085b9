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
    """One line for each case, or more where a text is longer than its column."""
    has_memory = any(one.peak_memory_bytes is not None for _, one in rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("case", overflow="fold", min_width=12)
    table.add_column("step time", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    if has_memory:
        table.add_column("peak memory", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=8)
    for rank, one in rows:
        memory = [Text(units.text(one.peak_memory_bytes, "B"))] if has_memory else []
        time = one.step_time
        table.add_row(
            Text(str(rank)),
            Text(printable(one.case.id)),
            Text(units.text(time.median, "s")),
            Text(units.interval(time.low, time.high, "s")),
            *memory,
            Text(label(one.issues), style="yellow" if one.issues else ""),
        )
    return lines_of(table, width, has_colours=has_colours)


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
