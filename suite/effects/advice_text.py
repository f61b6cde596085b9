"""A recommendation as a table for a terminal, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from suite import units
from suite.analysis.change_text import aligned
from suite.effects.candidates import Candidate, Known
from suite.effects.limits import Limit
from suite.effects.recommendation import Advice, Option
from suite.effects.values import METRICS, MetricKind
from suite.effects.wording import DASH, count, points
from suite.records.factors import FACTORS

SHOWN = 10
"""Cases that the table of a group has, at most; JSON has all."""
SIDE_OUTSIDE = {"lower": "above", "higher": "below"}
"""Better values of a metric -> the side of its limit that is outside."""
NAMES = {
    "step_time": "step time",
    "peak_memory": "peak memory",
    "energy": "energy of a step",
    "accuracy": "final accuracy",
}
"""Metric -> its name in a sentence and in the head of a column."""


def as_table(found: Sequence[Advice], limits: Sequence[Limit]) -> str:
    """A sentence and a table for each group of cases that do the same work."""
    return "\n\n".join("\n".join(lines_of(advice, limits)) for advice in found)


def lines_of(advice: Advice, limits: Sequence[Limit]) -> Iterator[str]:
    """The choice, its price against the fastest case, and the cases to choose from."""
    work = work_of(advice)
    bounds = f" within {', '.join(limit.text() for limit in limits)}" if limits else ""
    if advice.chosen is None:
        yield f"no case for {work}{bounds}"
        yield from exclusions(advice)
    else:
        yield f"fastest for {work}{bounds}: {described(advice.chosen.candidate)}"
        if advice.chosen.within == "perhaps":
            yield "  its interval includes a limit, so it may be outside"
        if advice.as_good:
            named = ", ".join(option.candidate.case.id for option in advice.as_good[:SHOWN])
            more = f" and {len(advice.as_good) - SHOWN} more" if len(advice.as_good) > SHOWN else ""
            yield f"  perhaps as fast: {named}{more}"
        if advice.options[0] is not advice.chosen and limits:
            yield f"  against the fastest without limits, {price(advice.chosen, advice.options[0])}"
    yield ""
    yield from table(advice, limits)


def work_of(advice: Advice) -> str:
    """The work of a group: `train, batch size 64, image size 28`."""
    work = advice.group.work
    defaults = {factor.name: factor.default for factor in FACTORS}
    task = [str(work["task"])] if work["task"] != defaults["task"] else []
    sizes = [f"{name.replace('_', ' ')} {work[name]}" for name in ("batch_size", "image_size")]
    return ", ".join([str(work["mode"]), *task, *sizes])


def described(candidate: Candidate) -> str:
    """A case with everything that is known of it."""
    known = [
        f"{NAMES[name]} {units.text(candidate.known[name].value, kind.unit)}"
        for name, kind in METRICS.items()
        if name in candidate.known
    ]
    return f"{candidate.case.id}, {', '.join(known)}"


def price(chosen: Option, fastest: Option) -> str:
    """The choice relative to the fastest case, in every metric that both have."""
    own, other = chosen.candidate.known, fastest.candidate.known
    changes = []
    for name, kind in METRICS.items():
        if name in own and name in other and not kind.is_ratio:
            changes.append(f"{points(own[name].value - other[name].value)} points {NAMES[name]}")
        elif name in own and name in other and other[name].value > 0:
            share = own[name].value / other[name].value - 1
            changes.append(f"{units.percent(share, sign=True)} {NAMES[name]}")
    return f"{fastest.candidate.case.id}: {', '.join(changes)}"


def exclusions(advice: Advice) -> Iterator[str]:
    """The number of cases that each limit excludes, and the nearest case."""
    cases = len(advice.options)
    for one in advice.exclusions:
        verb = "has" if one.unknown == 1 else "have"
        lacking = f", and {one.unknown} {verb} no {NAMES[one.limit.metric.name]}" if one.unknown else ""
        yield f"  {one.limit.text()} excludes {one.outside} of {count(cases, 'case')}{lacking}"
    if advice.nearest is not None:
        missed = [
            f"{NAMES[limit.metric.name]} {units.percent(excess)} {SIDE_OUTSIDE[limit.metric.better]} the limit"
            for limit in (one.limit for one in advice.exclusions)
            if (excess := limit.middle_excess(advice.nearest.candidate)) > 0
        ]
        yield f"  nearest: {described(advice.nearest.candidate)}: {' and '.join(missed)}"


def table(advice: Advice, limits: Sequence[Limit]) -> Iterator[str]:
    """The cases on the front or perhaps on it that are within the limits."""
    metrics = advice.group.metrics
    rows = [option for option in advice.options if is_shown(option, limits)]
    if rows:
        head = ("case", *(f"{NAMES[one.name]} ({one.better} is better)" for one in metrics))
        head = (*head, *(["limits"] if limits else []), "on the front")
        yield from aligned([head, *(cells(option, metrics, limits) for option in rows[:SHOWN])], {0})
        yield f"sources: {', '.join(advice.group.sources.values())}; intervals: 95 %"
    hidden = len(advice.options) - len(rows[:SHOWN])
    if hidden:
        why = "not on the front, or outside a limit" if limits else "not on the front"
        reason = f" {why}" if len(rows) <= SHOWN else ""
        yield f"not shown: {count(hidden, 'case')}{reason}; --format json has all"


def is_shown(option: Option, limits: Sequence[Limit]) -> bool:
    """Whether the table has the case."""
    return option.on_front != "no" and (not limits or option.within in ("within", "perhaps"))


def cells(option: Option, metrics: Sequence[MetricKind], limits: Sequence[Limit]) -> tuple[str, ...]:
    """One row of a table."""
    known = option.candidate.known
    values = [value_text(known.get(metric.name), metric) for metric in metrics]
    return (option.candidate.case.id, *values, *([option.within] if limits else []), option.on_front)


def value_text(known: Known | None, metric: MetricKind) -> str:
    """A value with its interval, if it has one."""
    if known is None:
        return DASH
    value = units.text(known.value, metric.unit)
    if known.low == known.high:
        return value
    return f"{value} {units.interval(known.low, known.high, metric.unit)}"


def as_json(found: Sequence[Advice], limits: Sequence[Limit]) -> str:
    """One object; values in base units, and null where nothing is known."""
    facts = {
        "limits": [{"option": one.option, "metric": one.metric.name, "bound": one.bound} for one in limits],
        "groups": [group_facts(advice) for advice in found],
    }
    return json.dumps(facts, indent=2, allow_nan=False)


def group_facts(advice: Advice) -> dict[str, Any]:
    """A group with its choice, and all its cases."""
    return {
        "work": advice.group.work,
        "sources": advice.group.sources,
        "recommended": id_of(advice.chosen),
        "perhaps_as_fast": [id_of(option) for option in advice.as_good],
        "nearest": id_of(advice.nearest),
        "excluded": [
            {"option": one.limit.option, "outside": one.outside, "unknown": one.unknown} for one in advice.exclusions
        ],
        "cases": [option_facts(option) for option in advice.options],
    }


def id_of(option: Option | None) -> str | None:
    """The case id of an option; None without one."""
    return None if option is None else option.candidate.case.id


def option_facts(option: Option) -> dict[str, Any]:
    """A case with its values."""
    return {
        "id": option.candidate.case.id,
        **{
            name: {"value": one.value, "low": one.low, "high": one.high} for name, one in option.candidate.known.items()
        },
        "limits": option.within,
        "on_front": option.on_front,
    }
