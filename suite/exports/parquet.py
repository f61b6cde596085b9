"""A run as a Parquet file: the CSV table with types, and the kept rounds."""

from __future__ import annotations

import io
import json
from typing import Any

from suite.exports.case_table import CaseTable, Column, Kind, Row, table_of
from suite.records import Run
from suite.records.codec import encode_header

ROUNDS = "step_time_rounds_s"
"""Column with the step times of the kept rounds of a case, in the order in which they were taken."""


def render(run: Run) -> bytes:
    """One row per case, with the names and numbers of the CSV table.

    A cell without a value is null. Each figure's column has its unit and description as metadata. The file's metadata
    have the header of the record, under `stepmark`.

    Source: Apache Parquet, as pyarrow writes it.
    """
    import pyarrow
    from pyarrow import parquet

    table = table_of(run)
    fields = [field_of(column, pyarrow) for column in table.columns]
    fields.append(pyarrow.field(ROUNDS, pyarrow.list_(pyarrow.float64()), metadata={"unit": "s"}))
    header = json.dumps(encode_header(run.header), default=str)
    schema = pyarrow.schema(fields, metadata={"stepmark": header})
    columns = [cells(column, table) for column in table.columns]
    columns.append([rounds_of(row) for row in table.rows])
    arrays = [pyarrow.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    content = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), content)
    return content.getvalue()


def field_of(column: Column, pyarrow: Any) -> Any:
    """The name, type and metadata of a column."""
    types: dict[Kind, Any] = {"text": pyarrow.string(), "count": pyarrow.int64(), "number": pyarrow.float64()}
    facts = {"unit": column.unit, "description": column.description}
    metadata = {key: text(value) for key, value in facts.items() if value}
    return pyarrow.field(text(column.name), types[column.kind], metadata=metadata or None)


def cells(column: Column, table: CaseTable) -> list[Any]:
    """The cells of a column, as its type takes them."""
    values = [column.value(row) for row in table.rows]
    if column.kind == "number":
        return [None if value is None else float(value) for value in values]
    return [text(value) if isinstance(value, str) else value for value in values]


def text(value: str) -> str:
    """A text that UTF-8 can encode: half of a surrogate pair becomes its escape."""
    return value.encode(errors="backslashreplace").decode()


def rounds_of(row: Row) -> list[float] | None:
    """The kept rounds of a measured case."""
    return row.figures.kept() if row.figures else None
