"""Phases of the steps of changed cases in both runs: where the change lies."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from suite import units
from suite.comparison.changes import CaseChange, Side
from suite.comparison.pairing import Pairing
from suite.markup.github_markdown import clipped
from suite.theme.tables import Bars, Column, Row, Table

PHASES = {
    "part_data_wait": "data wait",
    "part_copy": "copy of the batch",
    "part_zero_grad": "zero_grad",
    "part_forward": "forward",
    "part_loss": "loss",
    "part_backward": "backward",
    "part_update": "optimizer step",
}
"""Metric of the instrument that times the phases of a step -> the phase, in the order of a step."""
LONGEST_ID = 200
"""Characters of an id that the table shows."""


def of_phases(pairing: Pairing, cases: Iterable[CaseChange], prefix: str) -> Table | None:
    """Phases of these cases, without the common change; None without readings.

    The bars of a case share a scale.
    """
    columns = (
        Column("case", is_code=True),
        Column("phase", is_text=True),
        Column("time", "baseline above candidate, shorter is better", is_text=True),
        Column("baseline", "median, lower is better"),
        Column("candidate", "median, without the common change, lower is better"),
        Column("change", "lower is better"),
        Column("difference", "of the step, lower is better"),
    )
    rows = tuple(row for case in cases for row in rows_of(case.name, pairing))
    return Table(f"{prefix}phases", "Phases of the changed cases", columns, rows) if rows else None


def rows_of(case_id: str, pairing: Pairing) -> list[Row]:
    """A row for each phase that both runs have timed, except those without time."""
    before, after = phases_of(pairing.baseline, case_id), phases_of(pairing.candidate, case_id)
    common = 1 + pairing.comparison.shift
    times = {
        phase: (before[metric], after[metric] / common)
        for metric, phase in PHASES.items()
        if metric in before and metric in after and (before[metric] or after[metric])
    }
    longest = max(max(both) for both in times.values()) if times else 1.0
    rows = []
    for phase, (old, new) in times.items():
        share = units.percent(new / old - 1, sign=True) if old else "–"
        difference = f"{'+' if new > old else '-' if new < old else ''}{units.text(abs(new - old), 's', 3)}"
        texts = (units.text(old, "s"), units.text(new, "s"), share, difference)
        rows.append(Row((clipped(case_id, LONGEST_ID), phase, Bars(old / longest, new / longest), *texts)))
    return rows


def phases_of(side: Side, case_id: str) -> dict[str, float]:
    """Median of the readings of each phase, in seconds."""
    measurement = side.figures[case_id].measurement
    readings = {metric: measurement.instrument_values(metric) for metric in PHASES}
    return {metric: median(values) for metric, values in readings.items() if values}
