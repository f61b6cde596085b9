"""Tables of the page: each cell stands under its header."""

import pytest

from suite import report
from suite.report.table import Column, Drawing, Folded, table
from tests.fakes.html_page import Page
from tests.fakes.made_runs import quick_run, run
from tests.report.test_instrument_section import surveyed
from tests.report.test_scaling import shared

HOSTILE = '<script>"x"</script>'


def test_header_and_cell_of_a_column_come_from_one_entry():
    columns = [Column("Name", (), lambda row: row[0]), Column("Length", (), lambda row: row[1], "s")]
    assert table("Names", columns, [("a", 0.002), ("b", None)]).rows == (("a", "2.00 ms"), ("b", ""))


def test_rows_that_do_not_fit_are_counted():
    made = table("Numbers", [Column("Number", (), lambda row: row)], [1.0, 2.0, 3.0], most=2)
    assert (made.rows, made.hidden) == ((("1.00",), ("2.00",)), 1)


def test_rows_beyond_the_first_ones_are_a_second_group():
    numbers = [Column("Number", (), lambda row: row)]
    assert table("Numbers", numbers, [1.0, 2.0, 3.0], first=2).groups == ((("1.00",), ("2.00",)), (("3.00",),))
    assert table("Numbers", numbers, [1.0, 2.0], first=2).groups == ((("1.00",), ("2.00",)),)


@pytest.mark.parametrize("cell", [HOSTILE, Drawing((HOSTILE,), HOSTILE, HOSTILE), Folded(HOSTILE, HOSTILE, HOSTILE)])
def test_every_text_of_a_cell_is_escaped(cell):
    made = table("Texts", [Column("Text", (), lambda _: cell)], [None])
    [text] = made.html(made.rows)
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert '"x"' not in text


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    measured = [record for record in quick_run().cases if record.outcome == "measured"]
    ranks = [shared("distributed_r1", 0.012, 1, 2), shared("distributed", 0.01, 2, 1)]
    return [Page(report.render(made)) for made in (quick_run(), run([surveyed(one) for one in measured]), run(ranks))]


def test_every_row_of_every_table_has_a_cell_under_each_header(pages):
    tables = [rows for page in pages for rows in widths(page)]
    assert len(tables) >= 9
    assert all(len(set(rows)) == 1 and len(rows) > 1 for rows in tables)


def test_cells_of_a_lesser_column_have_the_class_of_their_header(pages):
    for name in ("phases-table", "memory-table", "utilization-table", "roofline-table"):
        rows: list[list[bool]] = []
        for one in pages[1].elements:
            if name in one.inside and one.tag == "tr":
                rows.append([])
            elif name in one.inside and one.tag in ("td", "th"):
                rows[-1].append("x" in one.attributes.get("class", "").split())
        assert any(rows[0])
        assert all(row == rows[0] for row in rows)


def test_a_box_names_the_lesser_columns_and_no_other_table_has_one(pages):
    labels = {one.attributes["for"]: one.words.strip() for one in pages[1].all("label") if "More columns" in one.words}
    assert labels["more-phases-table"] == "More columns: Copy, Zero gradients, Loss"
    assert set(labels) == {
        "more",
        "more-phases-table",
        "more-memory-table",
        "more-utilization-table",
        "more-roofline-table",
    }
    assert {one.attributes["for"] for one in pages[2].all("label") if "More columns" in one.words} == {"more"}


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
