"""Tables of the page: a column's header and cells come from one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from suite import units

RowT = TypeVar("RowT")
LOWER, HIGHER = "lower is better", "higher is better"
DIGITS = 3
"""Significant digits of a number, unless its column has others."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A small picture in a cell, as path data, after a text.

    Attributes:
        label: what a screen reader says; empty where the text says it all.
        target_px: height of a dotted line, from the top; None without one.
    """

    paths: tuple[str, ...]
    text: str = ""
    label: str = ""
    target_px: int | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """A text that opens to the attributes of a case and its command."""

    text: str
    attributes: str
    command: str


Value = str | float | None | Drawing | Folded
Cell = str | Drawing | Folded


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """A column: its header and its cell in each row.

    Attributes:
        note: lines under the title: of what, per what, and which direction is better.
        value: the cell of a row; a number is in base units of `unit`, None leaves the cell empty.
        meaning: what the column is, in one line; a box above the table lists it.
        sort: by what the page's script sorts the rows of cases: a key of `suite.report.data.METRICS`, `id`, `rank`, or
            `text` for the cell's text; empty where it does not sort.
        is_lesser: whether the column, of numbers, waits behind a check box where a window has no room for all.
        ends: texts at both ends of a scale that all drawings of the column share.
    """

    title: str
    note: tuple[str, ...]
    value: Callable[[RowT], Value]
    unit: str = "1"
    digits: int = DIGITS
    meaning: str = ""
    sort: str = ""
    is_descending: bool = False
    is_heading: bool = False
    is_text: bool = False
    is_lesser: bool = False
    ends: tuple[str, str] = ("", "")
    ends_note: str = ""

    @property
    def tag(self) -> str:
        """Name and attributes of the element of a cell."""
        if self.is_heading:
            return "th scope=row"
        return "td class=x" if self.is_lesser else "td class=text" if self.is_text else "td"

    def cell(self, row: RowT) -> Cell:
        """The cell of a row as the page shows it."""
        value = self.value(row)
        if value is None:
            return ""
        return units.text(value, self.unit, self.digits) if isinstance(value, float | int) else value


@dataclass(frozen=True, slots=True)
class Table(Generic[RowT]):
    """A table with a cell for each column in each row.

    Attributes:
        name: what a screen reader calls the table; also its class in the style sheet.
        hidden: rows that the table has no room for.
    """

    name: str
    columns: tuple[Column[RowT], ...]
    rows: tuple[tuple[Cell, ...], ...]
    hidden: int = 0

    def tagged(self, row: tuple[Cell, ...]) -> Iterator[tuple[str, Cell]]:
        """The cells of a row, each with its tag."""
        return zip([column.tag for column in self.columns], row, strict=True)


def table(name: str, columns: Sequence[Column[RowT]], rows: Iterable[RowT], most: int | None = None) -> Table[RowT]:
    """A table of up to `most` rows, in their order."""
    rows = list(rows)
    shown = rows[:most]
    cells = tuple(tuple(column.cell(row) for column in columns) for row in shown)
    return Table(name, tuple(columns), cells, len(rows) - len(shown))
