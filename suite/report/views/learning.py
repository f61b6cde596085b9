"""Table of learning cases, the most accurate first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.analysis.learning_curves import TARGET_ACCURACY, curves, summary
from suite.report.charts import INK, PALETTE, config, names
from suite.report.facts import Facts
from suite.report.svg import curve_path, curve_px
from suite.report.table import HIGHER, LOWER, Column, Drawing, table
from suite.report.view import Chart, View

MOST_CURVES = 40
"""Cases whose curves the charts have, the most accurate; more lines hide each other."""
TARGET = units.text(TARGET_ACCURACY, "ratio", 2)


@dataclass(frozen=True, slots=True)
class Learner:
    """A learning case with the summary of its curves (`learning_curves.summary`)."""

    figures: CaseFigures
    summary: dict[str, Any]


def view(facts: Facts) -> View | None:
    """The table of those of the ranked cases that learn; None without one."""
    found = [Learner(one, summary(one.measurement)) for one in facts.ranked if curves(one.measurement)]
    if not found:
        return None
    found.sort(key=lambda one: (-one.summary["final_accuracy"], one.summary["seconds_to_target"] or float("inf")))
    return View(
        id="learning",
        title="How fast networks learn, and how well",
        navigation="Learning",
        template="learning.html.j2",
        values={
            "table": table("Learning", COLUMNS, found),
            "target": TARGET,
            "hidden": max(0, len(found) - MOST_CURVES),
        },
        charts=(
            accuracy_chart("learning-time", "seconds", "Seconds of training", found),
            accuracy_chart("learning-steps", "steps", "Steps of training", found),
        ),
    )


def accuracy_chart(identifier: str, over: str, title: str, found: Sequence[Learner]) -> Chart:
    """Accuracy over seconds or steps: a line for each seed, the optimizer by colour."""
    y = {"field": "accuracy", "type": "quantitative", "title": "Accuracy (higher is better)", "axis": {"format": "%"}}
    target = {
        "data": {"values": [{"accuracy": TARGET_ACCURACY}]},
        "mark": {"type": "rule", "strokeDash": [4, 4], "color": INK, "opacity": 0.6},
        "encoding": {"y": y},
    }
    return Chart(
        id=identifier,
        title=f"Accuracy over {title.lower()}",
        reading=steps_reading(found) if over == "steps" else seconds_reading(found),
        specification={
            "data": {"name": "cases"},
            "layer": [lines(over, title, y, found), target],
            "width": "container",
            "height": 280,
            "autosize": {"type": "fit-x", "contains": "padding"},
            "config": {**config(), "axisY": {"grid": True}},
        },
        twin="learning-table",
    )


def lines(over: str, title: str, y: Mapping[str, Any], found: Sequence[Learner]) -> dict[str, Any]:
    """The layer of curves, of the cases that the filter shows."""
    optimizers = names([one.figures for one in found], "optimizer")
    colours = [PALETTE[place % len(PALETTE)] for place in range(len(optimizers))]
    cases = {"data": {"name": "cases"}, "key": "id", "fields": ["optimizer"]}
    return {
        "data": {"values": curve_points(found[:MOST_CURVES])},
        "transform": [{"lookup": "id", "from": cases}, {"filter": "isValid(datum.optimizer)"}],
        "mark": {"type": "line", "point": {"size": 16}, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": over, "type": "quantitative", "title": title, "scale": {"nice": False}},
            "y": {**y, "scale": {"zero": False}},
            "color": {"field": "optimizer", "title": "Optimizer", "scale": {"domain": optimizers, "range": colours}},
            "detail": [{"field": "id"}, {"field": "seed"}],
            "tooltip": [
                {"field": "id", "title": "Case"},
                {"field": "seed", "title": "Seed"},
                {"field": over, "title": title, "format": ".3~r"},
                {"field": "accuracy", "title": "Accuracy", "format": ".1%"},
            ],
        },
    }


def curve_points(found: Sequence[Learner]) -> list[dict[str, Any]]:
    """A row for each epoch of each seed."""
    return [
        {
            "id": one.figures.case.id,
            "seed": seed,
            "steps": steps,
            "seconds": four_digits(seconds),
            "accuracy": four_digits(share),
        }
        for one in found
        for seed, curve in enumerate(curves(one.figures.measurement), 1)
        for steps, seconds, share in zip(curve.steps, curve.seconds, curve.accuracy, strict=True)
    ]


def four_digits(value: float) -> float:
    """A number to four digits, more than a chart shows."""
    return float(f"{value:.3e}")


def seconds_reading(found: Sequence[Learner]) -> str:
    """The case that reaches the target accuracy first, and how many reach it."""
    reached = [one for one in found if one.summary["seconds_to_target"] is not None]
    if not reached:
        return f"No case reaches {TARGET}, the dashed line."
    first = min(reached, key=lambda one: one.summary["seconds_to_target"])
    after = units.text(first.summary["seconds_to_target"], "s", 3)
    return (
        f"{first.figures.case.id} reaches {TARGET}, the dashed line, first: after {after}. {count_of(reached, found)}"
    )


def steps_reading(found: Sequence[Learner]) -> str:
    """The case that needs the fewest steps for the target, and the most accurate one."""
    best = found[0]
    final = f"{best.figures.case.id} ends highest, at {units.text(best.summary['final_accuracy'], 'ratio', 3)}."
    reached = [one for one in found if one.summary["steps_to_target"] is not None]
    if not reached:
        return final
    first = min(reached, key=lambda one: one.summary["steps_to_target"])
    steps = f"{first.summary['steps_to_target']:,.0f}"
    return f"{final} {first.figures.case.id} needs the fewest steps to {TARGET}: {steps}."


def count_of(reached: Sequence[Learner], found: Sequence[Learner]) -> str:
    """How many cases reach the target, as a sentence."""
    return f"{len(reached)} of {len(found)} {'case reaches' if len(reached) == 1 else 'cases reach'} it."


def accuracy_range(learner: Learner) -> str:
    """Lowest and highest final accuracy of the seeds."""
    low, high = (learner.summary[f"final_accuracy_{end}"] or 0.0 for end in ("low", "high"))
    return units.interval(low, high, "ratio", 3)


def accuracy_curves(learner: Learner) -> Drawing:
    """A curve of accuracy for each seed."""
    paths = tuple(curve_path(curve.accuracy) for curve in curves(learner.figures.measurement))
    return Drawing(paths, label="accuracy by epoch", target_px=curve_px(TARGET_ACCURACY))


def to_target(what: str, unit: str, digits: int) -> Column[Learner]:
    """The cost of reaching the target accuracy; a dash if no seed did."""
    title = {"epochs": "Epochs", "steps": "Steps", "seconds": "Time"}[what]
    return Column(title, (LOWER,), lambda one: units.text(one.summary[f"{what}_to_target"], unit, digits))


COLUMNS: tuple[Column[Learner], ...] = (
    Column("Case", (), lambda one: one.figures.case.id, is_heading=True),
    Column("Final accuracy", (HIGHER,), lambda one: units.text(one.summary["final_accuracy"], "ratio", 3)),
    Column("Over seeds", ("lowest to highest,", HIGHER), accuracy_range),
    Column("By epoch", (f"0 to 100 %, line at {TARGET},", HIGHER), accuracy_curves),
    Column(
        f"Reached {TARGET}",
        ("of the seeds,", HIGHER),
        lambda one: f"{one.summary['seeds_that_reached']} / {one.summary['seeds']}",
    ),
    to_target("epochs", "count", 2),
    to_target("steps", "count", 3),
    to_target("seconds", "s", 3),
    Column("Step time", (LOWER,), lambda one: one.figures.step_time.median, "s", digits=4),
)
