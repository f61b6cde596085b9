"""A run in the text format of OpenMetrics, for Prometheus and its Pushgateway."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

from suite.exports.case_table import SUFFIXES, CaseTable, Column, table_of
from suite.markup.printable import printable
from suite.records import Outcome, Run

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

UNITS = {
    "s": "seconds",
    "B": "bytes",
    "B/s": "bytes_per_second",
    "FLOP": "flop",
    "FLOP/s": "flop_per_second",
    "W": "watts",
    "J": "joules",
    "images/s": "images_per_second",
    "examples/s": "examples_per_second",
    "Hz": "hertz",
    "degC": "celsius",
    "ratio": "ratio",
}
"""Base unit -> end of a family's name; counts have none."""
FINISHED = "stepmark_run_finished_timestamp_seconds"
OTHER_CHARACTERS = re.compile(r"[^a-z0-9_]+", re.ASCII | re.IGNORECASE)
RESERVED = (
    "stepmark_run",
    "stepmark_run_info",
    "stepmark_case",
    "stepmark_case_info",
    "stepmark_case_outcome",
    FINISHED,
)
"""Names that no metric of a plug-in can have."""
NO_LEVELS = ("id", "outcome", "reason")
"""Columns of words that are no labels of `stepmark_case_info`."""
LONGEST_HELP = 400
"""Characters of a description that stands in a record."""
RUN_LABELS = {
    "host": ("machine", "host"),
    "processor": ("machine", "processor"),
    "python": ("software", "python"),
    "torch": ("software", "torch"),
    "stepmark": ("software", "stepmark"),
    "revision": ("commit", "revision"),
    "branch": ("commit", "branch"),
}
"""Label of `stepmark_run_info` -> group and key of the environment."""


def render(run: Run) -> str:
    """A gauge for each figure, with the label `case`.

    Levels are labels of `stepmark_case_info`.

    Numbers are those of the CSV table. Samples have no timestamps, because a Pushgateway and a textfile collector
    refuse them; `stepmark_run_finished_timestamp_seconds` has the time.

    Source: OpenMetrics 1.0, as prometheus_client writes it.
    """
    from prometheus_client.openmetrics.exposition import generate_latest

    found = list(families(run, table_of(run)))
    registry = SimpleNamespace(collect=lambda: found)
    content: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # it has no annotations
    return content.decode()


def families(run: Run, table: CaseTable) -> Iterator[Family]:
    """The run, its cases, and one gauge for each figure."""
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, StateSetMetricFamily

    yield InfoMetricFamily("stepmark_run", "The run, its machine and its software.", value=printable(run_labels(run)))
    if moment := finished_s(run):
        yield GaugeMetricFamily(
            FINISHED, "End of the run, or its start if it has no end.", value=moment, unit="seconds"
        )
    levels = [column for column in table.columns if not column.is_figure and column.name not in NO_LEVELS]
    info = InfoMetricFamily("stepmark_case", "The levels of a case, and its validity.", labels=["case"])
    outcomes = StateSetMetricFamily("stepmark_case_outcome", "The outcome of a case.", labels=["case"])
    for row in table.rows:
        case = printable(row.record.case.id)
        info.add_metric([case], {column.name: printable(str(column.value(row))) for column in levels})
        outcomes.add_metric([case], {state: state == row.record.outcome for state in get_args(Outcome)})
    yield info
    yield outcomes
    figures = [column for column in table.columns if column.is_figure]
    for name, column in zip(names_of(figures), figures, strict=True):
        unit = UNITS.get(column.unit, "")
        gauge = GaugeMetricFamily(name, printable(column.description[:LONGEST_HELP]), labels=["case"], unit=unit)
        for row in table.rows:
            value = column.value(row)
            if value is not None:
                gauge.add_metric([printable(row.record.case.id)], float(value))
        yield gauge


def names_of(columns: Sequence[Column]) -> list[str]:
    """A family's name for each column; a number sets two of one name apart."""
    taken = {*RESERVED}
    names: list[str] = []
    for column in columns:
        unit = UNITS.get(column.unit, "")
        stem = OTHER_CHARACTERS.sub("_", column.name.removesuffix(SUFFIXES.get(column.unit, "")))
        stem = f"stepmark_{stem}".removesuffix(f"_{unit}") if unit else f"stepmark_{stem}"
        numbered = ("_".join(filter(None, (stem, number, unit))) for number in chain([""], map(str, count(2))))
        names.append(next(name for name in numbered if name not in taken))
        taken.add(names[-1])
    return names


def run_labels(run: Run) -> dict[str, str]:
    """Labels of the run: its id, its start, and facts of its environment."""
    facts: dict[str, Any] = run.header.environment
    found = {name: (facts.get(group) or {}).get(key) for name, (group, key) in RUN_LABELS.items()}
    known = {name: str(value) for name, value in found.items() if value is not None}
    return {"run": run.header.run_id, "started_at": run.header.started_at, **known}


def finished_s(run: Run) -> float | None:
    """Seconds from 1970 to the end of the run; None if the record has no such moment."""
    try:
        return datetime.fromisoformat(run.footer.finished_at if run.footer else run.header.started_at).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
