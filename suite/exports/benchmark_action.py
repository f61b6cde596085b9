"""A run as input of github-action-benchmark, which draws a chart over commits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from suite.analysis.case_figures import CaseFigures, figures_of
from suite.analysis.validity import label
from suite.effects.values import FINDERS
from suite.records import Run
from suite.units import SIGNIFICANT_DIGITS, number

READ_ONCE = {"peak_memory": ("peak memory", "B"), "energy": ("energy", "J")}
"""Metric that an instrument reads once -> its name in the chart, and its unit."""


def render(run: Run) -> str:
    """Entries for its tool `customSmallerIsBetter`: each case by each metric.

    The metrics are step time, peak memory and energy, as far as the record has them. Values are in base units: a chart
    has one unit for all commits. Skipped and failed cases have no entry.

    Source: benchmark-action/github-action-benchmark v1, `BenchmarkResult` in `src/extract.ts`: `name`, `unit`, `value`,
        and texts `range` and `extra` for the tooltip.
    """
    return json.dumps(list(entries(run)), indent=2, allow_nan=False) + "\n"


def entries(run: Run) -> Iterator[dict[str, Any]]:
    """The entries, metric by metric, each in the order of the record."""
    measured = [one for one in figures_of(run.cases).values() if one.is_measured]
    for one in measured:
        found = one.step_time
        yield {
            "name": f"{one.case.id}: step time",
            "unit": "s",
            "value": found.median,
            "range": f"{number(found.low, SIGNIFICANT_DIGITS)} to {number(found.high, SIGNIFICANT_DIGITS)}",
            "extra": details(one),
        }
    for metric, (name, unit) in READ_ONCE.items():
        source, values = FINDERS[metric]([one.record for one in measured])
        for case_id, (value, _) in values.items():
            yield {"name": f"{case_id}: {name}", "unit": unit, "value": value, "extra": source}


def details(figures: CaseFigures) -> str:
    """Lines of the tooltip."""
    return f"{figures.step_time.rounds} rounds\nvalidity: {label(figures.issues)}"
