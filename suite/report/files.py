"""Style sheets and scripts of the page: shared ones, then those of its views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from markupsafe import Markup

from suite import theme

FOLDER = Path(__file__).parent
STYLES = ("controls", "filter", "table", "charts", "views")
"""Files in `styles/`, in their order; those of the views follow, and print.css is the last."""
SCRIPTS = ("core", "filter", "table", "charts")
"""Files in `scripts/`, in their order; they share one scope."""

CONTAINED = Markup("try {{\n{}}} catch (error) {{\n  console.error(error);\n}}\n")
"""Keeps names and errors of a script within it."""


def style(views: Iterable[str]) -> Markup:
    """The style sheet of a page with these views."""
    shared = [FOLDER / "styles" / f"{name}.css" for name in STYLES]
    return theme.style(*shared, *present(views, "css"), FOLDER / "styles" / "print.css")


def script(views: Iterable[str]) -> Markup:
    """The script of a page with these views, for one module.

    A view's script sees the names of the shared ones. Its own stay within it, and so do its errors.
    """
    shared = [theme.trusted(FOLDER / "scripts" / f"{name}.js") for name in SCRIPTS]
    own = [CONTAINED.format(theme.trusted(file)) for file in present(views, "js")]
    return Markup("\n").join([*shared, *own])


def present(views: Iterable[str], kind: str) -> Iterator[Path]:
    """Files of a kind that the views have; `case_charts.js` before `case.js`."""
    folder = FOLDER / "views"
    for name in views:
        yield from sorted(folder.glob(f"{name}_*.{kind}"))
        yield from folder.glob(f"{name}.{kind}")
