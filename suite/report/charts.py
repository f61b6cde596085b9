"""Pieces of charts: palette, axes, configuration, Vega; step times by structure."""

from __future__ import annotations

import base64
import math
import os
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from suite.analysis.case_figures import CaseFigures, examples_noun
from suite.machine.user_account import missing_variables
from suite.records.factors import Level
from suite.report.svg import is_logarithmic

PALETTE = ("#0072b2", "#d95f02", "#554bff", "#28a57d", "#8c5f82", "#19a0be")
"""Colours of optimizers in alphabetical order, used again from the start beyond the sixth. Each has a contrast of at
least 3:1 against the light and the dark page, and any two differ (CIELAB distance 20 or more) also for readers with
protanopia or deuteranopia (simulation of Machado et al. 2009)."""
LINE_PX = 8
"""Height of one optimizer's place within a structure's row."""
ROW_PX = 22
"""Least height of a structure's row: one line of text."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
MARGIN = 1.1
"""Ratio of room beyond the smallest and the largest value on a logarithmic axis."""
TIME_LABEL = "replace(format(datum.value, '~s'), regexp('([0-9.]+)(.?)'), '$1 $2s')"
"""Vega expression: seconds as text with an SI prefix, `0.005` -> `5 ms`."""
INK = "currentColor"
"""Text and rules take the page's colour, so that the chart follows light and dark."""


def names(ranked: Sequence[CaseFigures], factor: str) -> list[str]:
    """Measured levels of a factor: structures by their fastest case, others by name.

    An order that does not depend on what is shown keeps every level's place and colour.
    """
    found = dict.fromkeys(map(str, dict.fromkeys(map(level_of(factor), ranked))))
    return list(found) if factor == "structure" else sorted(found)


def level_of(factor: str) -> Callable[[CaseFigures], Level]:
    """A function that gives a case's level of a factor."""
    return attrgetter(f"record.case.{factor}")


def by_structure(ranked: Sequence[CaseFigures]) -> dict[str, Any]:
    """Dots with intervals: structure by row, optimizer by colour, execution by shape."""
    alt = altair()
    structures, optimizers, executions = (names(ranked, factor) for factor in ("structure", "optimizer", "execution"))
    colours = [PALETTE[place % len(PALETTE)] for place in range(len(optimizers))]
    base = alt.Chart(alt.NamedData("cases")).encode(
        y=alt.Y("structure:N", sort=structures, title=None, scale=alt.Scale(domain=structures)),
        yOffset=alt.YOffset("optimizer:N", sort=optimizers, scale=alt.Scale(domain=optimizers)),
        color=alt.Color(
            "optimizer:N", title="Optimizer", sort=optimizers, scale=alt.Scale(domain=optimizers, range=colours)
        ),
    )
    intervals = base.mark_rule(strokeWidth=2).encode(x=time_axis(ranked), x2="high:Q")
    dots = base.mark_point(filled=True, size=46, opacity=1).encode(
        x="step_time:Q",
        shape=alt.Shape(
            "execution:N",
            title="Execution",
            scale=alt.Scale(domain=executions, range=[SHAPES[place % len(SHAPES)] for place in range(len(executions))]),
            legend=alt.Legend() if len(executions) > 1 else None,
        ),
        tooltip=[
            alt.Tooltip(field, type="nominal", title=title)
            for field, title in (
                ("id", "Case"),
                ("step_time_text", "Step time"),
                ("interval_text", "95 % interval"),
                ("throughput_text", f"{examples_noun(one.case for one in ranked).capitalize()}/s"),
            )
        ],
    )
    chart = (intervals + dots).properties(
        description="Step time by structure, optimizer and execution; the ranked table has the same figures.",
        width="container",
        height=max(ROW_PX, LINE_PX * (len(optimizers) + 2)) * len(structures),
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )
    return without_schema(chart)


def without_schema(chart: Any) -> dict[str, Any]:
    """The specification of an Altair chart, with the page's look and no address."""
    spec: dict[str, Any] = {**chart.to_dict(), "config": config()}
    return {key: value for key, value in spec.items() if key not in ("$schema", "datasets")}


def time_axis(ranked: Sequence[CaseFigures]) -> Any:
    """Axis of step times in seconds, logarithmic for a wide range."""
    alt = altair()
    low, high = min(one.step_time.low for one in ranked), max(one.step_time.high for one in ranked)
    labels: dict[str, Any] = {"labelExpr": TIME_LABEL, "labelOverlap": "greedy", "labelSeparation": 10}
    if is_logarithmic(low, high):
        scale = alt.Scale(type="log", domain=[low / MARGIN, high * MARGIN], nice=False)
        axis = alt.Axis(values=decades(low / MARGIN, high * MARGIN), **labels)
    else:
        scale, axis = alt.Scale(zero=False, nice=True), alt.Axis(tickCount=8, **labels)
    return alt.X("low:Q", title="Step time (lower is better)", scale=scale, axis=axis)


def decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from `low` to `high`."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


LOCALE = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""], "percent": " %"}
"""Numbers on axes and in tooltips as in the page's texts: `20 %`."""


LEGENDS = {"top": {"direction": "vertical", "anchor": "start"}}
"""Legends stand one below the other: side by side they would be cut off where both are long."""


def config() -> dict[str, Any]:
    """The page's font and colour; screen readers read the table, not the marks."""
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    symbols = {"symbolBaseFillColor": INK, "symbolBaseStrokeColor": INK}  # of shapes; black by default
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "locale": {"number": LOCALE},
        "view": {"stroke": None},
        "mark": {"aria": False},
        "axis": {**text, "gridColor": INK, "gridOpacity": 0.13, "domain": False, "ticks": False, "labelPadding": 8},
        "axisY": {"grid": True, "labelLimit": 220, "bandPosition": 0, "tickBand": "extent"},
        "legend": {**text, **symbols, "orient": "top", "symbolOpacity": 1, "labelLimit": 220, "layout": LEGENDS},
    }


@lru_cache(maxsize=1)
def altair() -> Any:
    """Altair, imported when a chart is drawn, since it needs a home folder."""
    os.environ.update(missing_variables())
    import altair as library

    return library


@lru_cache(maxsize=1)
def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as one module, deflated, in base64.

    The module sets `window.vegaEmbed`, then sends the event `vega`. It is of the Vega-Lite version that Altair writes.
    Making it takes some two seconds, so a process does it once. 900 kB become 400 kB.
    """
    import vl_convert

    version = ".".join(altair().SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    snippet = "window.vegaEmbed = vegaEmbed; dispatchEvent(new Event('vega'));"
    bundle: str = vl_convert.javascript_bundle(snippet, vl_version=version)
    return base64.b64encode(zlib.compress(bundle.encode("utf-8"), 9)).decode("ascii")
