"""Tables of pages as values, which `changes.html.j2` turns into HTML."""

from __future__ import annotations

from dataclasses import dataclass


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
class Row:
    """A row; its first cell is its heading.

    Attributes:
        kind: a verdict, whose mark the row has, or another name in the style sheet; empty without one.
    """

    cells: tuple[str, ...]
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
