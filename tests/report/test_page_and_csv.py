"""Figures of the page are those of `stepmark export --format csv`."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from suite import report, units
from suite.exports.csv_table import render
from suite.records import Run
from suite.report.data import DIGITS, columns
from suite.report.facts import Facts
from tests.fakes.html_page import Page
from tests.fakes.made_runs import quick_run
from tests.report.test_instrument_section import surveyed

Row = dict[str, str]


def number(unit: str, name: str, digits: int = units.SIGNIFICANT_DIGITS) -> Callable[[Row], str]:
    """The text of a csv cell as the page shows such a number."""
    return lambda row: units.text(float(row[name]) if row[name] else None, unit, digits)


CELLS: dict[str, Callable[[Row], str]] = {
    "Step time": number("s", "step_time_s"),
    "95 % interval": lambda row: units.interval(float(row["step_time_low_s"]), float(row["step_time_high_s"]), "s"),
    "Throughput": number("count", "throughput_images_per_s"),
    "Validity": lambda row: row["validity"],
    "Energy": number("J", "energy_of_step_j", 3),
    "CPU time": number("s", "cpu_time_s"),
    "Minor faults": number("count", "minor_faults", 3),
    "Peak memory": lambda row: units.text(max(map(float, peaks(row)), default=None), "B"),
}
COLUMNS = {
    "step_time": "step_time_s",
    "low": "step_time_low_s",
    "high": "step_time_high_s",
    "throughput": "throughput_images_per_s",
    "energy": "energy_of_step_j",
    "cpu_time": "cpu_time_s",
    "minor_faults": "minor_faults",
    "forward": "part_forward_s",
    "backward": "part_backward_s",
    "optimizer_step": "part_update_s",
}


def peaks(row: Row) -> list[str]:
    return [value for name, value in row.items() if name.startswith("memory_peak_") and value]


@pytest.fixture(scope="module")
def made() -> Run:
    run = quick_run()
    return replace(run, cases=tuple(surveyed(one) if one.outcome == "measured" else one for one in run.cases[:9]))


@pytest.fixture(scope="module")
def rows(made: Run) -> dict[str, Row]:
    return {row["id"]: row for row in csv.DictReader(io.StringIO(render(made)))}


def test_every_figure_of_the_first_and_the_ranked_table_is_that_of_the_csv_file(made: Run, rows: dict[str, Row]):
    page = Page(report.render(made))
    for table in ("best", "ranked"):
        titles = [one.words.strip() for one in page.all("span", table) if not one.attributes]
        shown = page.rows(table)
        assert shown
        for cells in shown:
            found = dict(zip(titles, cells, strict=True))
            row = rows[found["Case"].split()[0]]
            wanted = {title: text(row) for title, text in CELLS.items() if title in found}
            assert {title: found[title] for title in wanted} == wanted


def test_every_figure_of_the_scripts_is_that_of_the_csv_file(made: Run, rows: dict[str, Row]):
    facts = Facts(made)
    found = columns(facts)
    for key, name in COLUMNS.items():
        column = found[key] if isinstance(found[key], list) else [found[key]] * len(facts.ranked)
        wanted = [float(f"{float(rows[one.case.id][name]):.{DIGITS - 1}e}") for one in facts.ranked]
        assert column == wanted, key
