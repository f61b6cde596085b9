"""The front on the page is that of `stepmark recommend`, in the numbers of the csv."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from suite import report, units
from suite.effects.advice_text import as_json
from suite.effects.recommendation import recommend
from suite.exports.formats import export
from suite.records import Case, Metric, Run, RunRecord, Series
from suite.report.facts import Facts
from suite.report.front_chart import NO_EXTENT
from suite.report.view import View
from suite.report.views import pareto, ruler
from tests.fakes.html_page import Page
from tests.fakes.made_runs import learnt, measured, quick_run, run

MIB = 2**20
OPTIMIZERS = {"sgd": (1.0, 0), "adam": (1.1, -60), "lion": (1.3, -90), "muon": (1.5, 40)}


def with_memory(record: RunRecord, peak_mib: float) -> RunRecord:
    """A record whose instrument of memory read a peak."""
    assert record.measurement
    peak = Series(Metric("memory_peak_steady", "B", "lower", "Peak."), (peak_mib * MIB,))
    return replace(record, measurement=replace(record.measurement, surveyed=(peak,)))


def choices(batch_sizes: tuple[int, ...] = (64,), *, learning: bool = False) -> Run:
    """Cases whose step time rises as their memory falls, but for one that is worse in both."""
    cases = [
        with_memory(
            measured(Case("plain_d2", name, "cpu", batch_size=size), 0.01 * factor * size / 64, seed), 500 + mib
        )
        for size in batch_sizes
        for seed, (name, (factor, mib)) in enumerate(OPTIMIZERS.items())
    ]
    if learning:
        cases += [
            learnt(Case("plain_d2", name, "cpu", mode="learn"), 0.9 + seed / 50) for seed, name in enumerate(OPTIMIZERS)
        ]
    return run(cases)


@pytest.fixture(scope="module")
def three_works() -> Facts:
    return Facts(choices((64, 256), learning=True))


@pytest.fixture(scope="module")
def view(three_works: Facts) -> View:
    found = pareto.view(three_works)
    assert found
    return found


def test_the_rows_are_the_cases_on_the_front_with_their_price(view):
    front = view.values["fronts"][0]
    assert [(row.id, row.is_sure) for row in front.rows] == [
        ("plain_d2-sgd-cpu", True),
        ("plain_d2-adam-cpu", True),
        ("plain_d2-lion-cpu", True),
    ]
    assert front.rows[0].price == ""
    assert front.rows[1].price.endswith("% step time, -12.0 % peak memory")
    assert front.reading.startswith(
        "Of 4 cases, 3 are on the front of step time and peak memory. The most frugal case, plain_d2-lion-cpu, takes +"
    )


def test_every_group_of_recommend_has_its_front(three_works, view):
    found = view.values["fronts"]
    groups = json.loads(as_json(recommend(three_works.run, ()), ()))["groups"]
    assert {one.work for one in found} == {
        "train, batch size 64, image size 28",
        "train, batch size 256, image size 28",
        "learn, batch size 64, image size 28",
    }
    expected = [{case["id"] for case in group["cases"] if case["on_front"] != "no"} for group in groups]
    assert sorted(map(sorted, expected)) == sorted(sorted(row.id for row in one.rows) for one in found)


def test_numbers_are_those_of_the_csv(three_works, view):
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(export(three_works.run, "csv")))}
    for row in view.values["fronts"][0].rows:
        cells = rows[row.id]
        assert row.values[0].startswith(units.text(float(cells["step_time_s"]), "s"))
        assert row.values[1] == units.text(float(cells["memory_peak_steady_bytes"]), "B")


def test_the_script_gets_the_state_and_the_values_of_every_case(three_works, view):
    groups = view.values["groups"]
    assert sorted(place for one in groups for place in one["places"]) == list(range(len(three_works.ranked)))
    first = groups[0]
    assert first["front"] == "yyyn"
    assert first["numbers"] == {0: 1, 1: 2, 2: 3}
    assert first["peak_memory"] == pytest.approx([500 * MIB, 440 * MIB, 410 * MIB, 540 * MIB], rel=1e-5)
    assert "peak_memory" not in groups[2]
    assert sorted(groups[2]["accuracy"]) == pytest.approx([0.9, 0.92, 0.94, 0.96])


def test_each_metric_has_a_chart_with_the_table_of_its_group_as_twin(three_works, view):
    charts = {chart.id: chart for chart in view.charts}
    assert {name: chart.twin for name, chart in charts.items()} == {
        "pareto-peak_memory": "front-1",
        "pareto-accuracy": "front-3",
    }
    parameters = {one["name"]: one.get("value") for one in charts["pareto-peak_memory"].specification["params"]}
    low, high, *_ = parameters["ends"][0]
    assert low < three_works.ranked[0].step_time.low < three_works.ranked[-1].step_time.low
    assert high > 0.015
    assert tuple(parameters["ends"][2]) == NO_EXTENT


def test_a_ruler_for_each_metric_that_a_case_has(three_works):
    assert [(one["metric"], one["option"], one["better"]) for one in ruler.view(three_works).values["limits"]] == [
        ("peak_memory", "max-memory", "lower"),
        ("accuracy", "min-accuracy", "higher"),
    ]


def test_the_price_of_an_hour_has_no_default_and_counts_what_batches_have(three_works):
    page = Page(report.render(three_works.run))
    (price,) = (one for one in page.all("input", "ruler") if one.attributes["id"] == "price")
    assert "value" not in price.attributes
    assert price.attributes["data-noun"] == "images"
    assert page.words("bought") == ""
    assert "turns images/s into images per unit of money" in page.words("ruler")


@pytest.mark.parametrize("made", [run([]), quick_run(), run(choices().cases[:1])])
def test_a_run_without_two_cases_with_two_metrics_has_neither_front_nor_ruler(made):
    assert pareto.view(Facts(made)) is None
    assert ruler.view(Facts(made)) is None


def test_a_long_front_and_many_groups_say_what_is_left_out(monkeypatch):
    monkeypatch.setattr(pareto, "MOST_ROWS", 2)
    monkeypatch.setattr(pareto, "MOST_GROUPS", 1)
    values = pareto.view(Facts(choices((64, 256)))).values
    assert (len(values["fronts"][0].rows), values["fronts"][0].hidden) == (2, 1)
    assert values["left_out"] == (
        "Not shown: 4 cases in 1 group of other work, which are smaller or have step times alone. "
        "The command `stepmark recommend` has all."
    )
