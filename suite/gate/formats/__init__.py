"""Formats of a verdict for people and tools, made from `suite.gate.verdict`.

sanitize.py     texts from outside -> one printable line
numbers.py      numbers -> text
sentences.py    texts that several formats share
method.py       conditions of the measurement -> labels and texts
forest.py       changes and intervals -> path data of a plot
table.py, as_json.py, junit.py, markdown.py, github.py, page.py     one format each
"""

from __future__ import annotations

from collections.abc import Callable

from suite.gate.formats import as_json, github, junit, markdown, table
from suite.gate.verdict import GateVerdict


def render_page(verdict: GateVerdict) -> str:
    """Render the page; only its module needs jinja2, so it is imported late."""
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
"""Name of the format -> function that renders it.

Files end with a line break. Texts that are printed or appended do not.
"""
