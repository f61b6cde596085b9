"""Designs: which cases of a matrix are measured, if not all of them."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from typing import Any, TypeVar

from suite.records import Case
from suite.records.factors import NAMES, Level

FULL, PAIRWISE = "full", "pairwise"
ALLOWED = f"{FULL}, {PAIRWISE}, or a number above 0 and below 1"
DRAW_SEED = "stepmark"
"""Part of what a case is drawn by. Another one draws other cases; it is no option, so that a profile draws the same."""

Design = str | float
"""`full`, `pairwise`, or the fraction of the cases to draw."""
Placed = tuple[int, Level]
"""A level and the place of its factor in a row, counted from 0."""
Pair = tuple[Placed, Placed]
P = TypeVar("P", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Choice:
    """The cases that a design chose from a matrix.

    Attributes:
        cases: the chosen ones, in the order of the matrix.
        matrix_cases: how many the whole matrix has.
        refused: how many a design left out because they cannot run here, by reason. The full design leaves out none.
    """

    design: Design
    cases: list[Case]
    matrix_cases: int
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """The numbers of the choice for a record, as plain values."""
        return {
            "design": self.design,
            "design_cases": len(self.cases),
            "matrix_cases": self.matrix_cases,
            "refused_cases": sum(self.refused.values()),
        }


def is_design(value: object) -> bool:
    """Whether a profile may ask for it: see `ALLOWED`."""
    return value in (FULL, PAIRWISE) if isinstance(value, str) else isinstance(value, float) and 0 < value < 1


def choose(cases: list[Case], design: Design, refusal: Callable[[Case], str]) -> Choice:
    """Choose from a matrix: all cases, or some of those that can run here.

    A design that leaves cases out takes none that would be skipped: a refused case covers nothing. Where no case runs
    here it chooses all of them, so that the record says of each why not.

    Args:
        cases: the whole matrix, in its order.
        design: which.
        refusal: why a case cannot run here; empty where it can.
    """
    reasons = [""] * len(cases) if design == FULL else [refusal(case) for case in cases]
    runnable = [case for case, reason in zip(cases, reasons, strict=True) if not reason]
    if design == FULL or not runnable:
        return Choice(design, cases, len(cases))
    chosen = set(pairwise(runnable) if isinstance(design, str) else random_fraction(runnable, design))
    return Choice(
        design,
        [case for case in runnable if case.id in chosen],
        len(cases),
        dict(Counter(reason for reason in reasons if reason).most_common()),
    )


def random_fraction(cases: Sequence[Case], fraction: float) -> Iterator[str]:
    """Ids of a random fraction of the cases, rounded up.

    Every level is among them, if the number allows it.

    Cases are drawn in the order of a hash of their ids: the same on every machine, in every run and in every order of
    the levels, and a larger fraction draws the same cases and more. The cases that between them hold every level move
    to the front.

    Args:
        cases: at least one.
        fraction: above 0, which draws one case; below 1, which draws all.
    """
    count = math.ceil(Fraction(str(fraction)) * len(cases))  # as written: 0.07 of 100 is 7, not 8
    order = sorted((case.id for case in cases), key=place_in_draw)
    levels = {case.id: set(enumerate(levels_of(case, NAMES))) for case in cases}
    wanted: set[Placed] = set().union(*levels.values())
    first = greedy_cover(order, levels, wanted)
    return iter(list(dict.fromkeys([*first, *order]))[:count])


def place_in_draw(case_id: str) -> bytes:
    """A random-looking key from an id. Python's `hash` differs between processes."""
    return hashlib.sha256(f"{DRAW_SEED} {case_id}".encode()).digest()


def pairwise(cases: Sequence[Case]) -> Iterator[str]:
    """Ids of few cases with every pair of levels of two factors that any case has.

    The array comes from covertable, which gets the pairs that no case holds as constraints. A combination of three
    factors may still be no case. Pairs that the array then misses come from further cases.

    Source: https://github.com/walkframe/covertable, a greedy one-row-at-a-time construction; what it misses is
    covered greedily as well.
    """
    factors = [name for name in NAMES if len({getattr(case, name) for case in cases}) > 1]
    if len(factors) < 2:
        yield from (case.id for case in cases)
        return
    rows = {case.id: levels_of(case, factors) for case in cases}
    pairs = {case_id: set(combinations(enumerate(row), 2)) for case_id, row in rows.items()}
    wanted: set[Pair] = set().union(*pairs.values())
    array = covering_array(list(rows.values()), wanted)
    chosen = [case_id for case_id, row in rows.items() if row in array]
    yield from chosen
    yield from greedy_cover(list(rows), pairs, wanted.difference(*(pairs[case_id] for case_id in chosen)))


def covering_array(rows: Sequence[tuple[Level, ...]], pairs: Set[Pair]) -> set[tuple[Level, ...]]:
    """Combinations of levels that hold each of `pairs`, if the library finds them.

    Args:
        rows: every combination that is a case.
        pairs: `((place, level), (place, level))` for every pair that a case holds, places counted from 0.
    """
    from covertable import make

    levels = [list(dict.fromkeys(column)) for column in zip(*rows, strict=True)]
    held = Counter((first[0], second[0]) for first, second in pairs)
    constraints = [
        {
            "operator": "fn",
            "requires": [one, other],
            "evaluate": lambda row, one=one, other=other: ((one, row[one]), (other, row[other])) in pairs,
        }
        for one, other in combinations(range(len(levels)), 2)
        if held[one, other] < len(levels[one]) * len(levels[other])
    ]
    return {tuple(row) for row in make(levels, constraints=constraints)}


def levels_of(case: Case, factors: Iterable[str]) -> tuple[Level, ...]:
    """The case's levels of these factors."""
    return tuple(getattr(case, name) for name in factors)


def greedy_cover(ids: Sequence[str], parts: Mapping[str, Set[P]], wanted: Set[P]) -> Iterator[str]:
    """Ids that together hold every wanted part, chosen greedily.

    Again and again the first of those that bring most is taken:

        for news in the most that any id brings, ..., 2, 1:
            every id that still brings as many is taken, and what it brings is wanted no longer

    What an id brings can only fall, so that one walk for each number is enough.

    Source: Chvátal 1979, A greedy heuristic for the set-covering problem; the number taken is within a factor of
    ln(parts of an id) + 1 of the least.
    """
    bringing = {one: held for one in ids if (held := parts[one] & wanted)}
    for news in range(max(map(len, bringing.values()), default=0), 0, -1):
        for one, held in bringing.items():
            if len(held & wanted) >= news:
                wanted = wanted - held
                yield one
        if not wanted:
            return
