"""Shares of trials with their limits, by Clopper and Pearson at 95 %.

Limits are two-sided. Where none or all of the trials count, one limit is known, and what is given is the other's
one-sided bound: 0 of 40 is `at most 7.2 %`.
"""

from __future__ import annotations

from collections.abc import Iterable

from scipy import stats

CONFIDENCE = 0.95
LIMITS = "Limits: 95 %, Clopper and Pearson; one-sided where none or all of the trials count."
"""For the note of a table."""


def limits(count: int, total: int) -> tuple[float, float]:
    """The lower and the upper limit of a share."""
    side = "less" if count == 0 else "greater" if count == total else "two-sided"
    found = stats.binomtest(count, total, alternative=side).proportion_ci(CONFIDENCE)
    return float(found.low), float(found.high)


def of(count: int, total: int) -> str:
    """A count with the limits of its share."""
    if not total:
        return "none measured"
    low, high = (percent(one) for one in limits(count, total))
    if count == 0:
        return f"0 of {total} (at most {high} %)"
    return f"{count} of {total} (at least {low} %)" if count == total else f"{count} of {total} ({low} to {high} %)"


def count_of(flags: Iterable[bool]) -> str:
    """How many are true, with the limits of their share."""
    every = list(flags)
    return of(sum(every), len(every))


def percent(share: float) -> str:
    """A limit in percent: a digit more near either end, where it matters."""
    return f"{100 * share:.1f}" if min(share, 1 - share) < 0.1 else f"{100 * share:.0f}"
