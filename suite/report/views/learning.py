"""Table of learning cases, the most accurate first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.analysis.learning_curves import TARGET_ACCURACY, curves, summary
from suite.report.facts import Facts
from suite.report.svg import curve_path, curve_px
from suite.report.table import HIGHER, LOWER, Column, Drawing, table
from suite.report.view import View

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
        title="Learning",
        navigation="Learning",
        template="learning.html.j2",
        values={"table": table("Learning", COLUMNS, found), "target": TARGET},
    )


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
    Column("Over seeds", ("lowest to highest",), accuracy_range),
    Column("By epoch", (f"0 to 100 %, line at {TARGET}",), accuracy_curves),
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
