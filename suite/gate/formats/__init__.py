"""Formats of a verdict for people and tools, made from `suite.gate.verdict`.

sentences.py    texts that several formats share
conditions.py   conditions of the measurement -> labels and texts
forest.py       changes and intervals -> path data of a plot
table.py, as_json.py, junit.py, markdown.py, github.py, page.py     one format each
schema.py       the JSON Schema of as_json.py
"""

from __future__ import annotations

from collections.abc import Callable

from suite.gate.formats import as_json, github, junit, markdown, table
from suite.gate.verdict import GateVerdict
from suite.markup.printable import printable


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
"""Name of the format -> function that renders it from printable texts.

Files end with a line break. Texts that are printed or appended do not.
"""
UNCHANGED_TEXTS = {"json"}
"""Formats for programs, which escape what cannot be printed and keep every text as it was."""


def render(verdict: GateVerdict, form: str) -> str:
    """Render a verdict: the one place where texts from outside become printable.

    Args:
        verdict: as judged.
        form: one of `FORMATS`.
    """
    return FORMATS[form](verdict if form in UNCHANGED_TEXTS else printable(verdict))
