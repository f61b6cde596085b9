"""Exports in the formats of other tools, read back with their own parsers: the numbers are those of the CSV table."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import pytest

from suite.analysis.estimates import kept_rounds
from suite.exports.formats import EXTRAS, FORMATS, export
from suite.exports.openmetrics import UNITS
from suite.markup.github_markdown import LONGEST
from suite.records import Case, Metric, Run, RunRecord, Series, StepmarkError
from suite.records.codec import encode_header
from suite.records.redaction import names_of, without_names
from suite.records.selected import some_of
from suite.records.store import read_run
from suite.units import SCALES
from tests.conftest import PROJECT, TESTS
from tests.fakes.made_runs import large_run, measured, quick_run, run

GOLDEN = TESTS / "golden" / "record_schema_5"
COUNTS = {"count", "1"}
"""Units of numbers without one, which name no family."""


def csv_rows(found: Run) -> list[dict[str, str]]:
    """The rows of the CSV table."""
    return list(csv.DictReader(io.StringIO(str(export(found, "csv")), newline="")))


def text_of(found: Run, name: str) -> str:
    """An export that is text."""
    content = export(found, name)
    assert isinstance(content, str)
    return content


# Parquet


def parquet_table(found: Run) -> Any:
    """The Parquet file as pyarrow reads it."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is read with pyarrow")
    return parquet.read_table(io.BytesIO(export(found, "parquet")))  # type: ignore[arg-type]


def test_parquet_has_the_columns_and_numbers_of_the_csv_table():
    found = read_run(GOLDEN)
    table, rows = parquet_table(found), csv_rows(found)
    assert table.column_names == [*rows[0], "step_time_rounds_s"]
    for name in rows[0]:
        values = table.column(name).to_pylist()
        for value, row in zip(values, rows, strict=True):
            if value is None:
                assert row[name] == ""
            else:
                assert type(value)(row[name]) == value


def test_parquet_has_whole_numbers_numbers_and_texts_as_such_and_null_for_no_number():
    table = parquet_table(read_run(GOLDEN))
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert (types["batch_size"], types["step_time_s"], types["optimizer"]) == ("int64", "double", "string")
    assert (types["rounds"], types["minor_faults"], types["reason"]) == ("int64", "double", "string")
    assert table.column("step_time_s").to_pylist()[2] is None


def test_parquet_has_the_kept_rounds_in_their_order():
    found = read_run(GOLDEN)
    rounds = parquet_table(found).column("step_time_rounds_s").to_pylist()
    for record, values in zip(found.cases, rounds, strict=True):
        expected = [value for turn in kept_rounds(record.measurement) for value in turn] if record.measurement else None
        assert values == (expected if record.outcome == "measured" else None)


def test_parquet_has_units_and_descriptions_of_columns_and_the_header_of_the_record():
    found = read_run(GOLDEN)
    schema = parquet_table(found).schema
    assert schema.field("step_time_s").metadata[b"unit"] == b"s"
    assert b"all threads of the worker together" in schema.field("cpu_time_s").metadata[b"description"]
    assert json.loads(schema.metadata[b"stepmark"]) == json.loads(json.dumps(encode_header(found.header)))


def test_a_run_without_a_case_has_a_table_without_a_row():
    assert parquet_table(run([])).num_rows == 0


# JUnit


def junit(found: Run) -> ElementTree.Element:
    """The suite of the JUnit file."""
    (suite,) = ElementTree.fromstring(text_of(found, "junit"))  # noqa: S314 - our own text
    return suite


def test_junit_has_a_test_for_each_case_whose_result_is_its_outcome():
    found = read_run(GOLDEN)
    tests = junit(found).findall("testcase")
    results = {"measured": None, "skipped": "skipped", "failed": "failure"}
    for record, test in zip(found.cases, tests, strict=True):
        children = {child.tag for child in test} & {"skipped", "failure", "error"}
        assert children == {results[record.outcome]} - {None}
        if record.outcome != "measured":
            assert test.find(str(results[record.outcome])).get("message") == record.reason  # type: ignore[union-attr]


def test_junit_counts_its_tests():
    suite = junit(quick_run(complete=False))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert suite.get(attribute) == str(len(suite.findall(f"testcase/{tag}")))
    assert suite.get("tests") == str(len(suite.findall("testcase")))


def test_junit_has_an_error_for_each_case_that_an_interrupted_run_did_not_reach():
    found = quick_run(complete=False)
    errors = [test for test in junit(found).findall("testcase") if test.find("error") is not None]
    assert [test.get("name") for test in errors] == list(found.missing) != []


def test_junit_has_the_figures_of_the_csv_table_as_properties():
    found = read_run(GOLDEN)
    for row, test in zip(csv_rows(found), junit(found).findall("testcase"), strict=True):
        for one in test.findall("properties/property"):
            assert one.get("value") == row[str(one.get("name"))]


def test_junit_names_the_cases_as_pytest_itself_does(tmp_path):
    found = read_run(GOLDEN)
    (tmp_path / "cases").mkdir()
    for name in ("training_step", "learning"):
        ids = [record.case.id for record in found.cases if (record.case.mode == "learn") == (name == "learning")]
        text = f"import pytest\n\n@pytest.mark.parametrize('case_id', {ids})\ndef test_{name}(case_id):\n    pass\n"
        (tmp_path / "cases" / f"test_{name}.py").write_text(text)
        assert f"def test_{name}(" in (PROJECT / "cases" / f"test_{name}.py").read_text()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:stepmark", "-p", "no:benchmark", "--junitxml", "theirs.xml"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", *options, "cases"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=bare)
    theirs = ElementTree.parse(tmp_path / "theirs.xml").getroot().findall(".//testcase")  # noqa: S314 - pytest's
    names = {(test.get("classname"), test.get("name")) for test in theirs}
    assert {(test.get("classname"), test.get("name")) for test in junit(found).findall("testcase")} == names


# Markdown


def test_markdown_begins_with_the_three_sentences_and_the_best_cases():
    text = text_of(quick_run(), "markdown")
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "## Stepmark: 2026-01-02T03-04-05-quick"
    assert lines[1].startswith("The fastest case is seed\\_cnn-sgd\\_momentum-cpu with ")
    assert lines[2].startswith("33 cases: 25 measured, 6 skipped, 2 failed.")
    assert lines[4] == "### Fastest case of each structure"
    assert "| 1 | `seed_cnn-sgd_momentum-cpu` |" in text
    assert "all 25 measured cases, the fastest first" in text
    assert "- `seed_cnn-lbfgs-cpu`: the loss is nan: the step does not train" in text
    assert "execution cuda: no CUDA device is visible" in text
    assert "**torch** 2.11.0" in text


def test_markdown_fits_a_comment_counts_the_rows_that_are_left_out_and_sheds_the_least_important_section_first():
    """Reasons as long as they are shown, with marks that need escapes, and more cases than fit."""
    cases = [Case(f"net{place}", "adam", "cuda") for place in range(20)]
    long = [RunRecord(case, "skipped", f"{place}{'<' * 300}") for place, case in enumerate(cases)]
    failed = [replace(one, case=replace(one.case, execution="cpu"), outcome="failed") for one in long]
    text = text_of(run([*large_run(600).cases, *long, *failed]), "markdown")
    assert 0.9 * LONGEST < len(text) <= LONGEST
    assert "### Failed cases" in text
    assert "Left out here to keep the comment short: skipped cases." in text
    (left,) = [line for line in text.splitlines() if "more rows are left out" in line]
    folded = text.partition("all 600 measured cases")[2]
    assert int(left.split()[0]) + folded.count("\n| ") - 2 == 600


def test_markdown_of_an_interrupted_run_and_of_one_without_a_case_says_so():
    assert "2 have no outcome, since the run was interrupted" in text_of(quick_run(complete=False), "markdown")
    assert "No case was measured" in text_of(run([]), "markdown")
    torn = replace(quick_run(), warnings=("record.jsonl: the last line is torn",))
    assert "> **Note:** record.jsonl: the last line is torn" in text_of(torn, "markdown")


# github-action-benchmark


def test_the_action_gets_the_step_time_and_the_peak_memory_of_each_measured_case():
    found = read_run(GOLDEN)
    entries = json.loads(text_of(found, "benchmark-action"), parse_constant=pytest.fail)
    by_name = {one["name"]: one for one in entries}
    assert len(by_name) == len(entries)
    for row in csv_rows(found):
        entry = by_name.get(f"{row['id']}: step time")
        assert (entry is None) == (row["outcome"] != "measured")
        if entry:
            assert (entry["value"], entry["unit"]) == (float(row["step_time_s"]), "s")
            assert entry["extra"].startswith(f"{row['rounds']} rounds\nvalidity: ")
    assert by_name["seed_cnn-sgd_momentum-cpu: peak memory"]["value"] == 450485760.0


def test_the_action_gets_what_its_type_of_a_result_allows():
    """`BenchmarkResult` of the action's `src/extract.ts`: name, value and unit; range and extra are texts."""
    for one in json.loads(text_of(quick_run(), "benchmark-action")):
        assert {"name", "value", "unit"} <= one.keys() <= {"name", "value", "unit", "range", "extra"}
        assert isinstance(one["value"], int | float)
        assert all(isinstance(text, str) for key, text in one.items() if key != "value")


# OpenMetrics


def families(found: Run) -> dict[str, Any]:
    """The families by name, as prometheus_client reads them."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="OpenMetrics is read with its parser")
    return {one.name: one for one in parser.text_string_to_metric_families(text_of(found, "openmetrics"))}


def test_openmetrics_has_a_gauge_with_its_unit_for_each_figure_of_the_csv_table():
    found = read_run(GOLDEN)
    read = families(found)
    assert {one.type for one in read.values()} == {"gauge", "info", "stateset"}
    assert read["stepmark_step_time_seconds"].unit == "seconds"
    assert read["stepmark_throughput_images_per_second"].unit == "images_per_second"
    for column, name in (
        ("step_time_s", "stepmark_step_time_seconds"),
        ("step_time_low_s", "stepmark_step_time_low_seconds"),
        ("throughput_images_per_s", "stepmark_throughput_images_per_second"),
        ("minor_faults", "stepmark_minor_faults"),
        ("core_clock", "stepmark_core_clock_hertz"),
        ("memory_peak_steady_bytes", "stepmark_memory_peak_steady_bytes"),
        ("accuracy", "stepmark_accuracy_ratio"),
    ):
        values = {sample.labels["case"]: sample.value for sample in read[name].samples}
        assert values == {row["id"]: float(row[column]) for row in csv_rows(found) if row[column]}
    figures = [one for one in read.values() if one.type == "gauge" and "finished" not in one.name]
    assert len(figures) == len([name for name in csv_rows(found)[0] if name not in WORDS])


WORDS = {*Case.__dataclass_fields__, "id", "outcome", "reason", "validity"}
"""Columns of the CSV table that are no figures."""


def test_openmetrics_has_levels_outcomes_and_the_run_as_labels():
    read = families(read_run(GOLDEN))
    (first, *_) = read["stepmark_case"].samples
    assert (first.labels["case"], first.labels["optimizer"]) == ("seed_cnn-sgd_momentum-cpu", "sgd_momentum")
    states = {
        sample.labels["case"]: sample.labels["stepmark_case_outcome"]
        for sample in read["stepmark_case_outcome"].samples
        if sample.value
    }
    assert states == {record.case.id: record.outcome for record in read_run(GOLDEN).cases}
    (facts,) = read["stepmark_run"].samples
    assert (facts.labels["run"], facts.labels["torch"]) == ("20260102-030405-golden", "2.14.1")
    (finished,) = read["stepmark_run_finished_timestamp_seconds"].samples
    assert finished.value == 1767323106.0


def test_openmetrics_sets_metrics_apart_whose_names_become_one():
    good = measured(Case("a", "b", "c"), 0.001)
    assert good.measurement
    values = good.measurement.values("step_time")
    names = ["a b", "a-b", "a_b", "run_info", "case", "step_time_low_s", "2x"]
    odd = [Series(Metric(name, "count", "lower", "odd"), values) for name in names]
    measurement = replace(good.measurement, series=(*good.measurement.series, *odd))
    read = families(run([replace(good, measurement=measurement)]))
    assert len([one for one in read.values() if one.documentation == "odd"]) == len(names)
    assert {"stepmark_a_b", "stepmark_a_b_2", "stepmark_a_b_3", "stepmark_run_info_2", "stepmark_case_2"} <= set(read)


def test_openmetrics_has_a_word_for_every_unit():
    assert set(SCALES) - set(UNITS) == COUNTS


# a record


def test_an_exported_record_reads_as_the_same_run(tmp_path):
    file = tmp_path / "record.jsonl"
    file.write_text(text_of(quick_run(), "record"))
    assert read_run(file) == quick_run()


def test_a_record_of_some_cases_reads_as_a_run_of_these(tmp_path):
    file = tmp_path / "record.jsonl"
    file.write_text(text_of(some_of(quick_run(), lambda case_id: "adam-cpu" in case_id), "record"))
    read = read_run(file)
    assert read.missing == ()
    assert all("adam-cpu" in record.case.id for record in read.cases)
    assert read.footer.counts["measured"] == len(read.cases) > 1


def test_a_private_record_has_no_name_of_the_machine(tmp_path):
    run, text = quick_run(), text_of(quick_run(), "record")
    host = run.header.environment["machine"]["host"]
    assert host in text
    hidden = text_of(without_names(run, names_of(run.header.environment)), "record")
    assert host not in hidden
    (tmp_path / "record.jsonl").write_text(hidden)
    assert len(read_run(tmp_path / "record.jsonl").cases) == len(run.cases)


# some cases of a run


def test_a_filter_changes_no_figure_in_any_format():
    """Drift and noise are estimated among all cases, also where an export has some."""
    whole, some = quick_run(), some_of(quick_run(), lambda case_id: "adam-cpu" in case_id)
    chosen = {record.case.id for record in some.cases}
    assert 1 < len(chosen) < len(whole.cases)
    assert csv_rows(some) == [row for row in csv_rows(whole) if row["id"] in chosen]
    entries = json.loads(text_of(whole, "benchmark-action"))
    kept = [one for one in entries if one["name"].partition(": ")[0] in chosen]
    assert json.loads(text_of(some, "benchmark-action")) == kept
    texts = [ElementTree.tostring(test) for test in junit(whole).findall("testcase")]
    assert all(ElementTree.tostring(test) in texts for test in junit(some).findall("testcase")[:-1])
    rows = [line.split(" | ", 1)[1] for line in text_of(whole, "markdown").splitlines() if line.startswith("| ")]
    for line in text_of(some, "markdown").splitlines():
        assert not line.startswith("| ") or line.split(" | ", 1)[1] in rows


# extras


@dataclass(frozen=True)
class Absent:
    """Finds no module of a package, as on a machine where it is not installed."""

    package: str

    def find_spec(self, name: str, *_: object) -> None:
        """The answer of Python's import system to a package that nobody has."""
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize("name", list(EXTRAS))
def test_a_format_whose_package_is_missing_says_which_to_install(monkeypatch, name):
    for module in [one for one in sys.modules if one.partition(".")[0] == EXTRAS[name]]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Absent(EXTRAS[name]), *sys.meta_path])
    with pytest.raises(StepmarkError) as error:
        export(run([]), name)
    assert str(error.value) == (
        f"export format {name!r} needs {EXTRAS[name]}, which is not installed; pip install 'stepmark[{name}]'."
    )


def test_every_extra_is_one_of_the_project():
    text = (PROJECT / "pyproject.toml").read_text()
    assert all(f"\n{name} = [" in text for name in EXTRAS)


def test_each_format_has_its_row_in_the_documentation():
    text = (PROJECT / "docs" / "usage.md").read_text()
    assert [name for name in FORMATS if f"\n| `{name}` |" not in text] == []


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("found", [quick_run(), run([])], ids=["cases", "none"])
def test_every_format_takes_a_run_with_cases_and_one_without(name, found):
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name], reason="the format needs an extra")
    assert export(found, name)
