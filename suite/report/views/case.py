"""One case in full: a page within the page, drawn from packed details."""

from __future__ import annotations

from typing import Any

from suite.report.case_details import ROUND_STEP, SHARES, case_details, left_out, packed
from suite.report.charts import INK, PALETTE, TIME_LABEL, config
from suite.report.facts import PLACEHOLDER, Facts
from suite.report.provenance import command
from suite.report.view import View

BLUE, ORANGE = PALETTE[0], PALETTE[1]
BEYOND = "beyond the scale"
TIME_TEXT = f"'visit ' + datum.visit + ', ' + datum.kind + ': ' + {TIME_LABEL.replace('datum.value', 'datum.seconds')}"
"""Vega expression of a round as text."""
VISIT_COLUMNS = (
    "Pass",
    "Started after",
    "Warm-up rounds",
    "Rounds",
    "Median, lower is better",
    "Ended by",
    "Busy neighbour",
)
WIDE: dict[str, Any] = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}


def view(facts: Facts) -> View | None:
    """The packed details of every case; None if none was measured."""
    if not facts.ranked:
        return None
    modes = dict.fromkeys(one.case.mode for one in facts.ranked)
    return View(
        id="case",
        title="One case in full",
        navigation="Cases",
        template="case.html.j2",
        values={
            "details": packed(case_details(facts.ranked)),
            "constants": {
                "charts": {one.__name__: one() for one in (histogram, shares, rounds, bars, timeline)},
                "commands": {mode: command(facts.run, PLACEHOLDER, mode) for mode in modes},
                "placeholder": PLACEHOLDER,
                "step": ROUND_STEP,
            },
            "quantiles": tuple(SHARES),
            "visit_columns": VISIT_COLUMNS,
            "left_out": left_out(len(facts.ranked)),
        },
    )


def quantitative() -> dict[str, Any]:
    """The page's configuration without its settings for rows of levels."""
    return {**config(), "axisY": {"grid": True}}


def seconds_axis(title: str) -> dict[str, Any]:
    """Step times along the x axis, from the fastest to the slowest that is shown."""
    return {
        "field": "seconds",
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False, "nice": False},
        "axis": {"labelExpr": TIME_LABEL, "tickCount": 5, "labelOverlap": "greedy", "labelSeparation": 10},
    }


def histogram() -> dict[str, Any]:
    """Bars of the kept rounds by step time; each row of the data is 1 % of them."""
    axis = seconds_axis("Step time (left is faster)")
    return {
        "data": {"name": "case"},
        "transform": [{"filter": "datum.kind == 'percent'"}],
        "mark": {"type": "bar", "color": BLUE},
        "encoding": {
            "x": {**axis, "bin": {"maxbins": 40}},
            "y": {"aggregate": "count", "title": "% of the rounds", "axis": {"tickCount": 4}},
        },
        "height": 150,
        **WIDE,
        "config": quantitative(),
    }


def shares() -> dict[str, Any]:
    """Share of the kept rounds up to each step time, with the median and its interval."""
    of = "datum.kind == '{0}'".format
    interval = {"transform": [{"filter": of("interval")}]}
    return {
        "data": {"name": "case"},
        "layer": [
            {
                **interval,
                "mark": {"type": "rect", "color": ORANGE, "opacity": 0.3},
                "encoding": {"x": seconds_axis("Step time (left is faster)"), "x2": {"field": "until"}},
            },
            {
                **interval,
                "mark": {"type": "rule", "color": ORANGE, "strokeWidth": 2},
                "encoding": {"x": {"field": "median", "type": "quantitative"}},
            },
            {
                "transform": [{"filter": of("share")}],
                "mark": {"type": "line", "color": BLUE, "strokeWidth": 2, "interpolate": "monotone"},
                "encoding": {
                    "x": {"field": "seconds", "type": "quantitative"},
                    "y": {
                        "field": "share",
                        "type": "quantitative",
                        "title": "Share of the rounds",
                        "axis": {"format": "%", "values": [0, 0.25, 0.5, 0.75, 1]},
                    },
                },
            },
        ],
        "height": 150,
        **WIDE,
        "config": quantitative(),
    }


def rounds() -> dict[str, Any]:
    """Step time over the rounds, visit by visit; warm-up in another colour and shape."""
    place = {"field": "at", "type": "quantitative", "title": None, "axis": None, "scale": {"nice": False}}
    both = {"x": place, "y": {**seconds_axis("Step time (lower is faster)"), "field": "height"}}
    kinds = ["warm-up", "counted", BEYOND]
    kind: dict[str, Any] = {"field": "seen_as", "type": "nominal", "title": None}
    points = {
        **both,
        "color": {**kind, "scale": {"domain": kinds, "range": [ORANGE, BLUE, ORANGE]}},
        "shape": {**kind, "scale": {"domain": kinds, "range": ["diamond", "circle", "triangle-up"]}},
        "tooltip": {"field": "text", "type": "nominal"},
    }
    title = {"type": "text", "align": "left", "baseline": "bottom", "color": INK, "fontSize": 12}
    return {
        "data": {"name": "case"},
        "transform": within_scale(),
        "layer": [
            {
                "mark": {"type": "line", "color": INK, "opacity": 0.35, "strokeWidth": 1},
                "encoding": {**both, "detail": {"field": "visit"}},
            },
            {"mark": {"type": "point", "filled": True, "size": 30, "opacity": 1}, "encoding": points},
            {
                "transform": [{"filter": "datum.number == 1"}],
                "mark": title,
                "encoding": {"x": place, "y": {"value": -4}, "text": {"field": "title"}},
            },
        ],
        "height": 190,
        **WIDE,
        "config": quantitative(),
    }


def within_scale() -> list[dict[str, Any]]:
    """Transforms that keep slow warm-up rounds within the scale of the others.

    It reaches half of the range of the counted rounds beyond them, so that a slow warm-up does not squeeze them.
    """
    ends = [{"op": "max", "field": "counted", "as": "top"}, {"op": "min", "field": "counted", "as": "bottom"}]
    return [
        {"calculate": "datum.kind == 'counted' ? datum.seconds : null", "as": "counted"},
        {"joinaggregate": ends},
        {"calculate": "max(datum.top * 1.02, datum.top + (datum.top - datum.bottom) / 2)", "as": "limit"},
        {"calculate": "min(datum.seconds, datum.limit)", "as": "height"},
        {"calculate": f"datum.seconds > datum.limit ? '{BEYOND}' : datum.kind", "as": "seen_as"},
        {"calculate": TIME_TEXT, "as": "text"},
        {"calculate": "'visit ' + datum.visit", "as": "title"},
        {"window": [{"op": "row_number", "as": "number"}], "groupby": ["visit"], "sort": [{"field": "at"}]},
    ]


def bars() -> dict[str, Any]:
    """A bar for each part, with its value behind it."""
    y = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"grid": False}}
    x = {"field": "value", "type": "quantitative", "title": None, "axis": {"tickCount": 4, "labelOverlap": "greedy"}}
    text = {"type": "text", "align": "left", "dx": 4, "color": INK, "fontSize": 12}
    return {
        "data": {"name": "case"},
        "encoding": {"y": y, "x": x},
        "layer": [
            {"mark": {"type": "bar", "color": BLUE, "height": {"band": 0.7}}},
            {"mark": text, "encoding": {"text": {"field": "value", "format": ".3~r"}}},
        ],
        "height": 150,
        **WIDE,
        "config": config(),
    }


def timeline() -> dict[str, Any]:
    """One reading over the seconds in which the case was sampled."""
    return {
        "data": {"name": "case"},
        "mark": {"type": "area", "color": BLUE, "opacity": 0.25, "line": {"color": BLUE, "strokeWidth": 2}},
        "encoding": {
            "x": {
                "field": "at",
                "type": "quantitative",
                "title": "Seconds after the first step",
                "axis": {"tickCount": 5},
            },
            "y": {"field": "value", "type": "quantitative", "title": None, "axis": {"tickCount": 3}},
            "tooltip": [{"field": "at", "title": "Seconds"}, {"field": "value", "title": "Reading"}],
        },
        "height": 80,
        **WIDE,
        "config": quantitative(),
    }
