"""Changes and their intervals as path data of a forest plot, in whole pixels.

A row is `ROW_PX` high: the label is above its mark, so that the plot fits a phone. On a wide screen the style sheet
moves the labels to the left of the marks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from suite import units
from suite.analysis import change_text
from suite.analysis.change_text import is_time
from suite.analysis.thresholds import ChangeVerdict, Thresholds
from suite.gate.formats.sentences import case_label, finding, level_label
from suite.gate.verdict import GateChange, GateVerdict

PLOT_PX = 300
"""Width from one end of the axis to the other; with the margins it fits a phone of 360 pixels."""
MARGIN_PX = 14
"""Space at both ends for the arrows of intervals that are cut off."""
ROW_PX = 32
MARK_PX = 21
"""From the top of a row to the middle of its mark."""
TOP_PX = 20
"""Space for the numbers of the axis, above and below the rows."""
GROUP_PX = 14
"""Space between cases and levels."""
LONGEST_LABEL = 46
"""Characters of a label that fit 328 pixels at a font size of 12 pixels. The table shows the whole id."""
REACH_MARGINS = 3.0
REACH_MEDIANS = 4.0
"""The axis ends at this many margins, or this many medians of the ends of all intervals, whichever is more.

It cuts off longer intervals, so that one huge change does not squeeze the others.
"""
REACH_MOST = 100.0
"""Longest axis: a hundredfold change is a broken measurement, and larger ones would overflow pixels."""
MOST_TICKS = 6
SHAPES: dict[ChangeVerdict, str] = {
    "regression": "m0-6l6 11h-12z",  # a triangle, up
    "improvement": "m0 6l6-11h-12z",  # a triangle, down
    "no change": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # a circle
    "inconclusive": "m0-5l5 5l-5 5l-5-5z",  # a diamond
}
"""Path of a mark from its middle. Marks differ in shape as well as in colour."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from changes to pixels."""

    low: float
    high: float

    def px(self, value: float) -> int:
        """Pixels from the left edge of the drawing; values beyond an end are at that end."""
        value = min(max(value, self.low), self.high)
        return MARGIN_PX + round(PLOT_PX * (value - self.low) / (self.high - self.low))

    def cuts_below(self, judged: GateChange) -> bool:
        """Whether the left end cuts off its interval or mark."""
        return any(end < self.low for end in (judged.low, judged.high, judged.change))

    def cuts_above(self, judged: GateChange) -> bool:
        """Whether the right end cuts off its interval or mark."""
        return any(end > self.high for end in (judged.low, judged.high, judged.change))

    def ticks(self) -> tuple[float, ...]:
        """Round values within the axis, zero among them."""
        step = round_step((self.high - self.low) / MOST_TICKS)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return tuple(index * step for index in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Row:
    """One case or level in the plot.

    Attributes:
        y: pixels from the top of the drawing to the top of the row.
        whole: the label in full.
        line: path data of the interval, with arrows if it is cut off; empty if there is no interval.
        shape: path data of the mark; empty if the change is unknown.
    """

    y: int
    label: str
    whole: str
    verdict: ChangeVerdict
    line: str
    shape: str
    figures: str
    finding: str


@dataclass(frozen=True, slots=True)
class Forest:
    """The forest plot.

    Attributes:
        limits: name, pixels from the left and text of each line through all rows.
        ticks: pixels from the left and text of each tick.
        divider: pixels from the top to the line between cases and levels; 0 if there is no such line.
        cut_off: number of rows that the axis cuts off.
    """

    width: int
    height: int
    rows: tuple[Row, ...]
    limits: tuple[tuple[str, int, str], ...]
    ticks: tuple[tuple[int, str], ...]
    divider: int
    cut_off: int

    @property
    def bottom(self) -> int:
        """Lower end of the lines through all rows."""
        return self.height - TOP_PX


def forest(verdict: GateVerdict) -> Forest | None:
    """The changes of step time, cases above levels; None without step times."""
    cases = [case for case in verdict.cases if is_time(case)]
    levels = [level for level in verdict.levels if is_time(level)]
    if not cases and not levels:
        return None
    axis = axis_of([*cases, *levels], verdict.limits)
    below = TOP_PX + ROW_PX * len(cases) + (GROUP_PX if cases and levels else 0)
    rows = [*rows_of(cases, case_label, axis, TOP_PX), *rows_of(levels, level_label, axis, below)]
    marked = (("zero", 0.0), ("tolerance", verdict.limits.tolerance), ("margin", verdict.limits.margin))
    return Forest(
        width=PLOT_PX + 2 * MARGIN_PX,
        height=rows[-1].y + ROW_PX + TOP_PX,
        rows=tuple(rows),
        limits=tuple((name, axis.px(value), units.percent(value)) for name, value in marked),
        ticks=tuple((axis.px(value), tick(value)) for value in axis.ticks()),
        divider=below - GROUP_PX // 2 if cases and levels else 0,
        cut_off=sum(axis.cuts_below(judged) or axis.cuts_above(judged) for judged in (*cases, *levels)),
    )


def axis_of(some: Sequence[GateChange], limits: Thresholds) -> Axis:
    """An axis that shows zero, both limits, and most ends of intervals."""
    values = [value for judged in some for value in (judged.low, judged.high, judged.change)]
    ends = [value for value in values if math.isfinite(value)]
    reach = max(REACH_MARGINS * limits.margin, REACH_MEDIANS * median(map(abs, ends)) if ends else 0.0)
    reach = min(reach, REACH_MOST)
    low = max(-reach, min([-reach / 10, *ends]))
    high = min(reach, max([reach / 10, 1.2 * limits.margin, *ends]))
    return Axis(low, high)


def rows_of(some: Sequence[GateChange], label: Callable[[GateChange], str], axis: Axis, top: int) -> list[Row]:
    """One row below the other."""
    rows = []
    for index, judged in enumerate(some):
        y, whole = top + ROW_PX * index, label(judged)
        middle = y + MARK_PX
        shape = f"M{axis.px(judged.change)} {middle}{SHAPES[judged.verdict]}" if math.isfinite(judged.change) else ""
        line = interval_path(judged, axis, middle)
        figures = change_text.with_interval(judged)
        rows.append(Row(y, shortened(whole), whole, judged.verdict, line, shape, figures, finding(judged)))
    return rows


def shortened(label: str) -> str:
    """A label without its middle if it is too long; ids differ at their ends."""
    half = LONGEST_LABEL // 2
    return label if len(label) <= LONGEST_LABEL else f"{label[: half - 1]}…{label[-half:]}"


def interval_path(judged: GateChange, axis: Axis, y: int) -> str:
    """A line from low to high, with an arrow at each end of the axis that cuts it off."""
    path = ""
    if not math.isnan(judged.low) and not math.isnan(judged.high):
        left, right = axis.px(judged.low), axis.px(judged.high)
        path = f"M{left} {y}H{max(right, left + 1)}"
    if axis.cuts_below(judged):
        path += f"M{MARGIN_PX - 8} {y - 4}l-4 4l4 4"
    if axis.cuts_above(judged):
        path += f"M{MARGIN_PX + PLOT_PX + 8} {y - 4}l4 4l-4 4"
    return path


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * times for times in (1, 2, 5) if power * times >= least), 10 * power)


def tick(value: float) -> str:
    """The text of a tick: `+5 %`."""
    return f"{100 * value:+g} %" if value else "0 %"
