"""Sizes of effects as text: a change in percent, or points of accuracy."""

from __future__ import annotations

import math

from suite import units
from suite.effects.linear_model import Term
from suite.effects.sizes import Size
from suite.effects.values import MetricKind
from suite.records.factors import Level

DASH = "–"


def as_change(metric: MetricKind, response: float | None) -> float | None:
    """A difference of responses as level / other - 1, or as it stands for an accuracy."""
    if response is None:
        return None
    return math.expm1(min(response, 700.0)) if metric.is_ratio else response  # beyond 700 a float is infinite


def change(metric: MetricKind, response: float | None) -> str:
    """A change: `+12.1 %`, or `+1.2 points`."""
    found = as_change(metric, response)
    if found is None:
        return DASH
    return units.percent(found, sign=True) if metric.is_ratio else f"{points(found)} points"


def points(share: float) -> str:
    """A difference of accuracies, in hundredths."""
    text = f"{100 * share:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def interval(metric: MetricKind, size: Size | None) -> str:
    """The interval of a change: `+10.8 to +13.4 %`; a dash without one."""
    if size is None or size.low is None or size.high is None:
        return DASH
    return between(metric, size.low, size.high)


def between(metric: MetricKind, low: float, high: float) -> str:
    """Two changes, the lower one first."""
    if not metric.is_ratio:
        return f"{points(low)} to {points(high)}"
    ends = as_change(metric, low), as_change(metric, high)
    return units.percent_interval(ends[0] or 0.0, ends[1] or 0.0)


def in_unit(metric: MetricKind, response: float | None) -> float | None:
    """A response as a value of the metric; an accuracy stays from 0 to 1."""
    if response is None:
        return None
    return math.exp(min(response, 700.0)) if metric.is_ratio else min(max(response, 0.0), 1.0)


def value(metric: MetricKind, response: float | None) -> str:
    """A response as a value with its unit: `13.35 ms`."""
    return units.text(in_unit(metric, response), metric.unit)


def term(factors: Term) -> str:
    """`structure x optimizer`."""
    return " x ".join(factors)


def level(name: str, found: Level) -> str:
    """A level with its dimension: `optimizer adam`."""
    return f"{name} {found}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 case`, `2 cases`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
