"""Probability that a step of one run is slower than a step of another."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def share_of_slower_steps(baseline: Sequence[float], candidate: Sequence[float], common: float) -> float | None:
    """Share of pairs of steps in which the candidate's is slower; ties count half.

    0.5 is no difference, 0 a candidate that is always faster. None without steps.

    Args:
        baseline: its kept rounds, in seconds, in ascending order.
        candidate: the same of the candidate.
        common: relative change of all cases, by which the candidate's rounds are divided.

    Source: Mann and Whitney 1947, "On a test of whether one of two random variables is stochastically larger than the
        other"; Vargha and Delaney 2000, "A critique and improvement of the CL common language effect size statistics".
    """
    if not baseline or not candidate:
        return None
    steps = [value / (1 + common) for value in candidate]
    slower = sum(bisect_left(baseline, step) + bisect_right(baseline, step) for step in steps)
    return slower / 2 / len(baseline) / len(candidate)


def of_100_pairs(share: float) -> str:
    """`83 of 100`; 0 and 100 only if no pair differs from the others."""
    nearest = round(100 * share)
    if nearest in (0, 100) and share not in (0.0, 1.0):
        nearest = 1 if share < 0.5 else 99
    return f"{nearest} of 100"


def in_words(share: float) -> str:
    """`a step of the candidate is slower than one of the baseline in 83 of 100 pairs`."""
    return f"a step of the candidate is slower than one of the baseline in {of_100_pairs(share)} pairs"
