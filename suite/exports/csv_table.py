"""A run as a CSV table: one row a case, one column a figure."""

from __future__ import annotations

import csv
import io

from suite.exports.case_table import table_of
from suite.records import Run


def render(run: Run) -> str:
    """The rows of `suite.exports.case_table`, with numbers at full precision.

    Source: RFC 4180 for quotes and line ends.
    """
    table = table_of(run)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(column.name for column in table.columns)
    writer.writerows([column.value(row) for column in table.columns] for row in table.rows)
    return text.getvalue()
