"""Chart of a Pareto front: step time against another metric, with a rule at the reader's limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suite.effects.advice_text import NAMES
from suite.effects.recommendation import Advice
from suite.effects.values import MetricKind
from suite.report.charts import INK, PALETTE, TIME_LABEL, altair, decades, without_schema
from suite.report.svg import is_logarithmic

STATES = {"y": "on the front", "p": "perhaps on it", "n": "beaten by another case"}
"""Letter in the page's data -> the words of the legend."""
SIZES = {"B": (2.0**20, "MiB, "), "J": (1.0, "J, "), "ratio": (1.0, "")}
"""Unit -> size of the axis's unit in base units, and its name."""
HEIGHT_PX = 340
ROOM = 0.04
"""Share of the axis beyond the smallest and the largest value."""


def specification(shown: Sequence[Advice], metric: MetricKind) -> dict[str, Any]:
    """Points of the group that the reader chose; those that another case beats are faint.

    The page's script gives each case its group, its state and its values of the metrics, and sets the signals `group`
    and `limit`.
    """
    alt = altair()
    size, name = SIZES[metric.unit]
    extents = {number: (extent(one, "step_time", 1.0), extent(one, metric.name, size)) for number, one in shown_of(shown)}
    group = alt.param(name="group", value=next(iter(extents)))
    limit = alt.param(name="limit", value=0)
    domains = alt.param(name="domains", value={str(number): [*x, *y] for number, (x, y) in extents.items()})
    base = (
        alt.Chart(alt.NamedData("cases"))
        .transform_filter(f"datum.group === group && isValid(datum.front_{metric.name})")
        .transform_calculate(y=f"datum.front_{metric.name} / {size}")
        .encode(
            x=alt.X("step_time:Q", title="Step time (lower is better)", scale=time_scale(extents), axis=time_ticks(extents)),
            y=alt.Y(
                "y:Q",
                title=f"{NAMES[metric.name].capitalize()} ({name}{metric.better} is better)",
                scale=alt.Scale(zero=False, nice=False, domain=domain(2)),
                axis=alt.Axis(tickCount=6, format=".0%" if metric.unit == "ratio" else ",~g"),
            ),
        )
    )
    return without_schema(
        (intervals(base) + points(base, metric) + labels(base) + rule(metric, size))
        .add_params(group, limit, domains)
        .properties(
            description=f"Step time against {NAMES[metric.name]}; the table of the front has the same figures.",
            width="container",
            height=HEIGHT_PX,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
    )


def extent(one: Advice, name: str, size: float) -> tuple[float, float]:
    """The smallest and the largest value of a metric, in the axis's unit."""
    known = [option.candidate.known[name] for option in one.options if name in option.candidate.known]
    low, high = min(found.low for found in known) / size, max(found.high for found in known) / size
    room = ROOM * (high - low) or ROOM * high or 1.0
    return max(low - room, low * (1 - ROOM)), high + room
