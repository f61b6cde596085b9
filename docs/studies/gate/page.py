"""The gate's study as a page, as Markdown, and its curve as a picture: from what is gathered, whole or not.

Writes `reports/studies/gate.html`, `reports/studies/gate.md` and `docs/pictures/gate_power.png`.
"""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import curve
import suite.gate.formats
from live import RAW, trials
from tables import Table, rivals_table, tables

PICTURE = Path("docs/pictures/gate_power.png")
STYLE = Path(suite.gate.formats.__file__).with_name("gate.css")


def markdown(table: Table) -> str:
    """A table with its heading."""
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join([f"## {table.caption}", "", table.note, "", *(f"| {' | '.join(cells)} |" for cells in lines)])


def span() -> str:
    """When the live gates ran, on what."""
    times = sorted(one["at"] for one in trials())
    others = sorted(one["surroundings"]["others_cores"] for one in trials() if "surroundings" in one)
    beside = f"; others used up to {others[-1]:.2g} cores meanwhile" if others else ""
    return (
        f"{len(times)} live gates from {times[0][:10]} to {times[-1][:10]}{beside}." if times else "No live gate yet."
    )


def page(found: tuple[Table, ...]) -> str:
    """The page, which needs nothing else."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html.j2").render(
        style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704 - our own style sheet
        machine=span(),
        tables=found,
        curve=f"data:image/svg+xml;base64,{base64.b64encode(curve.svg().encode()).decode()}",
        curve_before=found.index(rivals_table()),
    )


def main() -> None:
    """Write all, and print the tables."""
    found = tables()
    text = "\n\n".join(map(markdown, found)) + "\n"
    print(text, end="")
    RAW.with_suffix(".md").write_text(text)
    RAW.with_suffix(".html").write_text(page(found))
    PICTURE.write_bytes(curve.png())


if __name__ == "__main__":
    main()
