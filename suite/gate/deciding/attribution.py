"""Attributes slowdowns: a level explains its cases, or a case explains its level."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from suite.gate.record.values import CasePair
from suite.records.factors import NAMES

EVERY = "all cases"


def levels_of(rows: Sequence[CasePair]) -> dict[str, tuple[str, ...]]:
    """Name -> ids of the rows that share a level of the baseline's case, or `EVERY`.

    A level has at least two cases. Levels with the same cases count once.
    """
    names: dict[tuple[str, ...], str] = {}
    everything = tuple(row.id for row in rows)
    if len(rows) > 1:
        names[everything] = EVERY
    for factor in NAMES:
        for level in dict.fromkeys(getattr(row.baseline, factor) for row in rows):
            members = tuple(row.id for row in rows if getattr(row.baseline, factor) == level)
            if len(members) > 1:
                names.setdefault(members, f"{factor} {level}")
    return {name: members for members, name in names.items()}


def attribute(
    slowed: Collection[str], means: Mapping[str, float], levels: Mapping[str, Sequence[str]], least: float
) -> dict[str, str]:
    """Each slowed case or level -> its explanation, itself if there is no other.

    The largest explanation comes first. It is the name that explains most of the sum of squares of the cases' means.
    Its mean is subtracted from each of its cases. It explains every name that then has no more than `least` left.

    Args:
        slowed: names of cases and levels.
        means: of each case's log ratio.
        levels: name -> cases.
        least: smallest log ratio that needs an explanation.
    """
    left = dict(means)

    def mean_of(name: str) -> float:
        members = members_of(name)
        return sum(left[member] for member in members) / len(members) if members else 0.0

    def members_of(name: str) -> list[str]:
        return [member for member in levels.get(name, (name,)) if member in left]

    explanations: dict[str, str] = {}
    waiting = list(slowed)
    while waiting:
        best = max(waiting, key=lambda name: len(members_of(name)) * max(mean_of(name), 0.0) ** 2)
        effect = mean_of(best)
        for member in members_of(best):
            left[member] -= effect
        explanations[best] = best
        explanations.update({name: best for name in waiting if name != best and mean_of(name) <= least})
        waiting = [name for name in waiting if name not in explanations]
    return explanations
