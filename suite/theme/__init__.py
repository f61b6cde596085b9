"""The look that all pages share: jinja environment, macros, colours and fonts.

tokens.css       colours and fonts
base.css         what every page begins with
macros.html.j2   macros of all pages
forest.py        changes with intervals -> places of a forest plot
tables.py        tables of pages that compare, as values
changes.html.j2, page.css, changes.css     macros and style of the pages that compare: two runs, or two sides of a gate
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).parent


def environment(folder: Path) -> Environment:
    """Jinja for a folder's templates and the shared ones here, with autoescape.

    A name that a template uses and nobody gave is an error.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    return made


def style(*own: Path) -> Markup:
    """The style sheet of a page: what all pages share, then its own files."""
    from markupsafe import Markup

    return Markup("\n").join(map(trusted, (FOLDER / "tokens.css", FOLDER / "base.css", *own)))


def style_of_changes() -> Markup:
    """The style sheet of a page that compares."""
    return style(FOLDER / "changes.css", FOLDER / "page.css")


def trusted(file: Path) -> Markup:
    """A file of this package that goes into a page unescaped."""
    from markupsafe import Markup

    return Markup(file.read_text(encoding="utf-8"))  # noqa: S704 - our style sheets and scripts
