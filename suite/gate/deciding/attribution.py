"""Which slowdowns explain the others: a level's that of its cases, or one case's that of a level's mean."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from suite.gate.record.values import CasePair
from suite.records.factors import NAMES

EVERY = "all cases"


def levels_of(rows: Sequence[CasePair]) -> dict[str, tuple[str, ...]]:
    """Name -> ids of the rows that have a level in common, by the baseline's case: levels of two cases at least, each
    set of cases once; and all cases.
    """
    found: dict[tuple[str, ...], str] = {}
    everything = tuple(row.id for row in rows)
    if len(rows) > 1:
        found[everything] = EVERY
    for factor in NAMES:
        for level in dict.fromkeys(getattr(row.baseline, factor) for row in rows):
            members = tuple(row.id for row in rows if getattr(row.baseline, factor) == level)
            if len(members) > 1:
                found.setdefault(members, f"{factor} {level}")
    return {name: members for members, name in found.items()}


def attribute(
    slowed: Collection[str], means: Mapping[str, float], levels: Mapping[str, Sequence[str]], least: float
) -> dict[str, str]:
    """Each that is slowed -> what explains it, itself where nothing else does; the largest explanation first.

    What explains most is taken first: the most of the sum of squares of the cases' means. Its own mean is taken from
    each of its cases; what then has no more than `least` left is explained by it.

    Args:
        slowed: names of cases and levels.
        means: of each case's log ratio.
        levels: name -> cases.
        least: log ratio that matters.
    """
    left = dict(means)

    def mean_of(name: str) -> float:
        members = members_of(name)
        return sum(left[one] for one in members) / len(members) if members else 0.0

    def members_of(name: str) -> list[str]:
        return [one for one in levels.get(name, (name,)) if one in left]

    found: dict[str, str] = {}
    waiting = list(slowed)
    while waiting:
        best = max(waiting, key=lambda name: len(members_of(name)) * max(mean_of(name), 0.0) ** 2)
        effect = mean_of(best)
        for member in members_of(best):
            left[member] -= effect
        found[best] = best
        found.update({name: best for name in waiting if name != best and mean_of(name) <= least})
        waiting = [name for name in waiting if name not in found]
    return found
