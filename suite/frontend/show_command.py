"""The results of a record, as they ended the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from suite.frontend.result_table import outcome_lines, result_lines, width_here
from suite.records import Run


def lines_of(run: Run, record: Path, *, has_colours: bool, shows_all: bool) -> Iterator[str]:
    """The lines that ended the run, reasons of skipped and failed cases, and paths.

    Args:
        run: all of a run, or some of it.
        record: its folder, or its record.jsonl.
        has_colours: whether lines may have escape sequences.
        shows_all: whether the table has every case.
    """
    yield from result_lines(run, width=width_here(), has_colours=has_colours, shows_all=shows_all)
    yield ""
    yield from outcome_lines(run)
    file = record / "record.jsonl" if record.is_dir() else record
    yield f"record  {file}"
    page = file.with_name("report.html")
    if page.is_file():
        yield f"report  {page}"
