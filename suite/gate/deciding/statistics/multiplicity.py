"""P-values of a list, adjusted for its length.

The tests check them against other implementations.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the chance of any false rejection.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    raised = [min(1.0, (len(order) - rank) * p_values[index]) for rank, index in enumerate(order)]
    return in_place(order, list(accumulate(raised, max)))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the expected share of false rejections.

    Source: Benjamini and Hochberg 1995, "Controlling the false discovery rate".
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__, reverse=True)
    raised = [min(1.0, len(order) / (len(order) - rank) * p_values[index]) for rank, index in enumerate(order)]
    return in_place(order, list(accumulate(raised, min)))


def in_place(order: Sequence[int], values: Sequence[float]) -> list[float]:
    """Sorted values, back in the order of the list."""
    unsorted = [0.0] * len(order)
    for index, value in zip(order, values, strict=True):
        unsorted[index] = value
    return unsorted
