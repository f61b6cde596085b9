"""Tables of pages as values, which `changes.html.j2` turns into HTML."""

from __future__ import annotations

from dataclasses import dataclass

BARS_PX = 120
"""Length of the longest bar, as in changes.css."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading.

    Attributes:
        note: a line under the title, such as the direction that is better.
        is_text: whether its cells are words, aligned to the left.
        is_code: whether its cells are ids or values to copy.
        name: of its cells in the style sheet.
    """

    title: str
    note: str = ""
    is_text: bool = False
    is_code: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Two bars from the same line, the baseline's above the candidate's.

    Attributes:
        baseline, candidate: lengths, as shares of the longest bar of the table.
    """

    baseline: float
    candidate: float

    def __html__(self) -> str:
        bars = ((1, self.baseline), (8, self.candidate))
        paths = "".join(f'<path d="M0 {top}h{BARS_PX * share:.1f}v5H0z"/>' for top, share in bars)
        return f'<svg class="bars" aria-hidden="true">{paths}</svg>'


Cell = str | Bars


@dataclass(frozen=True, slots=True)
class Row:
    """A row; its first cell is its heading.

    Attributes:
        kind: a verdict, whose mark the row has, or another name in the style sheet; empty without one.
    """

    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption.

    Attributes:
        id: of the element; unique in the page.
    """

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def without_empty_columns(table: Table) -> Table:
    """The table without the columns whose cells are all empty."""
    kept = [index for index in range(len(table.columns)) if any(row.cells[index] for row in table.rows)]
    return Table(
        table.id,
        table.caption,
        tuple(table.columns[index] for index in kept),
        tuple(Row(tuple(row.cells[index] for index in kept), row.kind) for row in table.rows),
    )
