"""A verdict in the formats that people and tools read: values of `suite.gate.verdict` in, text out.

sanitize.py     texts of others made fit for a line
numbers.py      numbers for a reader
sentences.py    what several formats say alike
method.py       how it was measured, as labels and texts
forest.py       changes and their intervals as path data, in whole pixels
table.py, as_json.py, junit.py, markdown.py, github.py, page.py     one format each
"""

from __future__ import annotations

from collections.abc import Callable

from suite.gate.formats import as_json, github, junit, markdown, table
from suite.gate.verdict import GateVerdict


def render_page(verdict: GateVerdict) -> str:
    """The page, by the one module that needs jinja2."""
    from suite.gate.formats import page

    return page.render(verdict)


FORMATS: dict[str, Callable[[GateVerdict], str]] = {
    "table": table.render,
    "json": as_json.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "github": github.render,
    "page": render_page,
}
"""Name of the format -> what makes it. Files end with a line's end; what is printed or appended has none."""
