"""The table of what was learnt: one row for each learning case, the most accurate first."""

from __future__ import annotations

from dataclasses import dataclass

from suite import units
from suite.analysis.case_figures import CaseFigures
from suite.analysis.learning_curves import TARGET_ACCURACY, curves, summary
from suite.report.svg import curve_path, curve_px

ACCURACY_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Learnt:
    """The table, as text and path data.

    Attributes:
        target: the accuracy that counts as having learnt, and how high above the axis it lies in the drawings.
        rows: one for each case that learnt.
    """

    target: str
    target_px: int
    rows: tuple[LearntRow, ...]


@dataclass(frozen=True, slots=True)
class LearntRow:
    """A case: final accuracy with its range over the seeds, a curve for each seed, and what the target took."""

    id: str
    accuracy: str
    spread: str
    paths: tuple[str, ...]
    reached: str
    epochs: str
    steps: str
    seconds: str
    step_time: str


def learnt(ranked: list[CaseFigures]) -> Learnt:
    """The table over those of the ranked cases that learnt."""
    found = [(facts, summary(facts.measurement)) for facts in ranked if curves(facts.measurement)]
    found.sort(key=lambda pair: (-pair[1]["final_accuracy"], pair[1]["seconds_to_target"] or float("inf")))
    return Learnt(
        target=units.text(TARGET_ACCURACY, "ratio", 2),
        target_px=curve_px(TARGET_ACCURACY),
        rows=tuple(row(facts, figures) for facts, figures in found),
    )


def row(facts: CaseFigures, figures: dict[str, float | None]) -> LearntRow:
    """A case's row."""
    return LearntRow(
        id=facts.case.id,
        accuracy=units.text(figures["final_accuracy"], "ratio", ACCURACY_DIGITS),
        spread=units.interval(
            figures["final_accuracy_low"] or 0.0, figures["final_accuracy_high"] or 0.0, "ratio", ACCURACY_DIGITS
        ),
        paths=tuple(curve_path(curve.accuracy) for curve in curves(facts.measurement)),
        reached=f"{figures['seeds_that_reached']} / {figures['seeds']}",
        epochs=units.text(figures["epochs_to_target"], "count", 2),
        steps=units.text(figures["steps_to_target"], "count", 3),
        seconds=units.text(figures["seconds_to_target"], "s", 3),
        step_time=units.text(facts.step_time.median, "s"),
    )
