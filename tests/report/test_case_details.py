"""Details of cases for their pages: every figure of the csv, small, and inert."""

import base64
import csv
import io
import json
import math
import zlib
from dataclasses import replace

import pytest

from suite import units
from suite.analysis.case_figures import CaseFigures, figures_of
from suite.exports import case_table, csv_table
from suite.records import Case, Metric, RunRecord, Series
from suite.report import case_details
from suite.report.case_details import MOST_VISITS, ROUND_STEP
from suite.report.facts import Facts
from suite.report.views import case
from tests.fakes.made_runs import attributes_of, measured, measurement, quick_run, run, visit
from tests.report.test_instrument_section import surveyed

HOSTILE = "</script><script>alert(1)</script>"


def figures(*records: RunRecord) -> tuple[CaseFigures, ...]:
    return tuple(figures_of(records).values())


def unpacked(text: str) -> dict:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def warmed() -> RunRecord:
    """A case of 2 visits of 4 warm-up rounds and 10 counted ones; the second visit is a tenth slower."""
    steps = [0.010] * 10 + [0.011] * 10
    visits = [replace(visit(number, (1,) * 10), warmup_rounds=4) for number in range(2)]
    made = measurement(steps, visits)
    warmup = (Series(made.series[0].metric, (0.08, 0.02, 0.01, 0.01, 0.05, 0.01, 0.011, 0.011)),)
    record_case = Case("seed_cnn", "adam", "cpu")
    return RunRecord(record_case, "measured", "", attributes_of(record_case), replace(made, warmup=warmup))


def test_every_metric_of_a_case_s_page_is_the_figure_of_the_csv():
    made = run([surveyed(record) for record in quick_run().cases if record.outcome == "measured"])
    (row, *_) = csv.DictReader(io.StringIO(csv_table.render(made)))
    facts = Facts(made)
    place = facts.place[row["id"]]
    shown = {title.split(" (")[0]: texts[place] for title, _, texts in case_details.metrics(facts.ranked)}
    metrics = {one.metric for one in facts.ranked[place].measurement.surveyed} | {
        one.metric for one in facts.ranked[place].measurement.series
    }
    assert len(shown) == len(metrics) > 30
    for metric in metrics:
        exported = float(row[case_table.column_name(metric)])
        assert shown[metric.name.replace("_", " ").capitalize()] == units.text(exported, metric.unit), metric.name


def test_rounds_over_time_are_close_to_the_rounds_and_keep_the_warm_up_apart():
    (found,) = figures(warmed())
    first, second = case_details.rounds(found)
    middle = found.step_time.median

    def seconds(steps):
        return [middle * (1 + step * ROUND_STEP) for step in steps]

    assert seconds(first[0]) == pytest.approx([0.08, 0.02, 0.01, 0.01], rel=ROUND_STEP)
    assert seconds(second[0]) == pytest.approx([0.05, 0.01, 0.011, 0.011], rel=ROUND_STEP)
    assert seconds(first[1]) == pytest.approx([0.010] * 10, rel=ROUND_STEP)
    assert seconds(second[1]) == pytest.approx([0.011] * 10, rel=ROUND_STEP)


def test_many_rounds_become_a_few_dozen_numbers_and_many_visits_are_cut_in_words():
    visits = [visit(number, (20,)) for number in range(MOST_VISITS + 6)]
    record = replace(warmed(), measurement=measurement([0.01] * 20 * len(visits), visits))
    (found,) = figures(record)
    assert len(case_details.rounds(found)) == len(case_details.visit_rows(found)) == MOST_VISITS
    assert f"The first {MOST_VISITS} are shown." in case_details.visits_reading(found)
    (long,) = figures(replace(warmed(), measurement=measurement([0.01] * 900, [visit(0, (300,) * 3)])))
    assert sum(len(steps) for kinds in case_details.rounds(long) for steps in kinds) <= 60


def test_a_visit_without_a_kept_round_has_a_row_and_no_median():
    queued = [False] * 10 + [True] * 10
    record = replace(warmed(), measurement=measurement([0.01] * 20, [visit(0, (10,)), visit(1, (10,))], queued=queued))
    (found,) = figures(record)
    assert [row[4] for row in case_details.visit_rows(found)] == ["10.00 ms", "–"]
    assert "One visit" in case_details.visits_reading(found)


def test_the_readings_say_what_the_figures_are():
    (found,) = figures(warmed())
    assert case_details.visits_reading(found) == (
        "The 2 visits, each a fresh process, have medians from 10.00 ms to 11.00 ms: 10.0 % apart."
    )
    assert case_details.distribution_reading(found) == (
        "Half of the 20 kept rounds take 10.00 ms to 11.00 ms a step; the slowest twentieth take 11.00 ms or more, up "
        "to 11.00 ms."
    )


def test_readings_over_time_have_units_and_devices_their_numbers():
    power = Series(Metric("gpu0_power", "W", "lower", ""), (200.0, 300.0))
    record = surveyed(warmed(), sample_time=(0.1, 0.4))
    assert record.measurement
    record = replace(record, measurement=replace(record.measurement, surveyed=(*record.measurement.surveyed, power)))
    at_s, readings = case_details.timelines(*figures(record))
    assert at_s == [0.1, 0.4]
    assert readings == [
        ["Cores used", [0.9, 1.0]],
        ["Resident memory (MiB)", [460.0, 470.0]],
        ["GPU 0 power (W)", [200.0, 300.0]],
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_readings_that_are_no_numbers_have_no_picture(value):
    record = surveyed(warmed(), cores_used=(value, 1.0), resident_memory=None)
    assert case_details.timelines(*figures(record)) == []


def test_texts_of_a_record_are_inert_in_the_packed_details():
    record = warmed()
    attributes = {HOSTILE: {HOSTILE: HOSTILE}, "structure": None, "optimizer": 3}
    assert record.measurement
    odd = Series(Metric(HOSTILE, "s", "lower", HOSTILE), (0.5,))
    record = replace(record, attributes=attributes, measurement=replace(record.measurement, surveyed=(odd,)))
    values = case.view(Facts(run([record]))).values
    assert "<" not in values["details"]
    details = unpacked(values["details"])
    assert details["attributes"][HOSTILE.capitalize()] == {"texts": [f"{HOSTILE} {HOSTILE}"], "places": [0]}
    assert details["attributes"]["Structure"] == {"texts": [], "places": [-1]}
    assert details["attributes"]["Optimizer"] == {"texts": ["3"], "places": [0]}
    assert [title for title, _, _ in details["metrics"]][-1] == f"{HOSTILE.capitalize()} (lower is better)"


def test_beyond_a_number_of_cases_the_details_are_attributes_and_issues(monkeypatch):
    records = [measured(Case("seed_cnn", "adam", "cpu", seed=seed), 0.01) for seed in range(3)]
    assert case_details.left_out(3) == ""
    monkeypatch.setattr(case_details, "MOST_CASES", 2)
    assert case_details.left_out(3).startswith("With 3 cases, this page leaves out rounds over time")
    assert set(case_details.case_details(figures(*records))) == {"attributes", "issues"}
    assert case.view(Facts(run([]))) is None


def test_phases_and_peaks_of_memory_stand_in_the_order_in_which_they_run():
    times, peaks = case_details.anatomy(*figures(surveyed(warmed())))
    assert times[0] == "Time of the phases (ms)"
    assert times[1][:4] == [["data wait", 0.9], ["copy", 0.1], ["zero gradients", 0.0], ["forward", 3.0]]
    assert peaks == [
        "Peak of memory beyond imports (MiB)",
        [["made", 10.0], ["first forward", 30.0], ["first backward", 70.0], ["first update", 60.0], ["steady", 65.0]],
    ]
    assert case_details.anatomy(*figures(warmed())) == []
