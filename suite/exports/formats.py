"""Export formats by name: a run in, a file's content out."""

from __future__ import annotations

from collections.abc import Callable

from suite.exports import benchmark_action, csv_table, junit, markdown, openmetrics, parquet, pytest_benchmark, record
from suite.records import Run, StepmarkError

FORMATS: dict[str, Callable[[Run], str | bytes]] = {
    "csv": csv_table.render,
    "parquet": parquet.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "pytest-benchmark": pytest_benchmark.render,
    "benchmark-action": benchmark_action.render,
    "openmetrics": openmetrics.render,
    "record": record.render,
}
"""Name of the format -> function that renders a run in it; Parquet alone is bytes."""
EXTRAS = {"parquet": "pyarrow", "openmetrics": "prometheus_client"}
"""Format, and the extra of its name -> the module that it needs."""


def export(run: Run, fmt: str) -> str | bytes:
    """The run in the format `fmt`, a name in `FORMATS`.

    Raises:
        StepmarkError: `export format 'xml' is not known; allowed: csv, parquet, ...`, or the package of an extra is not
            installed.
    """
    if fmt not in FORMATS:
        raise StepmarkError(f"export format {fmt!r} is not known; allowed: {', '.join(FORMATS)}.")
    try:
        return FORMATS[fmt](run)
    except ModuleNotFoundError as error:
        if fmt not in EXTRAS or error.name != EXTRAS[fmt]:
            raise
        raise StepmarkError(
            f"export format {fmt!r} needs {EXTRAS[fmt]}, which is not installed; pip install 'stepmark[{fmt}]'."
        ) from None
