"""Tables of the page: a column's header and cells come from one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from markupsafe import Markup, escape

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

    def __html__(self) -> str:
        label = f' role="img" aria-label="{escape(self.label)}"' if self.label else ""
        target = f'<path class="target" d="M0 {self.target_px}H120"/>' if self.target_px is not None else ""
        paths = "".join([f'<path d="{escape(path)}"/>' for path in self.paths])
        return f"{escape(self.text)}<svg{label}>{target}{paths}</svg>"


@dataclass(frozen=True, slots=True)
class Folded:
    """A text that opens to the attributes of a case and its command."""

    text: str
    attributes: str
    command: str

    def __html__(self) -> str:
        attributes = f"<p>{escape(self.attributes)}" if self.attributes else ""
        command = f"<p>Measure it again: <code class=command>{escape(self.command)}</code>"
        return f"<details><summary>{escape(self.text)}</summary><div>{attributes}{command}</div></details>"


Value = str | float | None | Drawing | Folded
Cell = str | Drawing | Folded


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """A column: its header and its cell in each row.

    Attributes:
        note: lines under the title: of what, per what, and which direction is better.
        value: the cell of a row; a number is in base units of `unit`, None leaves the cell empty.
        meaning: what the column is, in one line; a box above the table lists it.
        sort: by what the page's script sorts the rows of cases: a key of `suite.report.metrics.METRICS`, `id`, `rank`,
            or `text` for the cell's text; empty where it does not sort.
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
        first: rows of the first group; the others are a second one, which the page's script shows when asked.
    """

    name: str
    columns: tuple[Column[RowT], ...]
    rows: tuple[tuple[Cell, ...], ...]
    hidden: int = 0
    first: int | None = None

    @property
    def groups(self) -> tuple[tuple[tuple[Cell, ...], ...], ...]:
        """The rows in their order, in one group or two."""
        first, others = self.rows[: self.first], self.rows[len(self.rows[: self.first]) :]
        return (first, others) if others else (first,)

    def html(self, rows: Iterable[tuple[Cell, ...]]) -> Iterator[Markup]:
        """The cells of each row with every text escaped.

        Made here and not by the template, which takes three times as long for the 140,000 cells of 10,000 cases.
        """
        tags = [f"<{column.tag}>" for column in self.columns]
        for row in rows:
            yield Markup("".join([f"{tag}{escape(cell)}" for tag, cell in zip(tags, row, strict=True)]))  # noqa: S704 - escaped


def table(
    name: str,
    columns: Sequence[Column[RowT]],
    rows: Iterable[RowT],
    most: int | None = None,
    first: int | None = None,
) -> Table[RowT]:
    """A table of up to `most` rows, `first` of them in the first group."""
    rows = list(rows)
    shown = rows[:most]
    cells = tuple(zip(*(map(column.cell, shown) for column in columns), strict=True))
    return Table(name, tuple(columns), cells, len(rows) - len(shown), first)
