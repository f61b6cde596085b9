"""Records that somebody made to do harm are inert in page, exports and texts for a terminal, or refused."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite import report
from suite.cli import main
from suite.exports.formats import EXTRAS, FORMATS, export
from suite.gate.record.store import read_gate
from suite.markup.printable import UNPRINTABLE
from suite.records import Case, Metric, Run, RunRecord, Series, StepmarkError
from suite.records.line_file import DEEPEST, LONGEST_TEXT
from suite.records.store import RECORD_NAME, RunWriter, read_run
from suite.units import SCALES
from tests.conftest import GOLDEN
from tests.fakes.fake_sides import planned
from tests.fakes.html_page import Page
from tests.fakes.made_runs import attributes_of, measured, quick_run, run

LINES = [json.loads(line) for line in (GOLDEN / "record_schema_5" / RECORD_NAME).read_text().splitlines()]
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b]0;title\x07\x9b2J",
    "a\r\nstepmark: all cases pass",
    "]]>--></testsuites><!--&amp;&bogus;",
    "`|`|**b** [a](javascript:alert(1)) ![i](http://x) @everyone #1\n# heading",
    '"} 1\n# EOF\nfake_metric{a="',
    "../../../etc/passwd",
    "{{ 7*7 }}{% raw %}",
    "\ud800\ufffe\u202e",
    "=cmd|' /C calc'!A0",
)
"""Texts for a browser, a terminal, XML, Markdown, OpenMetrics, a file system, a template and a spreadsheet."""
BEYOND = "1e999 without quotes"
"""A number of JSON that no float can hold."""
INSTALLED = [name for name in FORMATS if name not in EXTRAS or find_spec(EXTRAS[name])]


def stored(folder: Path, lines: list[Any]) -> Path:
    """A record with these lines."""
    folder.mkdir(exist_ok=True)
    text = "".join(f"{json.dumps(line)}\n" for line in lines).replace(f'"{BEYOND}"', "1e999")
    (folder / RECORD_NAME).write_text(text, encoding="utf-8")
    return folder


def with_value(number: int, *way: Any) -> list[Any]:
    """The golden lines with another value at the end of a way; the value is last."""
    lines = deepcopy(LINES)
    *steps, last, value = way
    holder: Any = lines[number]
    for step in steps:
        holder = holder[step]
    holder[last] = value
    return lines


def of_size(batch_size: int) -> list[Any]:
    """The golden lines with another batch size of a case, in its id, too."""
    lines = with_value(1, "case", "batch_size", batch_size)
    lines[1]["id"] = f"{lines[1]['id']}-b{batch_size}"
    return lines


def with_readings(**readings: list[float]) -> list[Any]:
    """The golden lines with readings of instruments of a case."""
    metric = {"unit": "s", "better": "lower", "description": ""}
    found = [{"metric": {"name": name, **metric}, "values": values} for name, values in readings.items()]
    return with_value(1, "surveyed", found)


def nested(depth: int) -> Any:
    """An object in an object, that deep."""
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


REFUSED: dict[str, tuple[Callable[[], list[Any]], str]] = {
    "a reason of 10 MB": (
        lambda: with_value(4, "reason", "x" * 10**7),
        f"line 5 has a text of 10,000,000 characters; allowed: up to {LONGEST_TEXT:,}.",
    ),
    "a key of 10 MB": (lambda: with_value(0, "environment", "x" * 10**7, 1), "line 1 has a text of 10,000,000 "),
    "objects within each other": (
        lambda: with_value(0, "environment", "deep", nested(500)),
        f"line 1 has more than {DEEPEST} objects or lists within each other; allowed: fewer.",
    ),
    "lists within each other": (lambda: with_value(0, "selection", "deep", [[nested(50)]]), "line 1 has more than "),
    "NaN": (lambda: with_value(1, "series", 0, "values", 0, float("nan")), "line 2 has the number NaN, which JSON "),
    "an infinity": (lambda: with_value(1, "visits", 0, "seconds", float("inf")), "line 2 has the number Infinity, "),
    "a negative step time": (lambda: with_value(1, "series", 0, "values", 0, -0.5), "-0.5; allowed: a number above 0."),
    "a negative duration": (lambda: with_value(1, "visits", 0, "seconds", -1.0), "-1.0; allowed: a number from 0."),
    "an infinity in other words": (
        lambda: with_value(0, "environment", "machine", "x", BEYOND),
        "line 1 has a number beyond ",
    ),
    "an infinity in a list": (
        lambda: with_value(1, "attributes", "x", [1.0, BEYOND]),
        "line 2 has a number beyond 1e308",
    ),
    "a visit before the run": (
        lambda: with_value(1, "visits", 0, "started_s", -1.0),
        "-1.0; allowed: a number from 0.",
    ),
    "a turn before the first": (lambda: with_value(1, "visits", 0, "first_turn", -1), "-1; allowed: a number from 0."),
    "a batch of more than a table holds": (lambda: of_size(2**63), "allowed: a number up to 9223372036854775807."),
    "readings that were taken in turns, of which one is missing": (
        lambda: with_readings(usual_allocator_step_time=[0.1, 0.1], steady_allocator_step_time=[0.1]),
        "have 1 to 2 values; allowed: as many each.",
    ),
    "a newer schema": (lambda: with_value(0, "schema", 99), "has record schema 99; this version of stepmark reads"),
    "an unknown unit": (lambda: with_value(1, "series", 0, "metric", "unit", "<b>"), "is '<b>'; allowed: s, B, "),
    "the levels of another case": (
        lambda: with_value(1, "id", "other"),
        "the levels of case other are those of 'seed_cnn-sgd_momentum-cpu'; allowed: one id for the same levels.",
    ),
    "one case twice under two ids": (
        lambda: [*LINES[:2], {**LINES[1], "id": "other"}, *LINES[2:]],
        "the levels of case other are those of",
    ),
    "a case that is planned twice": (
        lambda: with_value(0, "planned", ["a", "b", "a"]),
        "the planned cases have 'a' twice; allowed: each name once.",
    ),
    "series that are no list": (lambda: with_value(3, "series", "abc"), "is 'abc'; allowed: a list."),
    "no header": (lambda: LINES[1:], "its first line is not a header."),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_record_that_no_run_can_have_written_is_refused_in_one_sentence(tmp_path, name):
    make, said = REFUSED[name]
    with pytest.raises(StepmarkError) as error:
        read_run(stored(tmp_path, make()))
    text = str(error.value)
    assert said in text
    assert len(text) < len(str(tmp_path)) + 300
    assert text.endswith(".")
    assert "\n" not in text


def test_a_text_and_objects_within_the_limits_are_read(tmp_path):
    assert read_run(stored(tmp_path, with_value(4, "reason", "x" * LONGEST_TEXT))).cases[3].reason
    assert read_run(stored(tmp_path, with_value(0, "environment", "deep", nested(DEEPEST - 3)))).cases


def test_a_gate_s_record_has_the_same_limits(tmp_path):
    (tmp_path / "gate.jsonl").write_text(json.dumps({"kind": "header", "arms": "x" * 10**6}) + "\n")
    with pytest.raises(StepmarkError, match=r"line 1 has a text of 1,000,000 characters; allowed: up to 262,144\.$"):
        read_gate(tmp_path)
    assert planned().arms


def test_a_case_that_is_written_twice_counts_once_with_its_last_line(tmp_path):
    again = {**LINES[3], "reason": "another reason"}
    found = read_run(stored(tmp_path, [*LINES[:-1], again, LINES[-1]]))
    assert [record.case.id for record in found.cases].count(again["id"]) == 1
    assert "another reason" in {record.reason for record in found.cases}


def hostile_run(folder: Path, text: str) -> Run:
    """A run with a text wherever any text may stand, written and read."""
    case = Case(text, text, text)
    good = measured(case, 0.001)
    assert good.measurement
    odd = Series(Metric(text, "s", "lower", text), good.measurement.values("step_time"))
    measurement = replace(good.measurement, series=(*good.measurement.series, odd), warnings=(text,))
    visits = tuple(replace(visit, neighbour=text) for visit in measurement.visits)
    warned = replace(
        good, attributes={**attributes_of(case), text: {text: text}}, measurement=replace(measurement, visits=visits)
    )
    honest = [measured(Case(name, optimizer, "cpu"), 0.002, 1) for name in "ab" for optimizer in ("sgd", "adam")]
    records = [
        warned,
        *honest,
        RunRecord(Case("a", "b", text), "failed", text),
        RunRecord(Case("c", text, "d"), "skipped", text),
    ]
    environment = {
        "machine": {"host": text, "processor": text},
        "software": {"torch": text},
        "commit": {"revision": text},
    }
    selection = {"profile": text, "profiles_file": text, text: [text]}
    made = run(
        records,
        missing=[text],
        complete=False,
        run_id=text,
        started_at=text,
        environment={**environment, text: {text: text}},
        selection=selection,
    )
    with RunWriter.create(folder / "run", made.header) as writer:
        for record in records:
            writer.case(record)
    return read_run(folder / "run")


EVERY_TEXT = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


@pytest.mark.slow
def test_no_text_of_a_record_adds_an_element_to_a_page(tmp_path):
    text = " ".join(HOSTILE)
    page, honest = Page(report.render(hostile_run(tmp_path, text), record_path=text)), Page(report.render(quick_run()))
    assert {one.tag for one in page.elements} <= {one.tag for one in honest.elements}
    assert [one.attributes for one in page.all("script")] == [one.attributes for one in honest.all("script")]
    main(["compare", *[str(tmp_path / "run")] * 2, "-o", str(tmp_path / "compared.html")])
    compared = Page((tmp_path / "compared.html").read_text(encoding="utf-8"))
    assert compared.all("script") == compared.all("img") == []
    for one in (*page.elements, *compared.elements):
        assert not any(name.startswith("on") for name in one.attributes)
        assert "javascript:" not in one.attributes.get("href", "").lower()


@EVERY_TEXT
def test_a_text_of_a_record_is_text_in_every_export(tmp_path, text):
    found = hostile_run(tmp_path, text)
    for name in INSTALLED:
        check(name, export(found, name), found)


def check(name: str, content: str | bytes, found: Run) -> None:
    """Read an export with another program's parser: it has the cases, and nothing that a text of the record added."""
    cases = len(found.cases)
    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(str(content), newline="")))
        assert [row["reason"] for row in rows] == [record.reason for record in found.cases]
    elif name == "junit":
        root = ElementTree.fromstring(str(content))  # noqa: S314 - our own text
        assert len(root.findall("testsuite/testcase")) == cases + len(found.missing)
    elif name == "markdown":
        is_inert_markdown(str(content))
    elif name == "pytest-benchmark":
        assert len(json.loads(content)["benchmarks"]) == 5
    elif name == "benchmark-action":
        assert {one["unit"] for one in json.loads(content)} == {"s"}
    elif name == "openmetrics":
        from prometheus_client.openmetrics.parser import text_string_to_metric_families

        families = {family.name: family for family in text_string_to_metric_families(str(content))}
        assert all(name.startswith("stepmark_") for name in families)
        assert len(families["stepmark_case"].samples) == cases
    elif name == "record":
        lines = [json.loads(line) for line in str(content).splitlines()]
        assert [line["reason"] for line in lines if line["kind"] == "case"] == [one.reason for one in found.cases]
    else:
        from pyarrow import parquet

        assert parquet.read_table(io.BytesIO(content)).num_rows == cases


TABLE = ("table", "thead", "tbody", "tr", "th", "td")
OURS = {*("h2", "h3", "p", "ul", "li", "code", "strong", "sub", "details", "summary", "blockquote"), *TABLE}
"""Elements of the Markdown of a run."""


def is_inert_markdown(content: str) -> None:
    """Markdown that renders to our own elements only, and that calls nobody."""
    markdown_it = pytest.importorskip("markdown_it", reason="Markdown is rendered with the library of rich")
    rendered = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(content)
    page = Page(rendered)
    assert {one.tag for one in page.elements} <= OURS
    assert all(set(one.attributes) <= {"style"} for one in page.elements)
    assert len(page.all("h2")) == 1
    assert "@everyone" not in re.sub("<code>.*?</code>", "", rendered, flags=re.DOTALL)


@pytest.mark.parametrize(
    "arguments",
    [
        ("effects",),
        ("compare",),
        ("recommend",),
        ("effects", "--metric", "accuracy"),
        ("export", "--format", "markdown"),
    ],
    ids=" ".join,
)
def test_no_text_of_a_record_commands_a_terminal(tmp_path, capsys, arguments):
    hostile_run(tmp_path, " ".join(HOSTILE))
    record = str(tmp_path / "run")
    main([arguments[0], *([record] * (2 if arguments[0] == "compare" else 1)), *arguments[1:]])
    done = capsys.readouterr()
    printed = done.out + done.err
    assert printed
    assert not UNPRINTABLE.search(printed)
    assert "\r" not in printed
    assert not [line for line in printed.splitlines() if line.startswith("stepmark: all cases pass")]


def test_a_run_s_id_names_no_file(tmp_path):
    hostile_run(tmp_path, "../../../outside")
    before = sorted(tmp_path.rglob("*"))
    main(["export", str(tmp_path / "run"), "--format", "markdown", "-o", str(tmp_path / "run.md")])
    main(["compare", *[str(tmp_path / "run")] * 2, "-o", str(tmp_path / "compared.html")])
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "run.md", tmp_path / "compared.html"])


METRICS = st.builds(
    Metric,
    name=st.text(max_size=12),
    unit=st.sampled_from(list(SCALES)),
    better=st.just("lower"),
    description=st.text(max_size=20),
)
VALUES = st.floats(min_value=-1e90, max_value=1e90) | st.integers(min_value=-(2**60), max_value=2**60)


@given(metrics=st.lists(METRICS, max_size=4), value=VALUES)
@settings(max_examples=15)
def test_metrics_that_nobody_knows_are_exported_under_names_that_parsers_take(metrics, value):
    good = measured(Case("a", "b", "c"), 0.001, rounds=1)
    assert good.measurement
    series = tuple(Series(metric, (value,) * 6) for metric in metrics if metric.name != "step_time")
    measurement = replace(good.measurement, series=(*good.measurement.series, *series))
    found = run([replace(good, measurement=measurement)])
    for name in INSTALLED:
        if name in ("openmetrics", "parquet", "junit"):
            check(name, export(found, name), found)


@pytest.mark.slow
def test_a_case_of_a_million_rounds_has_a_page_and_exports(tmp_path):
    case = deepcopy(LINES[1])
    count = 10**6
    case["visits"] = [{**case["visits"][0], "turns": [1000] * 1000}]
    case["series"] = [{**case["series"][0], "values": [0.005 + 0.001 * (place % 7) for place in range(count)]}]
    case["warmup"] = [{**one, "values": one["values"][:6]} for one in case["warmup"]]
    case["per_visit"] = [{**one, "values": one["values"][:1]} for one in case["per_visit"]]
    found = read_run(stored(tmp_path, [LINES[0], case, *LINES[2:]]))
    assert len(report.render(found)) < 2 * 10**6
    assert "1000000" in str(export(found, "csv"))
