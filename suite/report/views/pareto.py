"""The Pareto front, and the price of its cases against the fastest one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suite.effects.advice_text import NAMES, price, value_text, work_of
from suite.effects.candidates import Candidate, Group
from suite.effects.recommendation import Advice, Option
from suite.effects.values import METRICS, MetricKind
from suite.effects.wording import count
from suite.report import front_chart
from suite.report.data import rounded
from suite.report.facts import Facts
from suite.report.view import Chart, View

MOST_ROWS = 40
"""Cases of one front in its table; the fastest are shown."""
MOST_GROUPS = 12
"""Groups with a table; those with the most cases are shown."""
TABLE = "front-{}"
"""Id of the table of a group."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case on the front.

    Attributes:
        number: its label in the chart, from 1.
        values: texts of the metrics of the group.
        price: against the fastest case, in words; empty for that one.
        is_sure: whether it is on the front for sure, not perhaps.
    """

    number: int
    id: str
    values: tuple[str, ...]
    price: str
    is_sure: bool


@dataclass(frozen=True, slots=True)
class Front:
    """The front of the cases that do the same work.

    Attributes:
        table: id of its table.
        heads: name of each metric, and which direction is better.
        read: what was read for the metrics.
        lacks: whether a case on the front has no value of a metric.
        rows: the fastest case first.
        hidden: cases on the front that the table has no room for.
    """

    table: str
    work: str
    reading: str
    heads: tuple[tuple[str, str], ...]
    read: str
    lacks: bool
    rows: tuple[Row, ...]
    hidden: int


def view(facts: Facts) -> View | None:
    """The fronts of a run; None where no group of cases has two metrics."""
    shown = rivals_of(facts)
    if not shown:
        return None
    fronts = tuple(front(one, TABLE.format(number)) for number, one in enumerate(shown, 1))
    metrics = metrics_of(shown)
    return View(
        id="pareto",
        title="Pareto front: what less memory or more accuracy costs in time",
        navigation="Pareto front",
        template="pareto.html.j2",
        values={
            "fronts": fronts,
            "groups": [columns(one, front, facts) for one, front in zip(shown, fronts, strict=True)],
            "metrics": [{"metric": metric.name, "unit": metric.unit} for metric in metrics],
            "left_out": left_out(facts.groups, [one.group for one in shown]),
        },
        charts=tuple(chart(metric, shown, fronts) for metric in metrics),
    )


def rivals_of(facts: Facts) -> list[Advice]:
    """Groups of cases with two metrics; the one with the most cases first."""
    found = [one for one in facts.groups if len(one.metrics) > 1 and len(one.candidates) > 1]
    return [facts.advice(one) for one in sorted(found, key=lambda one: -len(one.candidates))[:MOST_GROUPS]]


def metrics_of(groups: Sequence[Advice]) -> list[MetricKind]:
    """Metrics with a chart: all but the step time that two cases of a group have."""
    found = {metric.name for one in groups for metric in one.group.metrics if number_of(one, metric) > 1}
    return [metric for name, metric in METRICS.items() if name in found and name != "step_time"]


def number_of(one: Advice, metric: MetricKind) -> int:
    """Number of cases of a group that have a metric."""
    return sum(metric.name in option.candidate.known for option in one.options)


def left_out(found: Sequence[Group], shown: Sequence[Group]) -> str:
    """The sentence about groups without a table; empty if there are none."""
    others = [one for one in found if not any(one is other for other in shown)]
    if not others:
        return ""
    cases = sum(len(one.candidates) for one in others)
    return (
        f"Not shown: {count(cases, 'case')} in {count(len(others), 'group')} of other work, which are smaller or have "
        "step times alone. The command `stepmark recommend` has all."
    )


def front(one: Advice, table: str) -> Front:
    """The front of a group as a table."""
    metrics = one.group.metrics
    on_it = [option for option in one.options if option.on_front != "no"]
    return Front(
        table=table,
        work=work_of(one),
        reading=reading(one, on_it),
        heads=tuple((NAMES[metric.name], f"{metric.better} is better") for metric in metrics),
        read=", ".join(one.group.sources.values()),
        lacks=any(len(option.candidate.known) < len(metrics) for option in on_it),
        rows=tuple(row(number, option, one) for number, option in enumerate(on_it[:MOST_ROWS], 1)),
        hidden=len(on_it[MOST_ROWS:]),
    )


def row(number: int, option: Option, one: Advice) -> Row:
    """A case of the front."""
    known = option.candidate.known
    return Row(
        number=number,
        id=option.candidate.case.id,
        values=tuple(value_text(known.get(metric.name), metric) for metric in one.group.metrics),
        price="" if option is one.options[0] else change_text(option, one.options[0]),
        is_sure=option.on_front == "yes",
    )


def change_text(option: Option, fastest: Option) -> str:
    """`+12.1 % step time, -31.0 % peak memory`: relative to the fastest case."""
    return price(option, fastest).partition(": ")[2]


def reading(one: Advice, on_it: Sequence[Option]) -> str:
    """How many cases are on the front, and the trade between its two ends."""
    sure = sum(option.on_front == "yes" for option in on_it)
    *most, last = (NAMES[metric.name] for metric in one.group.metrics)
    names = f"{', '.join(most)} and {last}"
    perhaps = len(on_it) - sure
    if sure:
        more = f", and {perhaps} perhaps" if perhaps else ""
        answer = f"{sure} {'is' if sure == 1 else 'are'} on the front of {names}{more}"
    else:
        answer = f"{perhaps} are perhaps on the front of {names}, since intervals leave it open"
    first = f"Of {count(len(one.options), 'case')}, {answer}."
    frugal = most_frugal(one)
    if frugal is None or frugal is one.options[0] or one.group.metrics[1].name not in one.options[0].candidate.known:
        return first
    word = "most accurate" if one.group.metrics[1].better == "higher" else "most frugal"
    return f"{first} The {word} case, {frugal.candidate.case.id}, takes {change_text(frugal, one.options[0])}."


def most_frugal(one: Advice) -> Option | None:
    """The case with the best value of the second metric; None if no case has it."""
    metric = one.group.metrics[1]
    sign = 1 if metric.better == "lower" else -1
    having = [option for option in one.options if metric.name in option.candidate.known]
    return min(having, key=lambda option: sign * option.candidate.known[metric.name].value, default=None)


def columns(one: Advice, front: Front, facts: Facts) -> dict[str, Any]:
    """Places of the cases of a group, the front, and values in base units."""
    return {
        "places": [facts.place[option.candidate.case.id] for option in one.options],
        "front": "".join(option.on_front[0] for option in one.options),
        "numbers": numbers(one),
        "reading": front.reading,
        "table": front.table,
        **{
            metric.name: [value_of(option.candidate, metric) for option in one.options]
            for metric in one.group.metrics
            if metric.name != "step_time"
        },
    }


def numbers(one: Advice) -> dict[int, int]:
    """Place in the group -> row of the table, of the cases that it shows."""
    on_it = [place for place, option in enumerate(one.options) if option.on_front != "no"]
    return {place: number for number, place in enumerate(on_it[:MOST_ROWS], 1)}


def value_of(candidate: Candidate, metric: MetricKind) -> float | None:
    """A value in base units, to more digits than the page shows; None without one."""
    known = candidate.known.get(metric.name)
    return None if known is None else rounded(known.value)


def chart(metric: MetricKind, shown: Sequence[Advice], fronts: Sequence[Front]) -> Chart:
    """Step time against another metric; at first, of the largest group that has it."""
    place = next(place for place, one in enumerate(shown) if metric in one.group.metrics)
    return Chart(
        id=f"pareto-{metric.name}",
        title=f"Step time against {NAMES[metric.name]}",
        reading=fronts[place].reading,
        specification=front_chart.specification(shown, metric),
        twin=fronts[place].table,
    )
