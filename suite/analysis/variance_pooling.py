"""Pooled variances of a few visits, without numpy and scipy.

Source: Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments", section 6.2 and its appendix; Paule and Mandel 1982, "Consensus values and weighting factors". The
    gate pools blocks in the same way with scipy (`statistics.moderation`); the tests hold both together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

SMALLEST, LARGEST = 1e-18, 100.0
"""Variances of logs between which one is searched: a clock resolves no less than 1e-9; 10 is a factor of 22,000."""
NEWTON_STEPS = 50
"""Of the inverse of trigamma, at most; it converges in about five."""
LARGE = 8.0
"""Argument from which the asymptotic series of the gamma function's derivatives are exact to 1e-9."""
FEWEST = 3
"""Variances from which their own spread is judged."""


def between_variance(
    own: Sequence[float], within: Sequence[float], degrees: Sequence[float], guess: float, guess_degrees: float
) -> float:
    """Variance between visits that all cases share, beyond that of their rounds.

    The t for which sum(degrees * own / (within + t)) + guess_degrees * guess / t is the sum of all degrees.

    Args:
        own: variance between the visits of each case; of no account where its degrees are 0.
        within: the part of it that the rounds of one visit explain.
        degrees: of freedom of each case's variance.
        guess: of the variance that is searched, from other machines.
        guess_degrees: how many degrees of freedom the guess is worth; above 0.
    """
    seen = [(free * one, part) for one, part, free in zip(own, within, degrees, strict=True) if free]
    all_degrees = sum(degrees)

    def excess(between: float) -> float:
        explained = sum([squares / (part + between) for squares, part in seen])
        return explained + guess_degrees * guess / between - all_degrees - guess_degrees

    low, high = math.log(SMALLEST), math.log(LARGEST)
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if excess(math.exp(middle)) > 0 else (low, middle)
    return math.exp(low)


def prior_degrees(ratios: Sequence[float], degrees: Sequence[float]) -> float:
    """Degrees of freedom of the variance that cases have in common.

    They show how far cases agree in their variances; infinite where cases
    differ no more than by chance, or are too few.

    Args:
        ratios: of each case's variance to what was expected of it.
        degrees: of each, above 0.
    """
    if len(ratios) < FEWEST:
        return math.inf
    own = {free: (math.log(free / 2) - digamma(free / 2), trigamma(free / 2)) for free in set(degrees)}
    logs = [math.log(max(ratio, SMALLEST)) + own[free][0] for ratio, free in zip(ratios, degrees, strict=True)]
    excess = variance(logs) - fmean([own[free][1] for free in degrees])
    return 2 * trigamma_inverse(excess) if excess > 0 else math.inf


def digamma(value: float) -> float:
    """The logarithmic derivative of the gamma function, above 0.

    Source: Abramowitz and Stegun 1964, 6.3.5 (recurrence) and 6.3.18 (series).
    """
    if value < LARGE:
        return digamma(value + 1) - 1 / value
    square = 1 / value**2
    return (
        math.log(value) - 1 / (2 * value) - square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    )


def trigamma(value: float) -> float:
    """The derivative of `digamma`, above 0.

    Source: Abramowitz and Stegun 1964, 6.4.6 and 6.4.12.
    """
    if value < LARGE:
        return trigamma(value + 1) + 1 / value**2
    square = 1 / value**2
    return 1 / value + square / 2 + square / value * (1 / 6 - square * (1 / 30 - square * (1 / 42 - square / 30)))


def tetragamma(value: float) -> float:
    """The derivative of `trigamma`, above 0.

    Source: Abramowitz and Stegun 1964, 6.4.6 and 6.4.13.
    """
    if value < LARGE:
        return tetragamma(value + 1) - 2 / value**3
    square = 1 / value**2
    return -square - square / value - square**2 * (1 / 2 - square * (1 / 6 - square * (1 / 6 - 3 * square / 10)))


def trigamma_inverse(value: float) -> float:
    """The number whose trigamma is `value`, above 0.

    Source: Smyth 2004, appendix "Inversion of the trigamma function" (Newton's method on its reciprocal).
    """
    found = 0.5 + 1 / value
    for _ in range(NEWTON_STEPS):
        here = trigamma(found)
        change = here * (1 - here / value) / tetragamma(found)
        found += change
        if -change / found < 1e-10:
            break
    return found
