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
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from suite.analysis.estimates import CONFIDENCE, student_between
from suite.effects.dimensions import Dimension, contexts, varied
from suite.effects.values import Value
from suite.records.factors import Level

FEWEST_NETWORKS = 3
"""Networks from which the spread of an effect between networks is estimated."""
NETWORKS = ("structure", "task")
"""Factors of which the networks are the levels: their effects are not averaged over networks."""

Cells = dict[Hashable, dict[Hashable, list[int]]]
"""Context -> level -> places of its cases."""


@dataclass(frozen=True, slots=True)
class Size:
    """A difference of responses with its interval at 95 %.

    Attributes:
        low, high: None where no replicate shows the noise.
    """

    middle: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Contrast:
    """A weighted sum of responses, and the source of its interval.

    An effect has its interval at once; each of its pairs, which may be thousands, has one when it is asked for.

    Attributes:
        middle: the sum itself.
        variance: sum of the cases' variances; None where no replicate shows the noise.
        spread: sum of each case's variance over the root of its degrees of freedom.
    """

    middle: float
    variance: float | None = None
    spread: float = 0.0

    @property
    def size(self) -> Size:
        """The sum with the interval of Student's t.

        Variances of cases were pooled, and so are not independent. Degrees of freedom are those of fully dependent
        variances: the fewest possible.
        """
        if self.variance is None:
            return Size(self.middle)
        degrees = (self.variance / self.spread) ** 2 if self.variance else 1.0
        reach = student_between((1 + CONFIDENCE) / 2, degrees) * math.sqrt(self.variance)
        return Size(self.middle, self.middle - reach, self.middle + reach)


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


@dataclass(frozen=True, slots=True)
class Effect:
    """A level against another, in otherwise equal cases.

    Attributes:
        size: mean over the pairs; its interval is about these cases.
        networks: mean over the networks; its interval is about networks to come, drawn as those measured were. None
            for fewer than `FEWEST_NETWORKS`, and for effects of networks.
        networks_count: networks among the pairs.
        pairs: none where the effect comes from the additive model.
        cases: that it was estimated from.
    """

    dimension: str
    level: Level
    against: Level
    size: Size
    networks: Size | None
    networks_count: int
    pairs: tuple[Pair, ...]
    cases: int

    @property
    def is_matched(self) -> bool:
        """Whether pairs of cases show it, without a model."""
        return bool(self.pairs)


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


def contrast(values: Sequence[Value], weights: Mapping[int, float]) -> Contrast:
    """Weighted sum of responses, by the places of the cases."""
    middle = math.fsum([weight * values[place].response for place, weight in weights.items()])
    shares, spreads = [], []
    for place, weight in weights.items():
        error = values[place].error
        if error is None:
            return Contrast(middle)
        share = weight**2 * error.variance
        shares.append(share)
        spreads.append(share / math.sqrt(error.degrees))
    return Contrast(middle, math.fsum(shares), math.fsum(spreads))


def difference(one: Value, other: Value) -> Contrast:
    """The contrast of two cases."""
    middle, mine, theirs = one.response - other.response, one.error, other.error
    if mine is None or theirs is None:
        return Contrast(middle)
    spread = mine.variance / math.sqrt(mine.degrees) + theirs.variance / math.sqrt(theirs.degrees)
    return Contrast(middle, mine.variance + theirs.variance, spread)


def cells_of(values: Sequence[Value], dimensions: tuple[Dimension, ...]) -> Cells:
    """Places of the cases by context and by levels of the dimensions."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    context_of = contexts(dimensions)
    for place, value in enumerate(values):
        levels = tuple([dimension.level_of(value.record) for dimension in dimensions])
        if None not in levels:
            cells[context_of(value.record)][levels].append(place)
    return cells


def main_effects(values: Sequence[Value], dimension: Dimension) -> Iterator[Effect]:
    """Each level of a dimension against the first one that it has pairs with.

    That is the first level of all, unless the cases with it are not measured, or differ in more. A level that only
    comes later has no effect.
    """
    levels = varied(values, dimension)
    cells = list(cells_of(values, (dimension,)).values())
    for place, level in enumerate(levels):
        for against in levels[:place]:
            sides = [(cell[level,], cell[against,]) for cell in cells if (level,) in cell and (against,) in cell]
            if sides:
                yield effect(values, dimension, (level, against), sides)
                break


def effect(
    values: Sequence[Value],
    dimension: Dimension,
    levels: tuple[Level, Level],
    sides: Sequence[tuple[list[int], list[int]]],
) -> Effect:
    """The mean over matched sides: places of cases with each of the levels."""
    weights: dict[int, float] = {}
    pairs = []
    by_network: dict[str, list[float]] = defaultdict(list)
    for with_level, without in sides:
        if len(with_level) == len(without) == 1:
            one, other = values[with_level[0]], values[without[0]]
            pair = Pair((one.case.id,), (other.case.id,), difference(one, other))
            weights[with_level[0]], weights[without[0]] = 1 / len(sides), -1 / len(sides)
        else:
            own = side_weights(with_level, 1.0) | side_weights(without, -1.0)
            pair = Pair(ids_of(values, with_level), ids_of(values, without), contrast(values, own))
            weights |= {place: weight / len(sides) for place, weight in own.items()}
        pairs.append(pair)
        by_network[values[with_level[0]].case.structure].append(pair.contrast.middle)
    has_networks = dimension.factor not in NETWORKS
    return Effect(
        dimension=dimension.name,
        level=levels[0],
        against=levels[1],
        size=contrast(values, weights).size,
        networks=over_networks([fmean(found) for found in by_network.values()]) if has_networks else None,
        networks_count=len(by_network) if has_networks else 0,
        pairs=tuple(sorted(pairs, key=lambda pair: pair.ids)),
        cases=len(weights),
    )


def side_weights(places: Sequence[int], sign: float) -> dict[int, float]:
    """Weights of the mean of some cases."""
    return {place: sign / len(places) for place in places}


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
    first, second = varied(values, one), varied(values, other)
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
                weights: dict[int, float] = {}
                for cell in whole:
                    for corner, sign in corners.items():
                        weights |= side_weights(cell[corner], sign / len(whole))
                yield Interaction(
                    dimensions=(one.name, other.name),
                    levels=(level, other_level),
                    against=(first[0], second[0]),
                    size=contrast(values, weights).size,
                    contexts=len(whole),
                )


def dimension_pairs(dimensions: Sequence[Dimension]) -> Iterator[tuple[Dimension, Dimension]]:
    """Pairs of dimensions that may interact: not a factor with an attribute of itself."""
    for place, one in enumerate(dimensions):
        for other in dimensions[place + 1 :]:
            if one.factor != other.factor or (one.attribute and other.attribute):
                yield one, other
