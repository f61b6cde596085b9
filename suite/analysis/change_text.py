"""A change as text: percent, interval, bound and verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass

from suite import units
from suite.analysis.change import Change


@dataclass(frozen=True, slots=True)
class Terms:
    """Words for more and for less of a metric."""

    more: str
    larger: str
    smaller: str


TIME = Terms("slowdown", "slower", "faster")
SIZE = Terms("growth", "larger", "smaller")


def is_time(change: Change) -> bool:
    """Whether the metric is a time, by its unit; all others are of memory."""
    return change.unit == "s"


def terms_of(change: Change) -> Terms:
    """The words of its metric."""
    return TIME if is_time(change) else SIZE


def medians(change: Change) -> tuple[str, str]:
    """The medians of baseline and candidate: `13.35 ms`, `17.00 ms`."""
    baseline, candidate = (
        units.whole(value, change.unit) for value in (change.baseline_median, change.candidate_median)
    )
    return baseline, candidate


def percent(change: Change) -> str:
    """The change without its interval: `+3.1 %`; a dash if it has no percentage."""
    return units.percent(change.change, sign=True)


def interval(change: Change) -> str:
    """The interval: `+2.8 to +3.4 %`; a dash without one, as of exact metrics."""
    return "–" if change.low == change.high else units.percent_interval(change.low, change.high)


def is_from_zero(change: Change) -> bool:
    """Whether the baseline is 0 and the candidate is not: there is no percentage."""
    return change.change == math.inf and change.baseline_median is not None


def size(change: Change) -> str:
    """A change without its interval: `+3.1 %`, or `0 to 2` if the baseline is 0."""
    return " to ".join(medians(change)) if is_from_zero(change) else percent(change)


def amount(change: Change) -> str:
    """A regression after its verb: `by 3.1 %`, or `from 0 to 2` if the baseline is 0."""
    return f"from {size(change)}" if is_from_zero(change) else f"by {units.percent(change.change)}"


def with_interval(change: Change) -> str:
    """A change with its interval if it has one: `+3.1 % (+2.8 to +3.4 %)`."""
    ends = interval(change)
    return size(change) + ("" if ends == "–" else f" ({ends})")


def figures(change: Change) -> tuple[str, str, str, str]:
    """Cells of a table: both medians, the change, its interval."""
    return (*medians(change), percent(change), interval(change))


def is_bounded(change: Change) -> bool:
    """Whether any slowdown is ruled out."""
    return change.ruled_out < math.inf


def bound(change: Change) -> str:
    """The bound: `a slowdown above 3.1 % is ruled out`."""
    more = terms_of(change).more
    if change.ruled_out <= 0:
        return f"any {more} is ruled out"
    if not is_bounded(change):
        return "no bound was reached"
    return f"{'a ' if is_time(change) else ''}{more} above {units.percent_above(change.ruled_out)} is ruled out"


def verdict(change: Change) -> str:
    """The verdict, with its bound or reason."""
    if change.verdict == "inconclusive":
        known = [change.reason] if change.reason else []
        known += [bound(change)] if is_bounded(change) or not known else []
        return f"inconclusive: {'; '.join(known)}"
    if change.verdict == "no change" and is_bounded(change):
        return f"no change: {bound(change)}"
    return change.verdict


def aligned(rows: Sequence[tuple[str, ...]], left: Set[int]) -> list[str]:
    """Lines with aligned columns: those of `left` to the left, others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if index in left else f"{cell:>{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
