"""Figures of the page are those of `stepmark export --format csv`."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from suite import report, units
from suite.analysis.case_figures import figures_of
from suite.exports.csv_table import render
from suite.records import Metric, Run, Series
from suite.report.case_details import case_details
from suite.report.data import DIGITS, columns
from suite.report.facts import Facts
from suite.report.views.other_metrics import worth_showing
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


def test_counts_that_most_rounds_lack_are_means_in_the_page_and_in_the_csv_file():
    """Three of 60 rounds left their optimizer's step out: a median would say that none was skipped."""
    skipped = Metric("skipped_steps", "count", "lower", "Optimizer steps left out.")
    run = quick_run()
    first = run.cases[0]
    assert first.measurement is not None
    values = tuple(float(place % 20 == 7) for place in range(len(first.measurement.values("step_time"))))
    series = (*first.measurement.series, Series(skipped, values))
    made = replace(run, cases=(replace(first, measurement=replace(first.measurement, series=series)), *run.cases[1:]))
    kept = figures_of(made.cases)[first.case.id].kept("skipped_steps")
    wanted = sum(kept) / len(kept)
    assert 0.0 < wanted < 0.1
    (row,) = (row for row in csv.DictReader(io.StringIO(render(made))) if row["id"] == first.case.id)
    assert float(row["skipped_steps"]) == pytest.approx(wanted)
    facts = Facts(made)
    place = facts.place[first.case.id]
    assert worth_showing(facts.ranked[place])[skipped] == units.text(wanted, "count")
    titles = {title: cells for title, _, cells in case_details(facts.ranked)["metrics"]}
    assert titles["Skipped steps (lower is better)"][place] == units.text(wanted, "count")
