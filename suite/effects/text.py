"""A study of effects as a table for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from suite import units
from suite.analysis.change_text import aligned
from suite.effects import wording
from suite.effects.contrasts import Effect, Interaction
from suite.effects.predictions import Prediction
from suite.effects.separation import Separation, Share
from suite.effects.study import Study
from suite.effects.values import MetricKind
from suite.effects.wording import DASH, count

T = TypeVar("T")

SHOWN = 10
"""Interactions, aliases and predictions that the table has, at most; JSON has all."""
ALL = "`stepmark effects RECORD --format json` has all"
HEAD = ("effect of", "against", "change", "interval", "pairs", "smallest to largest", "networks to come")
INTERACTIONS = ("interaction of", "with", "change", "interval", "sets of 4")
SHARES = ("term", "share of variance", "degrees of freedom")
PREDICTED = ("predicted, not measured", "value", "interval")


def as_table(study: Study) -> str:
    """Sections with a blank line between them; only those with something in them."""
    sections = (
        [*opening(study)],
        [*effects(study)],
        [*interactions(study)],
        [*shares(study.separation)],
        [*predictions(study)],
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def opening(study: Study) -> Iterator[str]:
    """The metric, its source, and the numbers of cases."""
    values = study.values
    better = f"{values.metric.better} is better"
    yield f"{values.metric.name} of {count(len(values.found), 'case')} ({values.source}; {better}); run {study.run_id}"
    others = [f"{number} {outcome}" for outcome, number in study.not_measured.items()]
    if others:
        yield f"not measured: {', '.join(others)}"
    reasons: dict[str, list[str]] = {}
    for case_id, reason in values.left_out:
        reasons.setdefault(reason, []).append(case_id)
    for reason, ids in reasons.items():
        yield f"left out: {ids[0]}{f' and {len(ids) - 1} more' if len(ids) > 1 else ''}: {reason}"
    if study.separation is None and not study.effects:
        yield "no factor with two levels explains a difference between these cases: there is no effect to show"


def effects(study: Study) -> Iterator[str]:
    """A row for each effect, and how to read it."""
    if study.effects:
        yield from aligned([HEAD, *(cells(study.values.metric, effect) for effect in shown_effects(study))], {0, 1})
    yield from effect_notes(study)


def shown_effects(study: Study) -> list[Effect]:
    """The effects without those of attributes that differ in the same cases as others."""
    return once(study.effects, lambda effect: effect.shown_by or effect)


def effect_notes(study: Study) -> Iterator[str]:
    """How to read the effects, and which are missing."""
    metric = study.values.metric
    if study.effects:
        yield (
            f"change: {'geometric mean' if metric.is_ratio else 'mean difference'} over pairs of cases that differ in "
            "this level alone; interval: 95 % each, for these cases in this run"
        )
    if any(effect.networks for effect in study.effects):
        yield "networks to come: 95 % interval of the mean over networks, if those measured were drawn at random"
    if any(effect.size.low is None for effect in study.effects):
        yield "no interval: each case was read once"
    modelled = [effect for effect in study.effects if not effect.is_matched]
    if modelled:
        yield (
            f"{count(len(modelled), 'effect')} without pairs: from a model of main effects, which holds only as far as "
            "factors do not interact"
        )
    if study.unknown:
        named = ", ".join(wording.level(*one) for one in study.unknown[:SHOWN])
        more = f" and {len(study.unknown) - SHOWN} more" if len(study.unknown) > SHOWN else ""
        yield f"no effect is known of {named}{more}: no two cases differ in it alone"


def once(found: Iterable[T], key: Callable[[T], object]) -> list[T]:
    """The first of those with the same key.

    So a factor is shown, and no attribute that differs in the same cases.
    """
    kept: dict[object, T] = {}
    for one in found:
        kept.setdefault(key(one), one)
    return list(kept.values())


def cells(metric: MetricKind, effect: Effect) -> tuple[str, ...]:
    """One row of the table of effects."""
    sizes = effect.matched.middles() if effect.matched else []
    return (
        wording.level(effect.dimension, effect.level),
        str(effect.against),
        wording.change(metric, effect.size.middle),
        wording.interval(metric, effect.size),
        str(effect.pairs_count) if effect.matched else "model",
        wording.between(metric, min(sizes), max(sizes)) if sizes else DASH,
        wording.interval(metric, effect.networks),
    )


def interactions(study: Study) -> Iterator[str]:
    """The largest clear interactions, and a count of the others."""
    shown = clear_interactions(study)[:SHOWN]
    if shown:
        yield from aligned([INTERACTIONS, *(interaction_cells(study.values.metric, one) for one in shown)], {0, 1})
    yield from interaction_notes(study)


def clear_interactions(study: Study) -> list[Interaction]:
    """Those that are not zero for sure, the largest first."""
    return once(filter(is_clear, study.interactions), lambda one: (one.size, one.contexts))


def interaction_notes(study: Study) -> Iterator[str]:
    """How to read the interactions, and how many are not shown."""
    clear = clear_interactions(study)
    if clear:
        yield (
            "change: how much larger the effect of the first level is with the second level than with the level after "
            '"against"'
        )
    hidden, open_ones = len(clear[SHOWN:]), sum(not is_clear(one) for one in study.interactions)
    others = [f"{count(hidden, 'smaller interaction')}"] if hidden else []
    others += [f"{count(open_ones, 'interaction')} whose interval includes zero"] if open_ones else []
    if others:
        yield f"not shown: {', '.join(others)}; {ALL}"


def is_clear(interaction: Interaction) -> bool:
    """Whether the interval excludes zero; or the size does, without an interval."""
    size = interaction.size
    if size.low is None or size.high is None:
        return size.middle != 0
    return size.low > 0 or size.high < 0


def interaction_cells(metric: MetricKind, one: Interaction) -> tuple[str, ...]:
    """One row of the table of interactions."""
    first, second = (
        f"{wording.level(name, level)} against {other}"
        for name, level, other in zip(one.dimensions, one.levels, one.against, strict=True)
    )
    size = one.size
    return first, second, wording.change(metric, size.middle), wording.interval(metric, size), str(one.contexts)


def shares(separated: Separation | None) -> Iterator[str]:
    """Shares of variance, and what cannot be separated."""
    if separated is None:
        return
    if separated.shares:
        rows = [(wording.term(one.term), units.percent(one.share or 0.0), str(one.degrees)) for one in known(separated)]
        yield from aligned([SHARES, *rows, ("rest", units.percent(separated.rest), DASH)], {0})
    yield from share_notes(separated)


def known(separated: Separation) -> list[Share]:
    """The terms that explain something which no other term does; the largest first."""
    return [one for one in separated.shares if one.share is not None]


def share_notes(separated: Separation) -> Iterator[str]:
    """How to read the shares, and what cannot be separated."""
    if separated.too_wide and not separated.shares:
        yield f"no share of variance: a model of {separated.too_wide:,} columns is too large; -k selects fewer cases"
        return
    noise = "" if separated.noise is None else f"; noise alone would explain {units.percent(separated.noise)}"
    yield f"type II sums of squares: what a term explains beyond all terms that do not contain it{noise}"
    if separated.too_wide:
        yield (
            f"main effects alone: a model with interactions has {separated.too_wide:,} columns, which is too large; "
            "the rest includes all interactions"
        )
    found = known(separated)
    if len(found) < len(separated.shares) or not math.isclose(sum_of(found) + separated.rest, 1.0, abs_tol=0.001):
        yield "the shares do not add up to 100 %, because the cases are no full matrix"
    mixed = [one for one in separated.shares if not one.is_separate]
    for one in mixed[:SHOWN]:
        aliases = ", ".join(map(wording.term, one.aliases)) or "several other terms"
        whole = "cannot be separated from" if not one.degrees else "is only partly separate from"
        yield f"{wording.term(one.term)} {whole} {aliases}"
    if len(mixed) > SHOWN:
        yield f"{len(mixed) - SHOWN} more terms cannot be separated; {ALL}"


def sum_of(found: Sequence[Share]) -> float:
    """Sum of the shares."""
    return math.fsum(one.share or 0.0 for one in found)


def predictions(study: Study) -> Iterator[str]:
    """The best predicted cases, the check of the model, and counts of the others."""
    metric, found = study.values.metric, study.predictions.found
    if found:
        rows = [prediction_cells(metric, one) for one in found[:SHOWN]]
        yield from aligned([PREDICTED, *rows], {0})
    yield from prediction_notes(study)


def prediction_cells(metric: MetricKind, one: Prediction) -> tuple[str, str, str]:
    """One row of the table of predictions."""
    return one.id, wording.value(metric, one.size.middle), ends(metric, one.size.low, one.size.high)


def prediction_notes(study: Study) -> Iterator[str]:
    """The model, its check, and counts of cases that are not predicted."""
    found = study.predictions
    if found.found:
        terms = ", ".join(map(wording.term, found.terms))
        yield (
            f"{count(len(found.found), 'case')} predicted from {terms}; check: {found.held} of {found.checked} "
            "measured cases are in the 95 % interval that the other cases predict"
        )
    if found.reason:
        yield f"no case is predicted: {found.reason}"
    if found.undetermined:
        yield f"{count(found.undetermined, 'case')} not predicted: the measured cases do not determine them"
    if found.unknown:
        yield f"{count(found.unknown, 'combination')} not predicted: the record does not show that they can run"


def ends(metric: MetricKind, low: float | None, high: float | None) -> str:
    """An interval of values: `12.1 to 14.9 ms`."""
    values: Sequence[float | None] = (wording.in_unit(metric, low), wording.in_unit(metric, high))
    return " to ".join(units.text(one, metric.unit) for one in values)
