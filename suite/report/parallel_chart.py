"""Chart of parallel coordinates: a line for each case, an axis for each property.

All axes run from 0 to 1. A level has the place that `suite.report.charts.names` gives it; a metric is on a logarithmic
scale from its smallest value at the bottom to its largest at the top.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.records.factors import NAMES
from suite.report.charts import INK, PALETTE, altair, names, without_schema
from suite.report.facts import Facts

AXES_OF_METRICS = {
    "step_time": ("step time", "s", "lower is better"),
    "peak_memory": ("peak memory", "B", "lower is better"),
    "energy": ("energy", "J", "lower is better"),
    "accuracy": ("accuracy", "ratio", "higher is better"),
}
"""Metric -> the name of its axis, its unit, and which direction is better."""
TOP = 0.1
"""Share of the cases that are drawn strongly at first: the fastest ones."""
MOST_LINES = 2_000
"""Lines that are drawn, at most."""
MOST_LABELS = 12
"""Levels of an axis that have names; of more, every second, third and so on has one."""
HEIGHT_PX = 380
LABEL_PX = 110
"""Width of a label, in pixels."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from 0 to 1.

    Attributes:
        key: of the value in `page.cases`.
        title: its name, and which direction is better.
        place: Vega expression: the place of a case on the axis; null where it has no value.
        labels: place and text of each label.
        low, high: values of a metric at both ends; equal for a factor.
        levels: of a factor, from 0 to 1; none for a metric.
    """

    key: str
    title: str
    place: str
    labels: tuple[tuple[float, str], ...]
    low: float = 0.0
    high: float = 0.0
    levels: tuple[str, ...] = ()


def axes_of(facts: Facts) -> list[Axis]:
    """An axis for each factor and each metric by which the cases differ."""
    factors = [found for name in NAMES if (found := factor_axis(facts.ranked, name)) is not None]
    metrics = [found for name in AXES_OF_METRICS if (found := metric_axis(facts.columns[name], name)) is not None]
    return [*factors, *metrics]


def factor_axis(ranked: Sequence[CaseFigures], name: str) -> Axis | None:
    """The axis of a factor; None if all cases have one level."""
    levels = names(ranked, name)
    if levels and levels[0].isdigit():
        levels = sorted(levels, key=int)
    if len(levels) < 2:
        return None
    last = len(levels) - 1
    step = -(-len(levels) // MOST_LABELS)
    labels = tuple((place / last, level) for place, level in enumerate(levels) if place % step == 0)
    place = f"indexof({json.dumps(levels)}, '' + datum.{name}) / {last}"
    return Axis(name, name.replace("_", " "), place, labels, levels=tuple(levels))


def metric_axis(values: Sequence[float | None], name: str) -> Axis | None:
    """The axis of a metric; None if fewer than two cases have values that differ."""
    found = [value for value in values if value is not None and 0 < value < math.inf]
    low, high = min(found, default=0.0), max(found, default=0.0)
    if not 0 < low < high:
        return None
    title, unit, better = AXES_OF_METRICS[name]
    width = math.log(high / low)
    place = f"datum.{name} > 0 ? log(datum.{name} / {low!r}) / {width!r} : null"
    values = [low * (high / low) ** share for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    labels = tuple((share / 4, units.text(value, unit, 3)) for share, value in enumerate(values))
    return Axis(name, f"{title}, {better}", place, labels, low, high)


def specification(axes: Sequence[Axis], count: int) -> dict[str, Any]:
    """A line for each case; the page's script sets `top`, the share of strong lines.

    Args:
        axes: from the left to the right.
        count: the number of measured cases.
    """
    alt = altair()
    order = [axis.title for axis in axes]
    every = -(-count // MOST_LINES)
    lines = (
        alt.Chart()
        .transform_calculate(is_top=f"datum.rank <= ceil(top * {count})")
        .transform_filter(f"datum.is_top || (datum.rank - 1) % {every} === 0")
        .transform_calculate(**{axis.title: axis.place for axis in axes})
        .transform_fold(order, as_=["axis", "value"])
        .transform_filter("isValid(datum.value)")
        .encode(x=across(order), y=upwards(), detail="id:N")
    )
    faint = lines.transform_filter("!datum.is_top").mark_line(color=INK, strokeWidth=1.2, opacity=opacity(count))
    strong = lines.transform_filter("datum.is_top").mark_line(color=PALETTE[0], strokeWidth=1.5)
    brush = alt.selection_interval(name="brush")
    return without_schema(
        alt.layer(faint.add_params(brush), strong, *frame(axes, order), data=alt.NamedData("cases"))
        .add_params(alt.param(name="top", value=TOP))
        .properties(
            description="A line for each case through its levels and metrics; the ranked table has the same figures.",
            width="container",
            height=HEIGHT_PX,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
    )


def opacity(count: int) -> float:
    """Fewer lines are drawn more strongly, so that crossings of many stay grey."""
    return max(0.04, min(0.3, 15 / count))


def across(order: Sequence[str]) -> Any:
    """The titles of the axes, from the left to the right."""
    alt = altair()
    axis = alt.Axis(orient="top", labelExpr="split(datum.label, ', ')", labelAngle=0, labelPadding=22, grid=False)
    return alt.X("axis:N", sort=order, title=None, scale=alt.Scale(domain=order, type="point", padding=0.4), axis=axis)


def upwards() -> Any:
    """The places on the axes, from 0 to 1."""
    alt = altair()
    return alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1], nice=False), axis=None)


def frame(axes: Sequence[Axis], order: Sequence[str]) -> list[Any]:
    """The axes and their labels."""
    alt = altair()
    rows = [{"axis": axis.title, "value": place, "text": text} for axis in axes for place, text in axis.labels]
    lines = alt.Chart(alt.Data(values=[{"axis": title} for title in order])).mark_rule(color=INK, opacity=0.5)
    labels = alt.Chart(alt.Data(values=rows)).mark_text(align="left", dx=5, color=INK, fontSize=11, limit=LABEL_PX)
    return [lines.encode(x=across(order)), labels.encode(x=across(order), y=upwards(), text="text:N")]
