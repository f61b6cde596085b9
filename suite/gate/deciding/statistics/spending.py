"""When the data are looked at, and how much of the permitted error each look may spend.

The schedule is fixed before the first block, in blocks and not in results. A share of the error is kept for the look
at which the time is up, whenever that is. The shares add up to one whole, so that the chance of a mistake at any look
is no more than what was permitted: the sum of what each look may (Bonferroni), whatever the looks have in common.

Source: Lan and DeMets 1983, "Discrete sequential boundaries for clinical trials", for spending; the bound by the
    sum is coarser than theirs and needs no joint distribution.
"""

from __future__ import annotations

from itertools import count

FIRST = 10
"""Blocks before the first look. Signs of fewer cannot show what one look may claim: 2^-10 is 0.1 %."""
GROWTH = 1.4
"""Blocks at a look over those at the one before."""
FIRST_SHARE = 0.4
"""Share of the error spent at the first look, where most cases are settled."""
FINAL_SHARE = 0.2
"""Share kept for the look at which the time is up, together with what is not spent before."""


def is_look(blocks: int) -> bool:
    """Whether the data are looked at after so many blocks."""
    return number_of(blocks) is not None


def number_of(blocks: int) -> int | None:
    """The number, from 0, of the look after so many blocks; None where there is none."""
    number, at = 0, FIRST
    while at < blocks:
        number, at = number + 1, max(at + 1, round(FIRST * GROWTH ** (number + 1)))
    return number if at == blocks else None


def share(number: int) -> float:
    """What the look of that number, from 0, may spend of the error: halves of what is left after the first."""
    if number == 0:
        return FIRST_SHARE
    return float((1 - FIRST_SHARE - FINAL_SHARE) * 0.5**number)


def final_share(looks: int) -> float:
    """What the last look may spend, after so many before it."""
    return 1 - sum(share(number) for number in range(looks))


def can_show(blocks: int, permitted: float, names: int, *, first: bool) -> bool:
    """Whether the signs of so many blocks can show a difference, however large.

    Args:
        blocks: that were measured.
        permitted: error that the look may spend.
        names: that share it, where each is taken alone.
        first: whether it is the first look, at which the signs are joint.
    """
    return 2.0**-blocks * (1 if first else names) <= permitted


def fewest(alpha: float, names: int) -> int:
    """Blocks with which a gate has to end, at least, to show any difference.

    Args:
        alpha: permitted error, over all looks.
        names: cases and levels.
    """
    for blocks in count(1):
        looks = [number for number in range(1, blocks + 1) if is_look(number)]
        spent = [(at, share(place), not place) for place, at in enumerate(looks)]
        spent.append((blocks, final_share(len(looks)), not looks))
        if any(can_show(at, alpha * part, names, first=first) for at, part, first in spent):
            return blocks
    raise AssertionError("an infinite count has ended")
