"""Factors, and attributes of their levels, by which cases differ."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from suite.effects.values import Value
from suite.records import RunRecord
from suite.records.factors import FACTORS, NAMES, Level

DERIVED = frozenset({"parameters"})
"""Attributes that follow from others."""
HELD_OF_FAMILY = frozenset({"implementation"})
"""Attributes of optimizers that agree where families are compared: the others belong to a family."""
DEFAULTS = {factor.name: factor.default for factor in FACTORS}


@dataclass(frozen=True, slots=True)
class Dimension:
    """A factor, or an attribute of its levels.

    Attributes:
        attribute: empty for the factor as a whole.
    """

    factor: str
    attribute: str = ""

    @property
    def name(self) -> str:
        """`structure`, or `structure.depth`."""
        return f"{self.factor}.{self.attribute}" if self.attribute else self.factor

    def levels_of(self, records: Iterable[RunRecord]) -> list[Level | None]:
        """The level of each case; None where its record does not name it."""
        if not self.attribute:
            return list(map(attrgetter(f"case.{self.factor}"), records))
        found = [attributes_of(record, self.factor).get(self.attribute) for record in records]
        return [level if type(level) in (str, int) else None for level in found]


ATTRIBUTES = (
    *(Dimension("structure", name) for name in ("depth", "width", "layer", "connection", "normalisation", "head")),
    *(Dimension("optimizer", name) for name in ("family", "implementation")),
)
DIMENSIONS = (*(Dimension(name) for name in NAMES), *ATTRIBUTES)
"""All that can have an effect."""


def attributes_of(record: RunRecord, factor: str) -> Mapping[str, Any]:
    """The attributes of the case's level of a factor, as the worker recorded them."""
    found = record.attributes.get(factor)
    return found if isinstance(found, dict) else {}


def varied(values: Sequence[Value], dimension: Dimension) -> list[Level]:
    """The levels of a dimension, the one to compare with first.

    That is the factor's default, or the smallest number, or the first level of the matrix.
    """
    ranks: dict[Level, int] = {}
    records = records_of(values)
    pairs = zip(dimension.levels_of(records), Dimension(dimension.factor).levels_of(records), strict=True)
    for (level, name), value in dict(zip(pairs, values, strict=True)).items():
        if level is not None and name is not None:
            places = value.ranks.get(dimension.factor, {})
            place = places.get(name, len(places))
            ranks[level] = min(place, ranks.get(level, place))
    levels = sorted(ranks, key=lambda level: ranks[level])
    numbers = [level for level in levels if isinstance(level, int)]
    if len(numbers) == len(levels):
        levels = [*sorted(numbers)]
    default = None if dimension.attribute else DEFAULTS[dimension.factor]
    return sorted(levels, key=lambda level: level != default)


def records_of(values: Iterable[Value]) -> list[RunRecord]:
    """The records of the cases."""
    return list(map(attrgetter("record"), values))


def contexts(records: Sequence[RunRecord], free: Sequence[Dimension]) -> list[Hashable]:
    """For each case, everything in which cases that match it agree.

    That is all but the free dimensions. An attribute is free where all other attributes of the level agree. Where
    families of optimizers are free, only the implementation has to agree.
    """
    names = {one.factor: {other.attribute for other in free if other.factor == one.factor} for one in free}
    whole = attrgetter("seed", *(factor for factor in NAMES if factor not in names))
    partly = [[held(record, factor, found) for record in records] for factor, found in names.items() if "" not in found]
    return list(zip(map(whole, map(attrgetter("case"), records)), *partly, strict=True))


def held(record: RunRecord, factor: str, free: set[str]) -> Hashable:
    """The attributes of a level that have to agree while those of `free` differ."""
    known = attributes_of(record, factor)
    names = HELD_OF_FAMILY if factor == "optimizer" and "family" in free else known.keys() - DERIVED
    return tuple((name, repr(known.get(name))) for name in sorted(names - free))
