"""Chart of a Pareto front: step time against another metric, and a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suite.effects.advice_text import NAMES
from suite.effects.recommendation import Advice
from suite.effects.values import MetricKind
from suite.report.charts import INK, PALETTE, TIME_LABEL, altair, without_schema
from suite.report.svg import is_logarithmic

STATES = {"y": "on the front", "p": "perhaps on it", "n": "beaten by another case"}
"""Letter in the page's data -> the words of the legend."""
AXES = {"B": (2.0**20, "MiB, "), "J": (1.0, "J, "), "ratio": (1.0, "")}
"""Unit -> size of the axis's unit in base units, and its name."""
HEIGHT_PX = 340
ROOM = 0.05
"""Share of the axis beyond the smallest and the largest value."""

Extents = Mapping[int, tuple[float, float, float, float]]
"""Number of a group -> ends of the step time in seconds, and of the metric in the axis's unit."""
NO_EXTENT = (0.0, 1.0, 0.0, 1.0)
"""That of a group without the metric, which has no chart of it."""


def specification(groups: Sequence[Advice], metric: MetricKind) -> dict[str, Any]:
    """Points of the group that the reader chose; those off the front are faint.

    The page's scripts give each case its `front_group`, `front_state`, `front_number` and a value of each metric, such
    as `front_energy`. They set the signals `group`, `limit`, a value in base units or 0, and `best`, the id of the
    fastest case within the limits.

    Args:
        groups: the number of a group is its place here.
        metric: one that a group has, and no step time.
    """
    alt = altair()
    size, _ = AXES[metric.unit]
    extents = {
        number: (*extent(one, "step_time", 1.0), *extent(one, metric.name, size))
        for number, one in enumerate(groups)
        if metric in one.group.metrics
    }
    base = (
        alt.Chart()
        .transform_filter(f"datum.front_group === group && isValid(datum.front_{metric.name})")
        .transform_calculate(value=f"datum.front_{metric.name} / {size}", state=words_of_state(), shown=shown(metric))
        .encode(x=time_axis(extents), y=value_axis(extents, metric))
    )
    parameters = (
        alt.param(name="group", value=next(iter(extents))),
        alt.param(name="limit", value=0),
        alt.param(name="best", value=""),
        alt.param(name="ends", value=[extents.get(number, NO_EXTENT) for number in range(len(groups))]),
    )
    return without_schema(
        alt.layer(*layers(base, metric), rule(size), data=alt.NamedData("cases"))
        .add_params(*parameters)
        .properties(
            description=f"Step time against {NAMES[metric.name]}; the table of the front has the same figures.",
            width="container",
            height=HEIGHT_PX,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
    )


def extent(one: Advice, name: str, size: float) -> tuple[float, float]:
    """Ends of an axis that has room for all values of a metric, in the axis's unit."""
    known = [option.candidate.known[name] for option in one.options if name in option.candidate.known]
    low, high = min(found.low for found in known) / size, max(found.high for found in known) / size
    room = ROOM * (high - low) or ROOM * high or 1.0
    return max(low - room, low * (1 - ROOM)), high + room


def words_of_state() -> str:
    """Vega expression: the words of the letter of a case's state."""
    first, second = ((f"datum.front_state === '{letter}' ? '{words}' : ") for letter, words in [*STATES.items()][:2])
    return f"{first}{second}'{STATES['n']}'"


def shown(metric: MetricKind) -> str:
    """Vega expression: a value with its unit, as a tooltip shows it."""
    if metric.unit == "ratio":
        return f"format(datum.front_{metric.name}, '.1%')"
    size, unit = AXES[metric.unit]
    return f"format(datum.front_{metric.name} / {size}, ',.4~g') + ' {unit.rstrip(', ')}'"


def scale_of(kind: str, place: int) -> Any:
    """The scale of an axis, with the ends of the chosen group."""
    ends = [{"expr": f"ends[group][{place}]"}, {"expr": f"ends[group][{place + 1}]"}]
    no_zero = {"zero": False} if kind == "linear" else {}
    return altair().Scale(type=kind, nice=False, domain=ends, **no_zero)


def time_axis(extents: Extents) -> Any:
    """Axis of step times; logarithmic if the range of a group is wide."""
    alt = altair()
    kind = "log" if any(is_logarithmic(ends[0], ends[1]) for ends in extents.values()) else "linear"
    return alt.X(
        "step_time:Q",
        title="Step time (lower is better)",
        scale=scale_of(kind, 0),
        axis=alt.Axis(tickCount=6, labelExpr=TIME_LABEL, labelOverlap="greedy", labelSeparation=10),
    )


def value_axis(extents: Extents, metric: MetricKind) -> Any:
    """Axis of the other metric."""
    alt = altair()
    unit = AXES[metric.unit][1]
    wide = any(is_logarithmic(ends[2], ends[3]) for ends in extents.values())
    return alt.Y(
        "value:Q",
        title=f"{NAMES[metric.name].capitalize()} ({unit}{metric.better} is better)",
        scale=scale_of("log" if wide else "linear", 2),
        axis=alt.Axis(tickCount=6, format="%" if metric.unit == "ratio" else ",f"),
    )


def layers(base: Any, metric: MetricKind) -> tuple[Any, ...]:
    """Intervals of the front, all points, the chosen case, and numbers of rows."""
    on_front = base.transform_filter("datum.front_state !== 'n'")
    chosen = base.transform_filter("limit > 0 && datum.id === best")
    numbered = base.transform_filter("datum.front_state === 'y' && isValid(datum.front_number)")
    return (
        on_front.mark_rule(strokeWidth=2, color=PALETTE[0], opacity=0.5).encode(x="low:Q", x2="high:Q"),
        points(base, metric),
        chosen.mark_point(size=260, strokeWidth=2, stroke=PALETTE[1], fill="transparent"),
        numbered.mark_text(dx=0, dy=-12, color=INK, fontSize=11).encode(text="front_number:N"),
    )


def points(base: Any, metric: MetricKind) -> Any:
    """The cases; those off the front are faint. A rectangle selects some."""
    alt = altair()
    words = [*STATES.values()]
    strokes = alt.Scale(domain=words, range=[PALETTE[0], PALETTE[0], INK])
    fills = alt.Scale(domain=words, range=[PALETTE[0], "transparent", INK])
    texts = (
        ("id", "Case"),
        ("step_time_text", "Step time"),
        ("interval_text", "95 % interval"),
        ("shown", NAMES[metric.name].capitalize()),
        ("state", "Front"),
    )
    return (
        base.mark_point(size=64, strokeWidth=1.5)
        .encode(
            stroke=alt.Stroke("state:N", title=None, sort=words, scale=strokes),
            fill=alt.Fill("state:N", title=None, sort=words, scale=fills),
            opacity=alt.condition("datum.front_state === 'n'", alt.value(0.25), alt.value(1)),
            tooltip=[alt.Tooltip(field, type="nominal", title=title) for field, title in texts],
        )
        .add_params(alt.selection_interval(name="brush"))
    )


def rule(size: float) -> Any:
    """A line at the limit, where there is one."""
    alt = altair()
    return (
        alt.Chart(alt.Data(values=[{}]))
        .transform_filter("limit > 0")
        .transform_calculate(value=f"limit / {size}")
        .mark_rule(color=PALETTE[1], strokeDash=[6, 4], strokeWidth=1.5, clip=True)
        .encode(y="value:Q")
    )
