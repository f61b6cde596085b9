"""All that a run says about the effects of levels on one metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suite.analysis.case_figures import CaseFigures
from suite.effects.contrasts import Effect, Interaction, dimension_pairs, interactions, main_effects
from suite.effects.dimensions import DIMENSIONS, varied
from suite.effects.predictions import Predictions, additive_effects, predictions
from suite.effects.separation import Separation, separation
from suite.effects.values import Selects, Values, values_of
from suite.records import Run
from suite.records.factors import Level


@dataclass(frozen=True, slots=True)
class Study:
    """The effects of levels on one metric.

    Attributes:
        not_measured: numbers of selected cases by outcome: skipped, failed, missing.
        effects: in the order of the factors; those of attributes last.
        unknown: dimension and level of each level without an effect.
        interactions: the largest first.
        separation: None if no factor varies.
    """

    run_id: str
    values: Values
    not_measured: dict[str, int]
    effects: tuple[Effect, ...]
    unknown: tuple[tuple[str, Level], ...]
    interactions: tuple[Interaction, ...]
    separation: Separation | None
    predictions: Predictions


def study(
    run: Run, metric: str, selects: Selects = lambda _: True, figures: Mapping[str, CaseFigures] | None = None
) -> Study:
    """Estimate all effects on a metric among the selected cases.

    The arguments are those of `values_of`.

    Raises:
        StepmarkError: no selected case was measured, or none has the metric.
    """
    values = values_of(run, metric, selects, figures)
    found = values.found
    dimensions = [dimension for dimension in DIMENSIONS if len(varied(found, dimension)) > 1]
    matched = [effect for dimension in dimensions for effect in main_effects(found, dimension)]
    effects = [*matched, *additive_effects(found, matched)]
    effects.sort(key=lambda effect: place_of(effect.dimension))
    between = [one for pair in dimension_pairs(dimensions) for one in interactions(found, *pair)]
    separated = separation(found)
    return Study(
        run_id=run.header.run_id,
        values=values,
        not_measured=not_measured(run, selects),
        effects=tuple(effects),
        unknown=tuple(unknown_levels(values, effects)),
        interactions=tuple(sorted(between, key=lambda one: -abs(one.size.middle))),
        separation=separated,
        predictions=predictions(
            run, found, separated, lower_is_better=values.metric.better == "lower", selects=selects
        ),
    )


def place_of(dimension: str) -> int:
    """The place of a dimension in the order of all."""
    return [one.name for one in DIMENSIONS].index(dimension)


def not_measured(run: Run, selects: Selects) -> dict[str, int]:
    """Numbers of selected cases without a measurement, by outcome."""
    counts = Counter(record.outcome for record in run.cases if selects(record.case.id))
    missing = sum(map(selects, run.missing))
    found = {"skipped": counts["skipped"], "failed": counts["failed"], "missing": missing}
    return {outcome: count for outcome, count in found.items() if count}


def unknown_levels(values: Values, effects: Sequence[Effect]) -> list[tuple[str, Level]]:
    """Levels that vary, and whose effect the cases do not show."""
    known = {(effect.dimension, level) for effect in effects for level in (effect.level, effect.against)}
    return [
        (dimension.name, level)
        for dimension in DIMENSIONS
        for level in varied(values.found, dimension)[1:]
        if (dimension.name, level) not in known
    ]
