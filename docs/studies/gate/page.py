"""The gate's study as a page, as Markdown, and its curve as a picture: from what is gathered, whole or not.

Writes `reports/studies/gate.html`, `reports/studies/gate.md` and `docs/pictures/gate_power.png`, and puts the tables
that `docs/results.md` asks for between its marks. With `--check` it writes nothing, and fails where a text is not that
of the raw data.
"""

from __future__ import annotations

import base64
import re
from argparse import ArgumentParser
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import curve
from dose_tables import cost_table, dose_table, error_table
from gathered import SHOWN, Study, study
from live import RAW
from rivals_tables import denied_table, rivals_table
from suite import theme
from tables import Table, aims_table, dealt_table, live_table, organic_table

DOCUMENT = Path("docs/results.md")
MARKED = re.compile(r"(<!-- table (\w+), by page\.py -->\n).*?(<!-- end -->)", re.DOTALL)
PICTURE = Path("docs/pictures/gate_power.png")


def tables(found: Study) -> tuple[Table, ...]:
    """All of them, in the order in which a reader asks."""
    return (
        aims_table(found),
        live_table(found),
        dose_table(found),
        cost_table(found),
        error_table(found),
        rivals_table(found),
        denied_table(found),
        dealt_table(),
        organic_table(),
    )


def grid(table: Table) -> str:
    """A table without its heading."""
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def markdown(table: Table) -> str:
    """A table with its heading."""
    return f"## {table.caption}\n\n{table.note}\n\n{grid(table)}"


def filled(text: str, found: tuple[Table, ...]) -> str:
    """A document with tables anew between its marks."""
    by_name = {one.name: one for one in found}
    return MARKED.sub(lambda mark: f"{mark[1]}{grid(by_name[mark[2]])}\n{mark[3]}", text)


def span(found: Study) -> str:
    """When the live gates ran, of what code, on what."""
    if not found.gates:
        return "No live gate yet."
    times = sorted(one["at"] for one in found.gates)
    others = sorted(one["surroundings"]["others_cores"] for one in found.gates if one.get("surroundings"))
    besides = f"; others used up to {others[-1]:.2g} cores" if others else ""
    revisions = {one["revision"] for one in found.gates if "revision" in one}
    nameless = sum("revision" not in one for one in found.gates)
    unknown = f" and {nameless} gates of revisions that were not recorded" if nameless else ""
    return (
        f"{len(times)} live gates from {times[0][:10]} to {times[-1][:10]}, in {len(found.sittings())} sittings, "
        f"of {len(revisions)} revisions{unknown}{besides}."
    )


def page(found: Study, made: tuple[Table, ...]) -> str:
    """The page, which needs nothing else."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html.j2").render(
        style=theme.style_of_changes(),
        machine=span(found),
        tables=made,
        curve=f"data:image/svg+xml;base64,{base64.b64encode(curve.svg(found).encode()).decode()}",
        curve_before="rivals",
    )


def texts(found: Study, made: tuple[Table, ...]) -> dict[Path, str]:
    """The text of each table."""
    return {
        RAW.with_suffix(".md"): "\n\n".join([span(found), *map(markdown, made)]) + "\n",
        DOCUMENT: filled(DOCUMENT.read_text(), made),
    }


def main() -> None:
    """Write all, or look whether all is as it should be."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", type=int, default=SHOWN, help="of the trials (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a text is stale")
    asked = parser.parse_args()
    found = study(asked.protocol)
    made = tables(found)
    stale = [path for path, text in texts(found, made).items() if not path.exists() or path.read_text() != text]
    if asked.check:
        raise SystemExit(f"stale: {', '.join(map(str, stale))}; run docs/studies/gate/page.py" if stale else 0)
    for path, text in texts(found, made).items():
        path.write_text(text)
    RAW.with_suffix(".html").write_text(page(found, made))
    PICTURE.write_bytes(curve.png(found))
    print(RAW.with_suffix(".md").read_text(), end="")


if __name__ == "__main__":
    main()
