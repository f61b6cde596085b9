"""Changes and their intervals as path data of a forest plot, in whole pixels.

A row is `ROW_PX` high: its label's line above, its mark below it, so that the plot fits a phone; on a wide screen the
style sheet moves the labels to the left of the marks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from suite.analysis.thresholds import ChangeVerdict, Thresholds
from suite.gate.formats.numbers import change, percent
from suite.gate.formats.sentences import case_label, finding, is_time, level_label
from suite.gate.verdict import GateVerdict, Judged

PLOT_PX = 300
"""Width from one end of the axis to the other; with the margins it fits a phone of 360 pixels."""
MARGIN_PX = 14
"""Free space at both ends, in which the arrows of what was cut off stand."""
ROW_PX = 32
MARK_PX = 21
"""From the top of a row to the middle of its mark."""
TOP_PX = 20
"""For the figures of the axis; as much below."""
GROUP_PX = 14
"""Between cases and levels."""
LONGEST_LABEL = 46
"""Characters of a label in the plot: what 328 pixels hold at 12 pixels a line. The whole id stands in the table."""
REACH_MARGINS = 3.0
REACH_MEDIANS = 4.0
"""The axis ends at so many margins, or so many times the middle of all ends of intervals, whichever is more: what
reaches beyond is cut off, so that one huge change does not squeeze the others."""
REACH_MOST = 100.0
"""Whatever the changes are: a hundredfold is a broken measurement, and beyond it pixels overflow."""
MOST_TICKS = 6
SHAPES: dict[ChangeVerdict, str] = {
    "regression": "m0-6l6 11h-12z",  # a triangle, up
    "improvement": "m0 6l6-11h-12z",  # a triangle, down
    "no change": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # a circle
    "inconclusive": "m0-5l5 5l-5 5l-5-5z",  # a diamond
}
"""Path of a mark from its middle: told apart by shape, and by colour besides."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Changes to pixels."""

    low: float
    high: float

    def px(self, value: float) -> int:
        """Pixels from the left edge of the drawing; beyond the ends, the ends."""
        value = min(max(value, self.low), self.high)
        return MARGIN_PX + round(PLOT_PX * (value - self.low) / (self.high - self.low))

    def cuts_below(self, one: Judged) -> bool:
        """Whether something of it lies beyond the left end."""
        return any(end < self.low for end in (one.low, one.high, one.change))

    def cuts_above(self, one: Judged) -> bool:
        """Whether something of it lies beyond the right end."""
        return any(end > self.high for end in (one.low, one.high, one.change))

    def ticks(self) -> tuple[float, ...]:
        """Round values within the axis, zero among them."""
        step = round_step((self.high - self.low) / MOST_TICKS)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return tuple(index * step for index in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Row:
    """One case, or one level, as it is drawn.

    Attributes:
        y: from the top of the drawing to the top of the row.
        whole: its label in full.
        line: path data of its interval, with arrows where it is cut off; empty where it has none.
        shape: path data of its mark; empty where its change is not known.
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
    """A whole drawing.

    Attributes:
        limits: a name, pixels from the left, and the value in words, of the lines that go through all rows.
        ticks: pixels from the left, and the value in words.
        divider: from the top to the line between cases and levels; 0 where there is none.
        cut_off: rows that reach beyond the axis.
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
        """Where the lines through all rows end."""
        return self.height - TOP_PX


def forest(verdict: GateVerdict) -> Forest | None:
    """The changes of step time, cases above, levels below; None where no case was compared by it."""
    cases = [one for one in verdict.cases if is_time(one)]
    levels = [one for one in verdict.levels if is_time(one)]
    if not cases and not levels:
        return None
    axis = axis_of([*cases, *levels], verdict.limits)
    below = TOP_PX + ROW_PX * len(cases) + (GROUP_PX if cases and levels else 0)
    rows = [*drawn(cases, case_label, axis, TOP_PX), *drawn(levels, level_label, axis, below)]
    marked = (("zero", 0.0), ("tolerance", verdict.limits.tolerance), ("margin", verdict.limits.margin))
    return Forest(
        width=PLOT_PX + 2 * MARGIN_PX,
        height=rows[-1].y + ROW_PX + TOP_PX,
        rows=tuple(rows),
        limits=tuple((name, axis.px(value), percent(value)) for name, value in marked),
        ticks=tuple((axis.px(value), tick(value)) for value in axis.ticks()),
        divider=below - GROUP_PX // 2 if cases and levels else 0,
        cut_off=sum(axis.cuts_below(one) or axis.cuts_above(one) for one in (*cases, *levels)),
    )


def axis_of(some: Sequence[Judged], limits: Thresholds) -> Axis:
    """An axis that shows zero, both limits, and all intervals but what reaches far beyond the others."""
    ends = [end for one in some for end in (one.low, one.high, one.change) if math.isfinite(end)]
    reach = max(REACH_MARGINS * limits.margin, REACH_MEDIANS * median(map(abs, ends)) if ends else 0.0)
    reach = min(reach, REACH_MOST)
    low = max(-reach, min([-reach / 10, *ends]))
    high = min(reach, max([reach / 10, 1.2 * limits.margin, *ends]))
    return Axis(low, high)


def drawn(some: Sequence[Judged], label: Callable[[Judged], str], axis: Axis, top: int) -> list[Row]:
    """Rows below each other."""
    rows = []
    for index, one in enumerate(some):
        y, whole = top + ROW_PX * index, label(one)
        middle = y + MARK_PX
        shape = f"M{axis.px(one.change)} {middle}{SHAPES[one.verdict]}" if math.isfinite(one.change) else ""
        line = interval_path(one, axis, middle)
        rows.append(Row(y, shortened(whole), whole, one.verdict, line, shape, change(one), finding(one)))
    return rows


def shortened(label: str) -> str:
    """A label of at most `LONGEST_LABEL` characters, without its middle: ids differ at their ends."""
    half = LONGEST_LABEL // 2
    return label if len(label) <= LONGEST_LABEL else f"{label[: half - 1]}…{label[-half:]}"


def interval_path(one: Judged, axis: Axis, y: int) -> str:
    """A line from low to high, with an arrow at each end of the axis beyond which something lies."""
    path = ""
    if not math.isnan(one.low) and not math.isnan(one.high):
        left, right = axis.px(one.low), axis.px(one.high)
        path = f"M{left} {y}H{max(right, left + 1)}"
    if axis.cuts_below(one):
        path += f"M{MARGIN_PX - 8} {y - 4}l-4 4l4 4"
    if axis.cuts_above(one):
        path += f"M{MARGIN_PX + PLOT_PX + 8} {y - 4}l4 4l-4 4"
    return path


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * times for times in (1, 2, 5) if power * times >= least), 10 * power)


def tick(value: float) -> str:
    """A tick's value: `+5 %`."""
    return f"{100 * value:+g} %" if value else "0 %"
