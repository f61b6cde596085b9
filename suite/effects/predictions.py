"""Predicted values of cases that were not measured, by a linear model.

    log value = constant + one term for each level of each factor (+ two-way interactions, if the cases determine them)

The interval of a prediction holds the value that the case would have in this run: it allows for noise and for whatever
the model has no terms for, as far as the residuals show that. Cases that cannot run are not predicted:

- A case that the record skipped or failed has a reason instead of a value.
- A case that was planned and has no outcome can run as far as is known.
- A design other than `full` takes only cases that run. If it refused none, each combination of levels runs.
- Otherwise only combinations are predicted of which every pair of levels was measured together.

Source: Stone 1974, "Cross-validatory choice and assessment of statistical predictions", for the choice of the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from typing import Any

import numpy as np

from suite.effects.contrasts import Effect
from suite.effects.dimensions import Dimension
from suite.effects.linear_model import Design, Fit, Floats, Term
from suite.effects.separation import Separation, design_of, responses_of
from suite.effects.sizes import Size
from suite.effects.values import Selects, Value
from suite.records import Case, Run
from suite.records.factors import NAMES, Level

MOST_COMBINATIONS = 100_000
"""Combinations of levels that are looked at, at most."""
MOST_PREDICTED = 20_000
"""Cases that are predicted, at most."""
MOST_CELLS = 20_000_000
"""Numbers in the matrix of a model, at most: 160 MB."""
SCORED = 0.5
"""Share of the cases that the larger model must predict from others, at least, to be chosen."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A case that was not measured.

    Attributes:
        size: of the response.
    """

    id: str
    size: Size


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predicted cases, and how the model does on cases that were measured.

    Attributes:
        terms: of the model.
        found: the best one first.
        held, checked: measured cases within the interval that the other cases predict, of how many.
        unknown: combinations without a prediction, since the record does not show that they run.
        undetermined: combinations that run, and that the measured cases do not determine.
        reason: why nothing can be predicted; empty if something can be, or if no combination is left.
    """

    terms: tuple[Term, ...] = ()
    found: tuple[Prediction, ...] = ()
    held: int = 0
    checked: int = 0
    unknown: int = 0
    undetermined: int = 0
    reason: str = ""


def predictions(
    run: Run, values: Sequence[Value], separated: Separation | None, *, lower_is_better: bool, selects: Selects
) -> Predictions:
    """Predict the combinations of measured levels that the record has no outcome for."""
    design = design_of(values)
    cells = math.prod(map(len, design.levels.values()))
    if cells > MOST_COMBINATIONS:
        return Predictions(
            reason=f"{cells:,} combinations of levels are too many; allowed: up to {MOST_COMBINATIONS:,}"
        )
    wanted, unknown = left_out(run, values, design, selects)
    if not wanted:
        return Predictions(unknown=unknown)
    model = chosen_model(design, responses_of(values), separated)
    if model is None:
        reason = "the measured cases are too few to say how far a model is off"
        return Predictions(unknown=unknown, reason=reason)
    middle = math.fsum(value.response for value in values) / len(values)
    rows = [row_of(case, design) for case in wanted]
    found = []
    for case, row in zip(wanted, model.design.matrix(model.terms, rows), strict=True):
        size = model.prediction(row)
        if size is not None:
            found.append(Prediction(case.id, shifted(size, middle)))
    found.sort(key=lambda one: (one.size.middle if lower_is_better else -one.size.middle, one.id))
    held, checked = model.held()
    return Predictions(model.terms, tuple(found), held, checked, unknown, len(wanted) - len(found))


def shifted(size: Size, by: float) -> Size:
    """A size with another zero."""
    low, high = (None if end is None else end + by for end in (size.low, size.high))
    return Size(size.middle + by, low, high)


def row_of(case: Case, design: Design) -> tuple[Level, ...]:
    """The levels of a case, in the order of a design."""
    return tuple(getattr(case, factor) for factor in design.factors)


def left_out(run: Run, values: Sequence[Value], design: Design, selects: Selects) -> tuple[list[Case], int]:
    """Cases to predict, and how many others the record does not show to run."""
    with_outcome = {record.case.id for record in run.cases}
    together = {pair for value in values for pair in level_pairs(value.case)}
    missing, all_run = set(run.missing), every_combination_runs(run)
    wanted, unknown = [], 0
    for case in combinations_of(values[0].case, design):
        if case.id in with_outcome or not selects(case.id):
            continue
        if case.id in missing or all_run or all(pair in together for pair in level_pairs(case)):
            wanted.append(case)
        else:
            unknown += 1
    return list(islice(wanted, MOST_PREDICTED)), unknown + max(len(wanted) - MOST_PREDICTED, 0)


def combinations_of(like: Case, design: Design) -> Iterator[Case]:
    """A case for each combination of levels; all else is that of one case."""
    same: dict[str, Any] = {name: getattr(like, name) for name in NAMES if name not in design.levels}
    for levels in product(*design.levels.values()):
        fields = same | dict(zip(design.factors, levels, strict=True))
        yield Case(**fields)


def level_pairs(case: Case) -> Iterator[tuple[tuple[str, Level], ...]]:
    """Each two levels of a case."""
    return combinations([(name, getattr(case, name)) for name in NAMES], 2)


def every_combination_runs(run: Run) -> bool:
    """Whether the design chose from all combinations of the levels and refused none."""
    selection = run.header.selection
    measured = [record.case for record in run.cases if record.outcome == "measured"]
    cells = math.prod(len({getattr(case, name) for case in measured}) for name in NAMES)
    is_some = selection.get("design", "full") != "full"
    return is_some and selection.get("refused_cases") == 0 and selection.get("matrix_cases") == cells


def chosen_model(design: Design, responses: Floats, separated: Separation | None) -> Fit | None:
    """Main effects, or with interactions if those predict measured cases better."""
    mains: list[Term] = [(factor,) for factor in design.factors]
    if len(responses) * sum(map(design.width, mains)) > MOST_CELLS:
        return None
    small = Fit(design, tuple(mains), responses)
    shares = separated.shares if separated else ()
    pairs = [one.term for one in shares if len(one.term) == 2 and one.degrees == design.width(one.term)]
    large = Fit(design, (*mains, *pairs), responses) if pairs else small
    if large.is_known and predicts_better(large, small):
        return large
    return small if small.is_known else None


def predicts_better(one: Fit, other: Fit) -> bool:
    """Whether a model predicts cases that it is not fitted to more closely."""
    errors, others = one.left_out_errors(), other.left_out_errors()
    both = np.isfinite(errors) & np.isfinite(others)
    if np.sum(both) < SCORED * len(errors):
        return False
    return bool(np.sum(errors[both] ** 2) < np.sum(others[both] ** 2))


def additive_effects(values: Sequence[Value], matched: Sequence[Effect]) -> list[Effect]:
    """Effects of levels without a matched pair, by the model of main effects alone."""
    design = design_of(values)
    known = {(one.dimension, one.level) for one in matched}
    missing = [
        (factor, level)
        for factor, levels in design.levels.items()
        for level in levels[1:]
        if (factor, level) not in known
    ]
    terms: tuple[Term, ...] = tuple((factor,) for factor in design.factors)
    if not missing or len(values) * sum(map(design.width, terms)) > MOST_CELLS:
        return []
    model = Fit(design, terms, responses_of(values))
    made = []
    for factor, level in missing:
        against = design.levels[factor][0]
        one, other = model.design.matrix(terms, [like(design, factor, each) for each in (level, against)])
        size = model.contrast(one - other)
        if size is not None:
            made.append(Effect(Dimension(factor).name, level, against, size, None, 0, None, len(values)))
    return made


def like(design: Design, factor: str, level: Level) -> tuple[Level, ...]:
    """A row with a level, and the first level of every other factor."""
    return tuple(level if name == factor else levels[0] for name, levels in design.levels.items())
