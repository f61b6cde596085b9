"""The machine during a run: its speed over time, and how much others used it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from suite import units
from suite.analysis import validity
from suite.analysis.case_figures import CaseFigures
from suite.analysis.machine_course import Spell, machine_course
from suite.report.charts import INK, PALETTE, config
from suite.report.facts import Facts
from suite.report.table import LOWER, Column, Table, table
from suite.report.view import Chart

MOST_CASES = 1_000
"""Measured cases up to which the speed over time is computed, since that reads every turn again."""
REMARKED_FROM: dict[str, float | None] = {
    "others_cores": validity.MUCH_LOAD,
    "cpu_pressure": None,
    "stolen_share": validity.MUCH_STOLEN,
    "throttled_share": validity.MUCH_HELD_BACK,
    "heat_events": 1.0,
    "memory_pressure": validity.SHORT_OF_MEMORY,
    "others_faults": validity.MUCH_TAKEN,
}
"""Reading, one for each visit -> mean over a case's visits from which data quality remarks on it; None: never alone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of the machine over all visits.

    Attributes:
        highest_case: the case of the visit with the highest value; empty if that is 0.
    """

    name: str
    unit: str
    meaning: str
    middle: float
    highest: float
    highest_case: str

    @property
    def title(self) -> str:
        """`others_cores` -> Others cores."""
        return self.name.replace("_", " ").capitalize()


def readings(ranked: Sequence[CaseFigures]) -> Table[Reading]:
    """A row for each reading that the record has, in the order of `REMARKED_FROM`."""
    found = {name: rows for name in REMARKED_FROM if (rows := values_of(ranked, name))}
    return table("Readings of the machine", COLUMNS, [reading(ranked, name, rows) for name, rows in found.items()])


def values_of(ranked: Sequence[CaseFigures], name: str) -> list[tuple[float, str]]:
    """Value and case of every visit that has the reading."""
    return [(value, one.case.id) for one in ranked for value in one.measurement.visit_values(name)]


def reading(ranked: Sequence[CaseFigures], name: str, rows: Sequence[tuple[float, str]]) -> Reading:
    """The median and the highest value of a reading."""
    of_any = (series.metric for one in ranked for series in one.measurement.per_visit if series.metric.name == name)
    metric = next(of_any)
    highest, case_id = max(rows)
    middle = median(value for value, _ in rows)
    return Reading(name, metric.unit, metric.description, middle, highest, case_id if highest > 0 else "")


def remarked_from(row: Reading) -> str:
    """The mean over a case's visits from which it is remarked on."""
    limit = REMARKED_FROM[row.name]
    return units.text(limit, row.unit, 2) if limit is not None else ""


COLUMNS: tuple[Column[Reading], ...] = (
    Column("Reading", (), lambda row: row.title, is_heading=True),
    Column("Median", ("of all visits,", LOWER), lambda row: units.text(row.middle, row.unit, 3)),
    Column("Highest", ("of all visits,", LOWER), lambda row: units.text(row.highest, row.unit, 3)),
    Column("Remarked on", ("from this mean of a case",), remarked_from),
    Column("Highest in", (), lambda row: row.highest_case, is_text=True),
    Column("Meaning", (), lambda row: row.meaning, is_text=True),
)


def course(facts: Facts) -> list[Spell]:
    """Speed of the machine over the run; none for many cases."""
    if len(facts.ranked) > MOST_CASES:
        return []
    return machine_course(facts.run.cases, {case_id: one.chosen for case_id, one in facts.figures.items()})


def course_table(spells: Sequence[Spell]) -> Table[Spell]:
    """The figures of the chart."""
    return table("Speed of the machine over the run", COURSE, spells)


COURSE: tuple[Column[Spell], ...] = (
    Column("After", ("from the start of the run",), lambda one: units.duration(one.at_s), is_heading=True),
    Column("Device", (), lambda one: one.device),
    Column("Slower by", ("than the median turn,", LOWER), lambda one: units.percent(one.slower, sign=True)),
    Column("Turns", (), lambda one: str(one.turns)),
)


def course_chart(spells: Sequence[Spell]) -> Chart:
    """Speed over the minutes of the run."""
    return Chart(
        id="course",
        title="Speed of the machine over the run",
        reading=course_reading(spells),
        specification=course_specification(spells),
        twin="course-table",
    )


def course_reading(spells: Sequence[Spell]) -> str:
    """The slowest and the fastest spell."""
    slowest, fastest = (end(spells, key=lambda one: one.slower) for end in (max, min))
    return (
        f"Compared with the median of the run, the machine was at most {units.percent(max(slowest.slower, 0.0))} "
        f"slower, {units.duration(slowest.at_s)} after the start, and at most "
        f"{units.percent(max(-fastest.slower, 0.0))} faster."
    )


def course_specification(spells: Sequence[Spell]) -> dict[str, Any]:
    """A line for each kind of device."""
    devices = list(dict.fromkeys(one.device for one in spells))
    values = [
        {"minute": round(one.at_s / 60, 2), "slower": round(one.slower, 5), "device": one.device, "turns": one.turns}
        for one in spells
    ]
    y = {"field": "slower", "type": "quantitative", "title": "Slower by (lower is better)", "axis": {"format": "+.1%"}}
    line: dict[str, Any] = {
        "mark": {"type": "line", "point": {"size": 24}, "strokeWidth": 2},
        "encoding": {
            "x": {"field": "minute", "type": "quantitative", "title": "Minutes from the start of the run"},
            "y": y,
            "color": {
                "field": "device",
                "type": "nominal",
                "title": "Device",
                "scale": {"domain": devices, "range": [PALETTE[place % len(PALETTE)] for place in range(len(devices))]},
                **({"legend": None} if len(devices) == 1 else {}),
            },
            "tooltip": [
                {"field": "minute", "title": "Minute"},
                {"field": "slower", "title": "Slower by", "format": "+.1%"},
                {"field": "turns", "title": "Turns"},
            ],
        },
    }
    zero = {"mark": {"type": "rule", "color": INK, "opacity": 0.4, "strokeWidth": 1}, "encoding": {"y": {"datum": 0}}}
    return {
        "data": {"values": values},
        "layer": [zero, line],
        "width": "container",
        "height": 180,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {**config(), "axisY": {"grid": True}},
    }
