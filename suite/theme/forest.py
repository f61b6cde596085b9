"""A forest plot: changes and their intervals as places on a shared axis.

Places are percentages of the plot's width, so that the plot takes the width of its window. Heights are whole pixels: a
label is above its mark, so that the plot fits a phone. On a wide screen the style sheet moves labels to the left of the
marks and figures to the right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

ROW_PX = 32
MARK_PX = 21
"""From the top of a row to its mark."""
TOP_PX = 20
"""Space for the numbers of the axis, above and below the rows."""
GROUP_PX = 14
"""Space between two groups of rows."""
LONGEST_LABEL = 46
"""Characters of a label that fit 328 pixels at a font size of 12 pixels. The table shows the whole id."""
REACH_MARGINS = 3.0
REACH_MEDIANS = 8.0
"""The axis ends at this many margins, or this many medians of the ends of all intervals, whichever is more.

It cuts off longer intervals, so that one huge change does not squeeze the others.
"""
REACH_MOST = 100.0
"""Longest axis: a hundredfold change is a broken measurement."""
MOST_TICKS = 8
MOST_ROWS = 100
"""Rows of a group that are drawn, from both ends of its order; the table has all of them."""
SHAPES = {
    "regression": "m0-6l6 11h-12z",  # a triangle, up
    "improvement": "m0 6l6-11h-12z",  # a triangle, down
    "no change": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # a circle
    "inconclusive": "m0-5l5 5l-5 5l-5-5z",  # a diamond
}
"""Path of a mark from its middle. Marks differ in shape as well as in colour."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A change with its interval, of one case or level.

    Attributes:
        low, change, high: relative changes; NaN if unknown.
        figures: the same in words.
        finding: the verdict in words.
    """

    label: str
    verdict: str
    low: float
    change: float
    high: float
    figures: str
    finding: str

    @property
    def known(self) -> list[float]:
        """Its numbers that are finite."""
        return [value for value in (self.low, self.change, self.high) if math.isfinite(value)]


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from changes to places."""

    low: float
    high: float

    def place(self, value: float) -> str:
        """Percentage of the width; values beyond an end are at that end."""
        value = min(max(value, self.low), self.high)
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}%"

    def cuts_below(self, one: Interval) -> bool:
        """Whether the left end cuts off its interval or mark."""
        return any(end < self.low for end in (one.low, one.high, one.change))

    def cuts_above(self, one: Interval) -> bool:
        """Whether the right end cuts off its interval or mark."""
        return any(end > self.high for end in (one.low, one.high, one.change))

    def ticks(self) -> tuple[float, ...]:
        """Round values within the axis, zero among them."""
        step = round_step((self.high - self.low) / MOST_TICKS)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return tuple(index * step for index in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the plot.

    Attributes:
        y: pixels from the top of the drawing to the top of the row.
        label: the label, without its middle if it is too long.
        interval: what it shows.
        left, right: places of the ends of the interval; empty without one.
        mark: place of the mark; empty if the change is unknown.
        cut_below, cut_above: whether the axis cuts it off.
    """

    y: int
    label: str
    interval: Interval
    left: str
    right: str
    mark: str
    cut_below: bool
    cut_above: bool


@dataclass(frozen=True, slots=True)
class Forest:
    """The plot.

    Attributes:
        limits: name, place and text of each line through all rows.
        ticks: place and text of each tick.
        dividers: pixels from the top to each line between groups.
        cut_off: number of rows that the axis cuts off.
        omitted: number of rows that are not drawn, from the middle of their group.
    """

    height: int
    rows: tuple[Row, ...]
    limits: tuple[tuple[str, str, str], ...]
    ticks: tuple[tuple[str, str], ...]
    dividers: tuple[int, ...]
    cut_off: int
    omitted: int

    @property
    def bottom(self) -> int:
        """Lower end of the lines through all rows."""
        return self.height - TOP_PX


def forest(groups: Sequence[Sequence[Interval]], tolerance: tuple[float, str], margin: tuple[float, str]) -> Forest:
    """The plot of groups of rows, one group below the other.

    Args:
        groups: at least one row in all.
        tolerance: as a share, and as text.
        margin: the same.
    """
    drawn = [from_both_ends(group) for group in groups if group]
    axis = axis_of([one for group in drawn for one in group], margin[0])
    rows: list[Row] = []
    dividers: list[int] = []
    top = TOP_PX
    for group in drawn:
        if rows:
            dividers.append(top + GROUP_PX // 2)
            top += GROUP_PX
        rows += [row(one, axis, top + ROW_PX * index) for index, one in enumerate(group)]
        top += ROW_PX * len(group)
    marked = (("zero", 0.0, "0 %"), ("tolerance", *tolerance), ("margin", *margin))
    return Forest(
        height=top + TOP_PX,
        rows=tuple(rows),
        limits=tuple((name, axis.place(value), text) for name, value, text in marked),
        ticks=tuple((axis.place(value), tick(value)) for value in axis.ticks()),
        dividers=tuple(dividers),
        cut_off=sum(one.cut_below or one.cut_above for one in rows),
        omitted=sum(map(len, groups)) - len(rows),
    )


def from_both_ends(group: Sequence[Interval]) -> Sequence[Interval]:
    """A group, or as many of its first and last rows as are drawn."""
    half = MOST_ROWS // 2
    return group if len(group) <= MOST_ROWS else [*group[:half], *group[-half:]]


def axis_of(some: Sequence[Interval], margin: float) -> Axis:
    """An axis that shows zero, the margin, and most ends of intervals."""
    ends = [end for one in some for end in one.known]
    reach = max(REACH_MARGINS * margin, REACH_MEDIANS * median(map(abs, ends)) if ends else 0.0)
    reach = min(reach, REACH_MOST)
    low = max(-reach, min([-reach / 10, *ends]))
    high = min(reach, max([reach / 10, 1.2 * margin, *ends]))
    return Axis(low, high)


def row(one: Interval, axis: Axis, y: int) -> Row:
    """The row of an interval, `y` pixels from the top."""
    has_ends = not (math.isnan(one.low) or math.isnan(one.high))
    return Row(
        y=y,
        label=shortened(one.label),
        interval=one,
        left=axis.place(one.low) if has_ends else "",
        right=axis.place(one.high) if has_ends else "",
        mark=axis.place(one.change) if math.isfinite(one.change) else "",
        cut_below=axis.cuts_below(one),
        cut_above=axis.cuts_above(one),
    )


def shortened(label: str) -> str:
    """A label without its middle if it is too long; ids differ at their ends."""
    half = LONGEST_LABEL // 2
    return label if len(label) <= LONGEST_LABEL else f"{label[: half - 1]}…{label[-half:]}"


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * times for times in (1, 2, 5) if power * times >= least), 10 * power)


def tick(value: float) -> str:
    """The text of a tick: `+5 %`."""
    return f"{100 * value:+g} %" if value else "0 %"
