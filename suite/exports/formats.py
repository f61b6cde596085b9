"""Export formats by name: a run in, text out."""

from __future__ import annotations

from collections.abc import Callable

from suite.exports import csv_table, pytest_benchmark
from suite.records import Run, StepmarkError

FORMATS: dict[str, Callable[[Run], str]] = {"csv": csv_table.render, "pytest-benchmark": pytest_benchmark.render}
"""Name of the format -> function that renders a run in it."""


def export(run: Run, fmt: str) -> str:
    """The run in the format `fmt`, a name in `FORMATS`.

    Raises:
        StepmarkError: `export format 'xml' is not known; allowed: csv, pytest-benchmark.`
    """
    if fmt not in FORMATS:
        raise StepmarkError(f"export format {fmt!r} is not known; allowed: {', '.join(FORMATS)}.")
    return FORMATS[fmt](run)
