"""The Pareto front: the cases that no other case beats in every metric, and what each costs against the fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suite.effects.advice_text import NAMES, price, value_text, work_of
from suite.effects.candidates import Candidate, groups_of
from suite.effects.limits import OPTIONS
from suite.effects.recommendation import Advice, Option, advice
from suite.effects.values import MetricKind
from suite.effects.wording import count
from suite.report import front_chart
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
        place: in the ranking, from 0.
        values: texts of the metrics of the group.
        price: against the fastest case, in words; empty for that one.
        is_sure: whether it is on the front for sure, not perhaps.
    """

    number: int
    place: int
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
        rows: the fastest case first.
        hidden: cases on the front that the table has no room for.
    """

    table: str
    work: str
    reading: str
    heads: tuple[tuple[str, str], ...]
    read: str
    rows: tuple[Row, ...]
    hidden: int


def view(facts: Facts) -> View | None:
    """The fronts of a run; None where no group of cases has two metrics."""
    if not facts.ranked:
        return None
    found = [advice(group, ()) for group in groups_of(facts.run, figures=facts.figures)]
    rivals = [one for one in found if len(one.group.metrics) > 1 and len(one.options) > 1]
    if not rivals:
        return None
    rivals.sort(key=lambda one: -len(one.options))
    shown = rivals[:MOST_GROUPS]
    fronts = tuple(front(one, TABLE.format(number), facts) for number, one in enumerate(shown, 1))
    return View(
        id="pareto",
        title="Pareto front: what less memory or more accuracy costs in time",
        navigation="Pareto front",
        template="pareto.html.j2",
        values={
            "fronts": fronts,
            "groups": [columns(one, facts) for one in shown],
            "limits": limits(shown),
            "left_out": left_out(found, shown),
        },
        charts=tuple(charts(shown, fronts)),
    )


def left_out(found: Sequence[Advice], shown: Sequence[Advice]) -> str:
    """The sentence about groups without a table; empty if there are none."""
    others = [one for one in found if one not in shown]
    if not others:
        return ""
    cases = sum(len(one.options) for one in others)
    return (
        f"Not shown: {count(len(others), 'group')} of {count(cases, 'case')} that {'does' if len(others) == 1 else 'do'} "
        "other work, or that have step times alone. `stepmark recommend RECORD` has all."
    )


def front(one: Advice, table: str, facts: Facts) -> Front:
    """The front of a group as a table."""
    metrics = one.group.metrics
    on_it = [option for option in one.options if option.on_front != "no"]
    return Front(
        table=table,
        work=work_of(one),
        reading=reading(one, on_it),
        heads=tuple((NAMES[metric.name], f"{metric.better} is better") for metric in metrics),
        read=", ".join(one.group.sources.values()),
        rows=tuple(row(number, option, one, facts) for number, option in enumerate(on_it[:MOST_ROWS], 1)),
        hidden=len(on_it[MOST_ROWS:]),
    )


def row(number: int, option: Option, one: Advice, facts: Facts) -> Row:
    """A case of the front."""
    known = option.candidate.known
    return Row(
        number=number,
        place=facts.place[option.candidate.case.id],
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
    perhaps = f", and {len(on_it) - sure} more perhaps" if len(on_it) > sure else ""
    names = " and ".join(NAMES[metric.name] for metric in one.group.metrics)
    is_are = "is" if sure == 1 else "are"
    first = f"{sure} of {count(len(one.options), 'case')} {is_are} on the front of {names}{perhaps}."
    frugal = most_frugal(one)
    if frugal is None or frugal is one.options[0]:
        return first
    return f"{first} The most frugal case, {frugal.candidate.case.id}, takes {change_text(frugal, one.options[0])}."


def most_frugal(one: Advice) -> Option | None:
    """The case with the least of the second metric, or the most accurate one; None if no case has it."""
    metric = one.group.metrics[1]
    sign = 1 if metric.better == "lower" else -1
    having = [option for option in one.options if metric.name in option.candidate.known]
    return min(having, key=lambda option: sign * option.candidate.known[metric.name].value, default=None)


def columns(one: Advice, facts: Facts) -> dict[str, Any]:
    """What the page's script knows of a group: places of its cases, the front, and values in base units."""
    return {
        "work": work_of(one),
        "places": [facts.place[option.candidate.case.id] for option in one.options],
        "front": "".join(option.on_front[0] for option in one.options),
        **{
            metric.name: [rounded(option.candidate, metric) for option in one.options] for metric in one.group.metrics
        },
        "low": [float(f"{option.candidate.known['step_time'].low:.3e}") for option in one.options],
        "high": [float(f"{option.candidate.known['step_time'].high:.3e}") for option in one.options],
    }


def rounded(candidate: Candidate, metric: MetricKind) -> float | None:
    """A value to the digits that the page shows; None without one."""
    known = candidate.known.get(metric.name)
    return None if known is None else float(f"{known.value:.3e}")


def limits(shown: Sequence[Advice]) -> list[dict[str, str]]:
    """A ruler for each metric of the groups but the step time."""
    names = {metric.name: metric for one in shown for metric in one.group.metrics}
    return [
        {"metric": name, "name": NAMES[name], "option": option, "unit": names[name].unit, "better": names[name].better}
        for option, (name, _) in OPTIONS.items()
        if name in names and name != "step_time"
    ]


def charts(shown: Sequence[Advice], fronts: Sequence[Front]) -> list[Chart]:
    """Step time against each other metric, for the largest group that has it."""
    made = []
    for limit in limits(shown):
        place = next(place for place, one in enumerate(shown) if has(one, limit["metric"]))
        metric = next(kind for kind in shown[place].group.metrics if kind.name == limit["metric"])
        made.append(
            Chart(
                id=f"pareto-{metric.name}",
                title=f"Step time against {NAMES[metric.name]}",
                reading=fronts[place].reading,
                specification=front_chart.specification([one for one in shown if has(one, metric.name)], metric),
                twin=fronts[place].table,
            )
        )
    return made


def has(one: Advice, name: str) -> bool:
    """Whether any case of a group has a metric."""
    return any(metric.name == name for metric in one.group.metrics)
