"""Tables of the page: each cell stands under its header."""

import pytest

from suite import report
from suite.report.table import Column, table
from tests.fakes.html_page import Page
from tests.fakes.made_runs import quick_run, run
from tests.report.test_instrument_section import surveyed
from tests.report.test_scaling import shared


def test_header_and_cell_of_a_column_come_from_one_entry():
    columns = [Column("Name", (), lambda row: row[0]), Column("Length", (), lambda row: row[1], "s")]
    assert table("Names", columns, [("a", 0.002), ("b", None)]).rows == (("a", "2.00 ms"), ("b", ""))


def test_rows_that_do_not_fit_are_counted():
    made = table("Numbers", [Column("Number", (), lambda row: row)], [1.0, 2.0, 3.0], most=2)
    assert (made.rows, made.hidden) == ((("1.00",), ("2.00",)), 1)


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    measured = [record for record in quick_run().cases if record.outcome == "measured"]
    ranks = [shared("distributed_r1", 0.012, 1, 2), shared("distributed", 0.01, 2, 1)]
    return [Page(report.render(made)) for made in (quick_run(), run([surveyed(one) for one in measured]), run(ranks))]


def test_every_row_of_every_table_has_a_cell_under_each_header(pages):
    tables = [rows for page in pages for rows in widths(page)]
    assert len(tables) >= 9
    assert all(len(set(rows)) == 1 and len(rows) > 1 for rows in tables)


def widths(page: Page) -> list[list[int]]:
    """Cells in each row of each table, its header first; a case's page has no rows before it is opened."""
    found: list[list[int]] = []
    for one in page.elements:
        if "case-sheet" in one.inside:
            continue
        if one.tag == "table":
            found.append([])
        elif one.tag == "tr":
            found[-1].append(0)
        elif one.tag in ("td", "th"):
            found[-1][-1] += 1
    return found
