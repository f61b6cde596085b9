"""Exports: what another tool reads back is what the record holds."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.estimates import estimate, kept_rounds, throughput
from suite.analysis.intervals import estimates
from suite.contracts.probes import STEP_TIME
from suite.exports.formats import FORMATS, export
from suite.records import (
    Case,
    Header,
    Measurement,
    Metric,
    Run,
    RunPlan,
    RunRecord,
    Series,
    StepmarkError,
    Visit,
    WorkerSettings,
)
from suite.records.codec import encode_levels
from suite.records.store import read_run
from tests.conftest import PROJECT, TESTS
from tests.fakes.machines import Setting
from tests.fakes.machines import measured as simulated

GOLDEN = TESTS / "golden" / "record_schema_1"
CASE = Case("seed_cnn", "adam", "cpu", batch_size=10)
HEADER = Header("run", "2026-01-02T03:04:05+00:00", RunPlan(), WorkerSettings(), (), {}, {})
COMMAND = Path(sys.executable).with_name("pytest-benchmark")


def run_of(*records: RunRecord) -> Run:
    return Run(HEADER, records, None)


def measured(visits: list[tuple[int, list[list[float]]]], case: Case = CASE, **others: list[float]) -> RunRecord:
    """A measured case from (steps per round, step times by turn) for each visit, and other metrics by name."""
    times = tuple(value for _, turns in visits for turn in turns for value in turn)
    series = [Series(STEP_TIME, times)]
    for name, values in others.items():
        unit = {"cpu_time": "s", "queue_time": "s", "peak": "B", "peak_bytes": "B", "power": "W"}.get(name, "count")
        series.append(Series(Metric(name, unit, "lower", ""), tuple(values)))
    made = tuple(
        Visit(index, tuple(map(len, turns)), 3, steps, 0.0, 1.0, 0.1, "time", None, True)
        for index, (steps, turns) in enumerate(visits)
    )
    return RunRecord(case, "measured", "", {"structure": {"depth": 2}}, Measurement(tuple(series), (), made))


def rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(export(run, "csv"), newline="")))


def benchmarks(run: Run) -> list[dict]:
    return json.loads(export(run, "pytest-benchmark"))["benchmarks"]


def test_an_unknown_format_is_answered_with_those_allowed():
    with pytest.raises(StepmarkError) as error:
        export(run_of(), "xml")
    assert str(error.value) == f"export format 'xml' is not known; allowed: {', '.join(FORMATS)}."
    assert {"csv", "pytest-benchmark"} <= FORMATS.keys()


def test_csv_has_a_row_for_every_case_whatever_became_of_it():
    run = read_run(GOLDEN)
    assert [(row["id"], row["outcome"], row["reason"]) for row in rows(run)] == [
        (record.case.id, record.outcome, record.reason) for record in run.cases
    ]


def test_csv_has_the_levels_and_sizes_of_every_case():
    for row, record in zip(rows(read_run(GOLDEN)), read_run(GOLDEN).cases, strict=True):
        shown = encode_levels(record.case)
        assert {name: row[name] for name in shown} == {name: str(value) for name, value in shown.items()}
        assert "task" not in row


def test_csv_gives_the_estimate_over_the_rounds_that_count_to_the_last_digit():
    known = estimates(read_run(GOLDEN).cases)
    for row, record in zip(rows(read_run(GOLDEN)), read_run(GOLDEN).cases, strict=True):
        if record.outcome == "measured":
            found = known[record.case.id]
            assert int(row["rounds"]) == found.rounds < len(record.measurement.values("step_time"))
            assert float(row["step_time_s"]) == found.median
            assert (float(row["step_time_low_s"]), float(row["step_time_high_s"])) == (found.low, found.high)


@pytest.mark.parametrize("cases", [1, 8])
def test_every_exported_figure_is_of_rounds_that_were_measured_whatever_the_machine_did(cases):
    """On a machine with slow spells corrected rounds were faster than any step, in runs of five cases or more."""
    records, _ = simulated(Setting("quiet with spells of 3 s, 30 %, +25 %", cases), np.random.default_rng(1))
    run = run_of(records[0].measurement)
    run = replace(run, cases=tuple(records))
    exported = json.loads(export(run, "pytest-benchmark"))["benchmarks"]
    for one, row, record in zip(exported, rows(run), records, strict=True):
        values = record.measurement.values("step_time")
        assert one["stats"]["data"] == list(values)
        assert one["stats"]["min"] == min(values)
        assert float(row["step_time_s"]) == median(values)
        assert float(row["throughput_images_per_s"]) == pytest.approx(
            record.case.batch_size * len(values) / sum(values)
        )


def test_csv_gives_the_median_of_every_other_metric_with_the_unit_in_its_name():
    others = {"cpu_time": [0.1, 0.2, 0.4], "minor_faults": [1.0, 7.0, 2.0], "peak": [3.0, 3.0, 5.0]}
    (row,) = rows(run_of(measured([(1, [[1.0, 2.0, 3.0]])], **others, peak_bytes=[9.0] * 3, power=[4.0] * 3)))
    assert list(row)[-5:-1] == ["cpu_time_s", "minor_faults", "peak_bytes", "power_w"]
    assert {name: float(row[name]) for name in list(row)[-5:-1]} == {
        "cpu_time_s": 0.2,
        "minor_faults": 2.0,
        "peak_bytes": 9.0,
        "power_w": 4.0,
    }


def test_csv_leaves_a_metric_empty_where_a_case_did_not_take_it():
    other = replace(CASE, seed=1)
    first, second = rows(run_of(measured([(1, [[1.0]])], power=[4.0]), measured([(1, [[1.0]])], other)))
    assert (first["power_w"], second["power_w"]) == ("4.0", "")


@pytest.mark.parametrize("outcome", ["skipped", "failed"])
def test_csv_has_no_figures_of_a_case_that_was_not_measured(outcome):
    partial = replace(measured([(1, [[1.0, 2.0]])], power=[4.0, 4.0]), outcome=outcome, reason="killed")
    (row,) = rows(run_of(partial))
    filled = {name for name, value in row.items() if value}
    assert filled == {"id", "outcome", "reason", *encode_levels(CASE)}


@given(reason=st.text(max_size=40) | st.sampled_from(['a,"b"', "a\rb", "a\r\nb", "\n", " x ", "=1+1", "'", "größe"]))
def test_csv_quotes_every_reason_so_that_it_is_read_back(reason):
    (row,) = rows(run_of(RunRecord(CASE, "failed", reason)))
    assert row["reason"] == reason


@given(value=st.floats(min_value=1e-9, max_value=1e6))
def test_csv_numbers_keep_every_digit(value):
    (row,) = rows(run_of(measured([(1, [[value]])], power=[value])))
    assert float(row["step_time_s"]) == float(row["power_w"]) == value


def test_throughput_is_all_images_over_all_time_and_no_mean_of_rates():
    record = measured([(1, [[1.0, 3.0]]), (4, [[0.5], [0.25]])])
    assert throughput(record.measurement, record.case.batch_size) == 10 * (1 + 1 + 4 + 4) / (
        1.0 + 3.0 + 4 * 0.5 + 4 * 0.25
    )


def test_throughput_leaves_disturbed_rounds_out():
    record = measured([(2, [[1.0, 9.0], [1.0]])], cpu_time=[1.0] * 3, queue_time=[0.0, 9.0, 0.0])
    assert throughput(record.measurement, record.case.batch_size) == 10.0


def test_a_case_without_rounds_has_no_throughput():
    assert throughput(Measurement((), (), ()), CASE.batch_size) is None


def test_pytest_benchmark_gets_exactly_the_rounds_that_count():
    run = read_run(GOLDEN)
    exported = {one["params"]["case_id"]: one["stats"] for one in benchmarks(run)}
    for record in run.cases:
        if record.outcome == "measured":
            kept = [value for turn in kept_rounds(record.measurement) for value in turn]
            assert exported[record.case.id]["data"] == kept
            assert exported[record.case.id]["rounds"] == len(kept)
            assert exported[record.case.id]["median"] == median(kept)


def test_pytest_benchmark_gets_no_case_that_was_skipped_or_failed():
    assert [one["param"] for one in benchmarks(read_run(GOLDEN))] == [
        record.case.id for record in read_run(GOLDEN).cases if record.outcome == "measured"
    ]
    assert benchmarks(run_of(RunRecord(CASE, "skipped", "no device"))) == []


def test_pytest_benchmark_gets_the_names_of_the_cases_in_the_checkout():
    (one,) = benchmarks(run_of(measured([(1, [[1.0]])])))
    assert one["name"] == f"test_training_step[{CASE.id}]"
    assert one["fullname"] == f"cases/test_training_step.py::test_training_step[{CASE.id}]"
    source = (PROJECT / "cases" / "test_training_step.py").read_text()
    assert "\ndef test_training_step(" in source


def test_pytest_benchmark_gets_machine_commit_and_time_of_the_record():
    exported = json.loads(export(read_run(GOLDEN), "pytest-benchmark"))
    assert exported["machine_info"]["node"] == "golden"
    assert exported["machine_info"]["cpu"]["brand_raw"] == "Example CPU"
    assert exported["commit_info"]["id"] == "0123456789abcdef0123456789abcdef01234567"
    assert exported["datetime"] == "2026-01-02T03:05:06+00:00"
    assert json.loads(export(run_of(), "pytest-benchmark"))["commit_info"]["id"] == "unversioned"


THEIRS = """
import pytest

ROUNDS = {rounds}
now = 0.0

def clock():
    return now

@pytest.mark.benchmark(timer=clock)
@pytest.mark.parametrize("case_id", ["{case_id}"], ids=["{case_id}"])
def test_training_step(benchmark, case_id):
    remaining = iter(ROUNDS)

    def rewind():
        global now
        now = 0.0

    def next_round():
        global now
        now = next(remaining)

    benchmark.pedantic(next_round, setup=rewind, rounds=len(ROUNDS), iterations=1, warmup_rounds=0)
"""


def test_the_layout_and_every_figure_are_those_that_pytest_benchmark_itself_writes(tmp_path):
    record = read_run(GOLDEN).cases[0]
    rounds = [value for turn in kept_rounds(record.measurement) for value in turn]
    (tmp_path / "cases").mkdir()
    test = tmp_path / "cases" / "test_training_step.py"
    test.write_text(THEIRS.format(rounds=rounds, case_id=record.case.id))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:stepmark", "--benchmark-json", "theirs.json"]
    command = [sys.executable, "-m", "pytest", *options, "cases"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=bare_environment())
    theirs = json.loads((tmp_path / "theirs.json").read_text())
    ours = json.loads(export(read_run(GOLDEN), "pytest-benchmark"))
    assert ours.keys() == theirs.keys()
    assert ours["version"] == theirs["version"]
    assert ours["commit_info"].keys() == theirs["commit_info"].keys()
    (their_benchmark,) = theirs["benchmarks"]
    our_benchmark = ours["benchmarks"][0]
    assert our_benchmark.keys() == their_benchmark.keys()
    assert our_benchmark["stats"] == their_benchmark["stats"]
    for key in ("group", "name", "fullname", "params", "param"):
        assert our_benchmark[key] == their_benchmark[key]


def bare_environment() -> dict[str, str]:
    """This process's environment without what the outer pytest adds to it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def test_the_real_pytest_benchmark_command_compares_two_exported_files(tmp_path):
    run = read_run(GOLDEN)
    for name in ("baseline", "candidate"):
        (tmp_path / f"{name}.json").write_text(export(run, "pytest-benchmark"))
    done = subprocess.run(
        [COMMAND, "compare", "baseline.json", "candidate.json", "--csv", "compared.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**bare_environment(), "COLUMNS": "200"},
    )
    assert "Failed to load" not in done.stdout + done.stderr
    with (tmp_path / "compared.csv").open(newline="") as file:
        compared = list(csv.DictReader(file))
    ids = sorted(record.case.id for record in run.cases if record.outcome == "measured")
    assert sorted(row["param:case_id"] for row in compared) == sorted(ids * 2)
    for row in compared:
        (record,) = (record for record in run.cases if record.case.id == row["param:case_id"])
        assert float(row["median"]) == estimate(kept_rounds(record.measurement)).median
