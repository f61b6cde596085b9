"""Shares of variance, and terms that the measured cases cannot separate.

The model has all main effects and two-way interactions of the factors that vary. The sum of squares of a term is what
it explains beyond all terms that do not contain it: type II. In a full matrix the shares add up to 100 %, with a rest
for interactions of three factors and noise. In an unbalanced one they need not.

A design that chooses a few of very many cases has more interactions than cases. Its shares are those of a model of
main effects alone, and the rest includes all interactions.

Source: Langsrud 2003, "ANOVA for unbalanced data: use type II instead of type III sums of squares".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from suite.effects.dimensions import Dimension, varied
from suite.effects.linear_model import SAME, Design, Floats, Reduced, Term, all_terms
from suite.effects.values import Value
from suite.records.factors import NAMES

MOST_COLUMNS = 300
"""Columns of a model that is decomposed, at most: some seconds on one core."""


@dataclass(frozen=True, slots=True)
class Share:
    """A term of the model.

    Attributes:
        share: of the sum of squares of all responses; None if other terms explain all that it does.
        degrees: independent contrasts of the term that no other term explains.
        own_degrees: independent contrasts of the term alone.
        aliases: terms that it cannot be separated from; empty if `degrees` is `own_degrees`.
    """

    term: Term
    share: float | None
    degrees: int
    own_degrees: int
    aliases: tuple[Term, ...] = ()

    @property
    def is_separate(self) -> bool:
        """Whether the cases separate all of it from the other terms."""
        return self.degrees == self.own_degrees


@dataclass(frozen=True, slots=True)
class Separation:
    """All terms of the model.

    Attributes:
        rest: share that the whole model leaves.
        noise: share that the noise of the cases explains; None where no replicate shows it.
        too_wide: columns of the model with interactions, if they are too many to decompose; 0 otherwise. The shares
            are then those of main effects alone. There are none if these have too many columns as well.
    """

    shares: tuple[Share, ...]
    rest: float
    noise: float | None
    too_wide: int = 0


def design_of(values: Sequence[Value]) -> Design:
    """The factors that vary, and the levels of each case."""
    levels = {name: varied(values, Dimension(name)) for name in NAMES}
    levels = {name: found for name, found in levels.items() if len(found) > 1}
    return Design(levels, [tuple(getattr(value.case, name) for name in levels) for value in values])


def responses_of(values: Sequence[Value]) -> Floats:
    """The responses as an array (cases), about their mean."""
    found = np.array([value.response for value in values])
    return found - math.fsum(found) / len(found)


def separation(values: Sequence[Value]) -> Separation | None:
    """Shares of variance; None if no factor varies, or if all responses are equal."""
    design, responses = design_of(values), responses_of(values)
    total = float(np.sum(responses**2))
    if not design.levels or total <= SAME**2:
        return None
    noise = noise_share(values, total)
    terms = all_terms(design.factors)
    columns = sum(map(design.width, terms))
    too_wide = columns if columns > MOST_COLUMNS else 0
    if too_wide:
        terms = [(factor,) for factor in design.factors]
        if sum(map(design.width, terms)) > MOST_COLUMNS:
            return Separation((), 0.0, noise, too_wide)
    reduced = Reduced.of(design, terms, responses)
    shares = [share_of(reduced, term, terms, total) for term in terms]
    shares.sort(key=lambda one: 0.0 if one.share is None else -one.share)
    return Separation(tuple(shares), max(reduced.residual(terms), 0.0) / total, noise, too_wide)


def share_of(reduced: Reduced, term: Term, terms: Sequence[Term], total: float) -> Share:
    """A term's share, its degrees of freedom, and its aliases if some are lost."""
    others = [one for one in terms if not set(term) <= set(one)]
    lower = [one for one in terms if set(one) < set(term)]
    degrees = reduced.rank([*others, term]) - reduced.rank(others)
    own = reduced.rank([*lower, term]) - reduced.rank(lower)
    share = max(reduced.residual(others) - reduced.residual([*others, term]), 0.0) / total if degrees else None
    aliases = aliases_of(reduced, term, others) if degrees < own else ()
    return Share(term, share, degrees, own, aliases)


def aliases_of(reduced: Reduced, term: Term, others: Sequence[Term]) -> tuple[Term, ...]:
    """Terms any one of which explains a part of this one; none if it takes several."""
    alone = reduced.rank([term])
    return tuple(other for other in others if reduced.rank([other, term]) - reduced.rank([other]) < alone - 1)


def noise_share(values: Sequence[Value], total: float) -> float | None:
    """Share of the sum of squares that noise alone would make, in expectation."""
    errors = [value.error for value in values]
    if None in errors or len(errors) < 2:
        return None
    noise = fmean(error.variance for error in errors if error) * (len(errors) - 1)
    return min(noise / total, 1.0)
