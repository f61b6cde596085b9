"""How often each tool calls a case slower, by how much slower it is: a curve a rule, a panel a tool."""

from __future__ import annotations

from collections import Counter
from typing import Any

import altair
import vl_convert

from gathered import Study
from rivals_tables import Said, said
from shares import limits

COLUMNS = 3
"""Panels side by side."""
WIDTH, HEIGHT = 230, 150
"""Pixels of a panel."""


def points(every: list[Said]) -> list[dict[str, Any]]:
    """By tool, rule and slowdown, how often it alarmed: of the slower case; of any where none is slower."""
    found = []
    trials = Counter(one.tool for one in every if one.rule == first_rules(every)[one.tool])
    for tool, rule, share in dict.fromkeys((one.tool, one.rule, one.share) for one in every):
        own = [one for one in every if (one.tool, one.rule, one.share) == (tool, rule, share)]
        count = sum(one.is_hit if share else bool(one.wrong) for one in own)
        low, high = limits(count, len(own))
        of = f"{count} of {len(own)}"
        slower = 100 * share
        found.append(
            {
                "tool": f"{tool}: {trials[tool]} trials",
                "rule": rule,
                "slower": slower,
                "share": count / len(own),
                "low": low,
                "high": high,
                "of": of,
            }
        )
    return found


def first_rules(every: list[Said]) -> dict[str, str]:
    """The first rule of each tool: every trial has one."""
    return {one.tool: one.rule for one in reversed(every)}


def chart(study: Study) -> altair.FacetChart:
    """The chart of what has been gathered."""
    rows = altair.Data(values=points(said(study)))
    slower = altair.X("slower:Q", title="slower by, nominal, %", scale=altair.Scale(domain=[0, 10]))
    share = altair.Y("share:Q", title="trials with that alarm", axis=altair.Axis(format="%"))
    rule = altair.Color("rule:N", title="rule")
    base = altair.Chart(rows)
    layers = (
        base.mark_rule(opacity=0.35).encode(slower, altair.Y("low:Q"), altair.Y2("high:Q"), rule),
        base.mark_line().encode(slower, share, rule),
        base.mark_point(filled=True, opacity=1).encode(slower, share, rule),
    )
    order = list(dict.fromkeys(one["tool"] for one in rows.values))
    return (
        altair.layer(*layers)
        .properties(width=WIDTH, height=HEIGHT)
        .facet(altair.Facet("tool:N", title=None, sort=order), columns=COLUMNS)
        .resolve_scale(color="independent")
    )


def svg(study: Study) -> str:
    """The chart as SVG."""
    return str(vl_convert.vegalite_to_svg(chart(study).to_dict()))


def png(study: Study) -> bytes:
    """The chart as PNG, of twice the pixels."""
    return bytes(vl_convert.vegalite_to_png(chart(study).to_dict(), scale=2))
