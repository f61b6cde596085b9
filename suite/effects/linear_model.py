"""Terms of factors as columns of a linear model, fitted by least squares.

Columns of a factor sum to zero over its levels: 1 for a case with a level, -1 for one with the first level, 0 for
others, for each level but the first. Those of an interaction are their products. One QR decomposition makes all columns
small: residual sums of squares, ranks and products are those of the triangular factor.

Source: Golub and Van Loan 2013, "Matrix computations", section 5.3 (QR); Searle 1971, "Linear models", chapter 5, for
    estimable functions where the columns are dependent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from suite.analysis.estimates import CONFIDENCE, student_between
from suite.effects.sizes import Size
from suite.records.factors import Level

Floats = NDArray[np.float64]
Term = tuple[str, ...]
"""Factors of a term: one for a main effect, two for an interaction."""

SAME = 1e-8
"""Relative size below which a number is rounding."""
FEWEST_DEGREES = 2
"""Degrees of freedom of the residuals from which a model says how far it is off."""


@dataclass(frozen=True)
class Design:
    """Cases as levels of factors, in the order of the responses.

    Attributes:
        levels: of each factor, the first one without a column.
        rows: the levels of each case, in the order of the factors.
    """

    levels: Mapping[str, Sequence[Level]]
    rows: Sequence[tuple[Level, ...]]

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors that vary."""
        return tuple(self.levels)

    def columns(self, term: Term, rows: Sequence[tuple[Level, ...]] | None = None) -> Floats:
        """The columns of a term (cases, contrasts); rows with an unknown level have NaN."""
        rows = self.rows if rows is None else rows
        made = np.ones((len(rows), 1))
        for factor in term:
            column = self.factors.index(factor)
            places = {level: place for place, level in enumerate(self.levels[factor])}
            codes = np.array([places.get(row[column], -1) for row in rows])
            own = (codes[:, None] == np.arange(1, len(places))[None, :]).astype(float)
            own[codes == 0] = -1.0
            own[codes < 0] = math.nan
            made = (made[:, :, None] * own[:, None, :]).reshape(len(rows), -1)
        return made

    def matrix(self, terms: Sequence[Term], rows: Sequence[tuple[Level, ...]] | None = None) -> Floats:
        """A column of ones and the columns of all terms."""
        count = len(self.rows if rows is None else rows)
        return np.column_stack([np.ones(count), *(self.columns(term, rows) for term in terms)])

    def width(self, term: Term) -> int:
        """Columns of a term."""
        return math.prod(len(self.levels[factor]) - 1 for factor in term)


@dataclass(frozen=True)
class Reduced:
    """A matrix of all terms and the responses, reduced to its triangular factor.

    Attributes:
        places: columns of each term; column 0 is that of ones, the last one that of the responses.
        known: rank and residual of sets of terms.
    """

    triangle: Floats
    places: Mapping[Term, list[int]]
    known: dict[frozenset[Term], tuple[int, float]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, design: Design, terms: Sequence[Term], responses: Floats) -> Reduced:
        """Reduce all columns at once."""
        places: dict[Term, list[int]] = {}
        end = 1
        for term in terms:
            places[term] = list(range(end, end + design.width(term)))
            end += design.width(term)
        whole = np.column_stack([design.matrix(terms), responses])
        return cls(np.asarray(np.linalg.qr(whole, mode="r")), places)

    def part(self, terms: Sequence[Term]) -> Floats:
        """Reduced columns of ones and of some terms."""
        return self.triangle[:, [0, *(place for term in terms for place in self.places[term])]]

    def rank(self, terms: Sequence[Term]) -> int:
        """Number of independent columns, that of ones included."""
        return self.explained(terms)[0]

    def residual(self, terms: Sequence[Term]) -> float:
        """Sum of squares that these terms leave."""
        return self.explained(terms)[1]

    def explained(self, terms: Sequence[Term]) -> tuple[int, float]:
        """Rank and residual of some terms, computed once for each set of them."""
        key = frozenset(terms)
        if key not in self.known:
            basis = basis_of(self.part(sorted(key)))[0]
            responses = self.triangle[:, -1]
            left = responses - basis @ (basis.T @ responses)
            self.known[key] = basis.shape[1], float(np.sum(left**2))
        return self.known[key]


def basis_of(matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """Singular vectors and values of a matrix, without those that are rounding."""
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    kept = sizes > SAME * max(sizes.max(initial=0.0), 1.0)
    return left[:, kept], sizes[kept], right[kept]


@dataclass(frozen=True)
class Fit:
    """A model with some terms, fitted by least squares to the responses."""

    design: Design
    terms: tuple[Term, ...]
    responses: Floats

    @cached_property
    def _parts(self) -> tuple[Floats, Floats, Floats]:
        return basis_of(self.design.matrix(self.terms))

    @cached_property
    def _coefficients(self) -> Floats:
        left, sizes, right = self._parts
        return np.asarray(right.T @ ((left.T @ self.responses) / sizes))

    @cached_property
    def leverages(self) -> Floats:
        """How much of each fitted value is the case's own response, from 0 to 1."""
        return np.asarray(np.sum(self._parts[0] ** 2, axis=1))

    @cached_property
    def residuals(self) -> Floats:
        """Responses without the fitted values."""
        left = self._parts[0]
        return np.asarray(self.responses - left @ (left.T @ self.responses))

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the residuals."""
        return len(self.responses) - len(self._parts[1])

    @property
    def variance(self) -> float:
        """Variance of a case about the model: noise, and all that it has no terms for."""
        return float(np.sum(self.residuals**2)) / self.degrees

    @property
    def is_known(self) -> bool:
        """Whether the residuals say how far the model is off."""
        return self.degrees >= FEWEST_DEGREES

    def left_out_errors(self) -> Floats:
        """Error of the prediction of each case from all others; NaN where they cannot."""
        free = 1 - self.leverages
        errors = np.full(len(free), math.nan)
        some = free > SAME
        errors[some] = self.residuals[some] / free[some]
        return errors

    def held(self) -> tuple[int, int]:
        """How many cases lie within the interval that the others predict, of how many.

        Source: Cook and Weisberg 1982, "Residuals and influence in regression", section 2.2, for the residual and
            the variance without a case.
        """
        degrees = self.degrees - 1
        if degrees < 1:
            return 0, 0
        free, total = 1 - self.leverages, float(np.sum(self.residuals**2))
        reach = student_between((1 + CONFIDENCE) / 2, degrees)
        inside = counted = 0
        for residual, share in zip(self.residuals, free, strict=True):
            if share > SAME:
                without = max(total - residual**2 / share, 0.0) / degrees
                counted += 1
                inside += bool(abs(residual) / share <= reach * math.sqrt(without / share) + SAME)
        return inside, counted

    def contrast(self, difference: Floats) -> Size | None:
        """A weighted sum of coefficients; None where the cases do not determine it."""
        return self._size(difference, 0.0)

    def prediction(self, row: Floats) -> Size | None:
        """Response of one more case with these columns; None where it is not determined."""
        return self._size(row, 1.0)

    def _size(self, weights: Floats, own: float) -> Size | None:
        _, sizes, right = self._parts
        inside = right @ weights
        outside = float(np.sum(weights**2) - np.sum(inside**2))
        if not self.is_known or not outside <= SAME * max(float(np.sum(weights**2)), 1.0):
            return None
        middle = float(weights @ self._coefficients)
        error = math.sqrt(self.variance * (own + float(np.sum((inside / sizes) ** 2))))
        reach = student_between((1 + CONFIDENCE) / 2, self.degrees) * error
        return Size(middle, middle - reach, middle + reach)


def all_terms(factors: Sequence[str]) -> list[Term]:
    """Main effects, then two-way interactions."""
    pairs = [(one, other) for place, one in enumerate(factors) for other in factors[place + 1 :]]
    return [*((factor,) for factor in factors), *pairs]
