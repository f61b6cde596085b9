"""The page that people publish: one run as one self-contained HTML file.

facts.py       run -> what all views are made from, computed once
view.py        `View`, a section, and `Chart`
views/         a module, a template, and where needed a style sheet and a script for each section
page.py        the sections in their order -> HTML, through page.html.j2 and `suite/theme/macros.html.j2`
data.py        figures of cases -> columns and sketches for the scripts
files.py       style sheets and scripts -> one of each
table.py, svg.py, charts.py, grouping.py, instruments.py     pieces of sections
provenance.py  environment, plan and selection -> nested entries, and the command that measures a case again
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.records import Run, redaction
from suite.records.atomic_files import write_whole
from suite.records.store import read_run


def render(run: Run, *, record_path: str = "") -> str:
    """The page of a run: HTML that opens from disk, without network or scripts.

    Args:
        run: a record as read, complete or interrupted.
        record_path: where the record is, as the page names it; empty where it is not to be named.
    """
    from suite.report.page import page  # jinja2 and altair load only where a page is made

    with collector_paused():
        return page(run, record_path)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector of cycles.

    The figures of 10,000 cases are millions of values in hardly any cycle. A collector that walks through all of them
    whenever their number grows by a quarter takes a third of a page's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def write(run: Run, path: Path, *, record_path: str = "") -> Path:
    """Write the page of a run to `path`, whole or not at all.

    Raises:
        StepmarkError: `path` cannot be written.
    """
    write_whole(path, render(run, record_path=record_path))
    return path


def write_beside(record: Path) -> Path:
    """Write the page of a record into its folder.

    Without names of user and host if `STEPMARK_PRIVATE` is set.

    Raises:
        StepmarkError: the record cannot be read, or the page not be written.
    """
    run, page, is_private = read_run(record), record.with_name("report.html"), redaction.wants_redaction(option=False)
    if is_private:
        run = redaction.without_names(run, redaction.names_of(run.header.environment))
    return write(run, page, record_path="" if is_private else str(record))
