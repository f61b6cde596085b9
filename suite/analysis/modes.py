"""Two step times of one case: turns at either of them, and few in between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean

from suite import units

CHANGE = 0.05
"""Relative change of the step time below which neither a trend nor a second level is reported."""
SMALLER_LEVEL = 0.15
"""Share of the turns at the rarer of two levels, at least."""
APART = 4.0
"""Ashman's D from which two levels are two. The halves of one normal distribution have 2.7, of a uniform one 3.5."""
IN_BETWEEN = 0.2
"""Turns in the middle half of the way from one level to the other, over those of the rarer level, at most: of a tail
that is no second level they are half."""
FEWEST_TURNS = 20


@dataclass(frozen=True, slots=True)
class Mode:
    """One of two step times of a case.

    Attributes:
        mean_s: mean step time of its turns, in seconds.
        turns: number of turns at it.
        share: of all turns of the case, from 0 to 1.
    """

    mean_s: float
    turns: int
    share: float


def two_modes(turns: Iterable[float]) -> tuple[Mode, Mode] | None:
    """The faster and the slower of two step times; None if the turns have one.

    Args:
        turns: median step time of each turn, in seconds.

    Source: Ashman, Bird and Zepf 1994, "Detecting bimodality in astronomical datasets", for the distance of two levels;
        Otsu 1979 for where to split them.
    """
    values = sorted(turns)
    if len(values) < FEWEST_TURNS:
        return None
    cut = best_split(values, math.ceil(SMALLER_LEVEL * len(values)))
    low, high = values[:cut], values[cut:]
    lower, upper = fmean(low), fmean(high)
    apart = upper - lower
    between = sum(lower + apart / 4 < value < upper - apart / 4 for value in values)
    if (
        apart < CHANGE * lower
        or apart * math.sqrt(2) < APART * math.sqrt(variance(low, lower) + variance(high, upper))
        or between > IN_BETWEEN * min(len(low), len(high))
    ):
        return None
    share = len(low) / len(values)
    return Mode(lower, len(low), share), Mode(upper, len(high), 1 - share)


def in_words(modes: Iterable[Mode]) -> str:
    """Both step times with their shares: `5.80 ms in 62 % of turns, 6.90 ms in 38 %`."""
    faster, slower = (f"{units.text(mode.mean_s, 's', 3)} in {100 * mode.share:.0f} %" for mode in modes)
    return f"{faster} of turns, {slower}"


def variance(values: Sequence[float], mean: float) -> float:
    """Mean square around their mean."""
    return fmean([(value - mean) ** 2 for value in values])


def best_split(values: Sequence[float], fewest: int) -> int:
    """Index that splits ordered values in two with means as far apart as possible.

    Each has at least `fewest` values. The distance is weighted by the sizes, as by Otsu.
    """
    count, sums = len(values), list(accumulate(values))
    share = sums[-1] / count
    ways = [
        ((sums[cut - 1] - cut * share) ** 2 / (cut * (count - cut)), cut) for cut in range(fewest, count - fewest + 1)
    ]
    return max(ways)[1]


def slower_by_visit(visits: Sequence[Sequence[float]], modes: tuple[Mode, Mode]) -> tuple[tuple[int, int], ...]:
    """Turns at the slower step time, and all turns, of each visit that has some.

    Args:
        visits: median step time of each turn, visit by visit; those in which `modes` were found.
        modes: the faster and the slower step time.
    """
    slowest_of_fast = sorted(turn for turns in visits for turn in turns)[modes[0].turns - 1]
    return tuple((sum(turn > slowest_of_fast for turn in turns), len(turns)) for turns in visits if turns)


def is_by_process(slower: Iterable[tuple[int, int]]) -> bool:
    """Whether each visit, a fresh process, stayed at one step time for 9 of 10 turns.

    Args:
        slower: turns at the slower step time, and all turns, of each visit.
    """
    return all(min(count, turns - count) * 10 <= turns for count, turns in slower)
