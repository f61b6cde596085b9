"""The schedule of looks at the data, and the error that each look may spend.

The schedule is fixed before the first block, and counts blocks, not results. A share of the error is reserved for the
look when the time is up. The shares add up to 1, so the chance of a mistake at any look is at most the permitted error
(Bonferroni). That holds for any dependence between looks.

Source: Lan and DeMets 1983, "Discrete sequential boundaries for clinical trials", for spending; the bound by the
    sum is coarser than theirs and needs no joint distribution.
"""

from __future__ import annotations

from itertools import count

FIRST = 10
"""Blocks before the first look. Signs of fewer blocks cannot reach the error of one look: 2^-10 is 0.1 %."""
GROWTH = 1.4
"""Blocks at a look over those at the previous one."""
FIRST_SHARE = 0.4
"""Share of the error spent at the first look, which decides most cases."""
FINAL_SHARE = 0.2
"""Share reserved for the look when the time is up, in addition to the unspent rest."""


def is_look(blocks: int) -> bool:
    """Whether there is a look after so many blocks."""
    return number_of(blocks) is not None


def number_of(blocks: int) -> int | None:
    """The number, from 0, of the look after so many blocks; None if there is none."""
    number, at = 0, FIRST
    while at < blocks:
        number, at = number + 1, max(at + 1, round(FIRST * GROWTH ** (number + 1)))
    return number if at == blocks else None


def share(number: int) -> float:
    """The share of the error for a look, by its number from 0.

    After the first look, each takes half of the rest.
    """
    if number == 0:
        return FIRST_SHARE
    return float((1 - FIRST_SHARE - FINAL_SHARE) * 0.5**number)


def final_share(looks: int) -> float:
    """The share of the error for the last look, after `looks` earlier ones."""
    return 1 - sum(share(number) for number in range(looks))


def can_show(blocks: int, permitted: float, names: int, *, first: bool) -> bool:
    """Whether the signs of so many blocks can show a difference of any size.

    Args:
        blocks: number of measured blocks.
        permitted: error that the look may spend.
        names: number of names that share the error, unless their signs are joint.
        first: whether it is the first look, at which the signs are joint.
    """
    return 2.0**-blocks * (1 if first else names) <= permitted


def fewest(alpha: float, names: int) -> int:
    """Fewest blocks of a gate that can show a difference.

    Args:
        alpha: permitted error, over all looks.
        names: number of cases and levels.
    """
    for blocks in count(1):
        looks = [number for number in range(1, blocks + 1) if is_look(number)]
        spent = [(at, share(place), not place) for place, at in enumerate(looks)]
        spent.append((blocks, final_share(len(looks)), not looks))
        if any(can_show(at, alpha * part, names, first=first) for at, part, first in spent):
            return blocks
    raise AssertionError("an infinite count has ended")
