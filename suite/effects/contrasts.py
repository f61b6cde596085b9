"""Matched cases -> main effects and two-way interactions.

    effect of A against B       = mean over contexts of (A - B)
    interaction of A, B with C, D = mean over contexts of (A and C - B and C) - (A and D - B and D)

A context is everything else in which the compared cases agree, and all of them are in the record: nothing is assumed
of the cases that are not. The values are responses (`suite.effects.values`), logs of step times for example. An
interval is about the cases measured, as this run would have them with many more visits. docs/decisions/0038 has the
reasons.

Source: Cochran and Cox 1957, "Experimental designs", section 5.2, for effects and interactions as contrasts;
    Satterthwaite 1946, "An approximate distribution of estimates of variance components".
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean, stdev

from suite.analysis.estimates import CONFIDENCE, student_between
from suite.effects.dimensions import Dimension, contexts, records_of, varied
from suite.effects.responses import Responses, Weights
from suite.effects.sizes import Contrast, Size
from suite.effects.values import Value
from suite.records.factors import Level

FEWEST_NETWORKS = 3
"""Networks from which the spread of an effect between networks is estimated."""
NETWORKS = ("structure", "task")
"""Factors of which the networks are the levels: their effects are not averaged over networks."""

Cells = dict[Hashable, dict[Hashable, list[int]]]
"""Context -> level -> places of its cases."""
Sides = tuple[Sequence[int], Sequence[int]]
"""Places of the cases of one context with a level, and with the level that it is compared with."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sides of one context: mostly one case each.

    Attributes:
        ids, against_ids: cases with the level, and with the level that it is compared with.
        contrast: the difference of both sides.
    """

    ids: tuple[str, ...]
    against_ids: tuple[str, ...]
    contrast: Contrast

    @property
    def size(self) -> Size:
        """The difference with its interval."""
        return self.contrast.size


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Cases of two levels, matched by their contexts; equal if their pairs are."""

    values: Sequence[Value]
    responses: Responses
    sides: Sequence[Sides]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matched) and self.pairs() == other.pairs()

    def __hash__(self) -> int:
        return hash(self.pairs())

    def weights(self) -> Weights:
        """Weights of the difference of both sides, context by context."""
        return Weights.of_means(chain.from_iterable([((one, 1.0), (other, -1.0)) for one, other in self.sides]))

    def middles(self) -> list[float]:
        """The difference of both sides, context by context."""
        return self.responses.sums(self.weights(), groups=2)

    def pairs(self) -> tuple[Pair, ...]:
        """The two sides of each context, by the ids of the first."""
        found = (self.pair(*sides) for sides in self.sides)
        return tuple(sorted(found, key=lambda pair: pair.ids))

    def pair(self, with_level: Sequence[int], without: Sequence[int]) -> Pair:
        """The two sides of one context."""
        difference = self.responses.contrast(Weights.of_means([(with_level, 1.0), (without, -1.0)]))
        return Pair(ids_of(self.values, with_level), ids_of(self.values, without), difference)


@dataclass(frozen=True, slots=True)
class Effect:
    """A level against another, in otherwise equal cases.

    Attributes:
        size: mean over the pairs; its interval is about these cases.
        networks: mean over the networks; its interval is about networks to come, drawn as those measured were. None
            for fewer than `FEWEST_NETWORKS`, and for effects of networks.
        networks_count: networks among the pairs.
        matched: None where the effect comes from the additive model.
        cases: that it was estimated from.
    """

    dimension: str
    level: Level
    against: Level
    size: Size
    networks: Size | None
    networks_count: int
    matched: Matched | None
    cases: int

    @property
    def is_matched(self) -> bool:
        """Whether pairs of cases show it, without a model."""
        return self.matched is not None

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs of cases that show it, made when they are asked for."""
        return self.matched.pairs() if self.matched else ()

    @property
    def pairs_count(self) -> int:
        """Number of the pairs."""
        return len(self.matched.sides) if self.matched else 0

    @property
    def shown_by(self) -> frozenset[tuple[tuple[int, ...], ...]]:
        """Places of the cases of each pair; equal where the same pairs show two effects."""
        return frozenset(tuple(map(tuple, sides)) for sides in (self.matched.sides if self.matched else ()))


@dataclass(frozen=True, slots=True)
class Interaction:
    """By how much the effect of one level changes with a level of another factor.

    Attributes:
        contexts: sets of four cases that it was averaged over.
    """

    dimensions: tuple[str, str]
    levels: tuple[Level, Level]
    against: tuple[Level, Level]
    size: Size
    contexts: int


def cells_of(values: Sequence[Value], dimensions: tuple[Dimension, ...]) -> Cells:
    """Places of the cases by context and by levels of the dimensions."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    records = records_of(values)
    levels = zip(*(dimension.levels_of(records) for dimension in dimensions), strict=True)
    for place, (context, found) in enumerate(zip(contexts(records, dimensions), levels, strict=True)):
        if None not in found:
            cells[context][found].append(place)
    return cells


def main_effects(values: Sequence[Value], dimension: Dimension) -> Iterator[Effect]:
    """Each level of a dimension against the first one that it has pairs with.

    That is the first level of all, unless the cases with it are not measured, or differ in more. A level that only
    comes later has no effect.
    """
    levels, responses = varied(values, dimension), Responses.of(values)
    cells = list(cells_of(values, (dimension,)).values())
    for place, level in enumerate(levels):
        for against in levels[:place]:
            sides = [(cell[level,], cell[against,]) for cell in cells if (level,) in cell and (against,) in cell]
            if sides:
                yield effect(dimension, (level, against), Matched(values, responses, sides))
                break


def effect(dimension: Dimension, levels: tuple[Level, Level], matched: Matched) -> Effect:
    """The mean over matched cases."""
    weights = matched.weights()
    by_network: dict[str, list[float]] = defaultdict(list)
    for (with_level, _), middle in zip(matched.sides, matched.responses.sums(weights, groups=2), strict=True):
        by_network[matched.values[with_level[0]].case.structure].append(middle)
    has_networks = dimension.factor not in NETWORKS
    return Effect(
        dimension=dimension.name,
        level=levels[0],
        against=levels[1],
        size=matched.responses.contrast(weights.divided(len(matched.sides))).size,
        networks=over_networks([fmean(found) for found in by_network.values()]) if has_networks else None,
        networks_count=len(by_network) if has_networks else 0,
        matched=matched,
        cases=len(weights.places),
    )


def ids_of(values: Sequence[Value], places: Sequence[int]) -> tuple[str, ...]:
    """Their ids."""
    return tuple(sorted([values[place].case.id for place in places]))


def over_networks(means: Sequence[float]) -> Size | None:
    """Mean over networks, with the interval of Student's t of their spread.

    It allows for noise as well, since noise is part of the spread.
    """
    count = len(means)
    if count < FEWEST_NETWORKS:
        return None
    middle = math.fsum(means) / count
    reach = student_between((1 + CONFIDENCE) / 2, count - 1) * stdev(means) / math.sqrt(count)
    return Size(middle, middle - reach, middle + reach)


def interactions(values: Sequence[Value], one: Dimension, other: Dimension) -> Iterator[Interaction]:
    """Each pair of levels against the first levels, where all four cells are there."""
    first, second, responses = varied(values, one), varied(values, other), Responses.of(values)
    cells = list(cells_of(values, (one, other)).values())
    for level in first[1:]:
        for other_level in second[1:]:
            corners = {
                (level, other_level): 1.0,
                (first[0], other_level): -1.0,
                (level, second[0]): -1.0,
                (first[0], second[0]): 1.0,
            }
            whole = [cell for cell in cells if corners.keys() <= cell.keys()]
            if whole:
                weights = Weights.of_means(
                    (cell[corner], sign / len(whole)) for cell in whole for corner, sign in corners.items()
                )
                yield Interaction(
                    dimensions=(one.name, other.name),
                    levels=(level, other_level),
                    against=(first[0], second[0]),
                    size=responses.contrast(weights).size,
                    contexts=len(whole),
                )


def dimension_pairs(dimensions: Sequence[Dimension]) -> Iterator[tuple[Dimension, Dimension]]:
    """Pairs of dimensions that may interact: not a factor with an attribute of itself."""
    for place, one in enumerate(dimensions):
        for other in dimensions[place + 1 :]:
            if one.factor != other.factor or (one.attribute and other.attribute):
                yield one, other
