"""The published JSON Schema of a record agrees with records as they are written and read."""

from __future__ import annotations

import json
import runpy
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jsonschema", reason="the published schemas are validated with jsonschema")

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from suite.records import StepmarkError
from suite.records.json_schema import attributes_of
from suite.records.schema import DETAILS, record_schema
from suite.records.store import RECORD_NAME, RunWriter, read_run
from suite.records.values import Visit
from tests.conftest import PROJECT, TESTS
from tests.fakes.made_runs import large_run, quick_run
from tests.fakes.schemas import faults_of_record

GOLDEN = TESTS / "golden" / "record_schema_5" / RECORD_NAME
FOLDER = PROJECT / "docs" / "schemas"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="an installed package has no docs")
def test_the_published_schemas_are_those_of_the_code():
    writer = runpy.run_path(str(FOLDER / "write.py"))
    for name, schema in writer["published"]().items():
        Draft202012Validator.check_schema(schema)
        assert (FOLDER / name).read_text(encoding="utf-8") == writer["text_of"](schema), "run `make schemas`"


def test_a_record_of_this_schema_is_valid_and_the_schema_knows_each_of_its_keys():
    assert faults_of_record(GOLDEN.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("run", [quick_run(), quick_run(complete=False), large_run(3)])
def test_a_new_record_is_valid(tmp_path, run):
    with RunWriter.create(tmp_path / "run", run.header) as writer:
        for record in run.cases:
            writer.case(record)
        if run.footer:
            writer.finish(run.footer)
    assert faults_of_record((tmp_path / "run" / RECORD_NAME).read_text(encoding="utf-8")) == []


PUBLISHED = sorted((PROJECT / "reports" / "published").glob(f"*/{RECORD_NAME}"))


@pytest.mark.skipif(not PUBLISHED, reason="no run is published in this checkout")
@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.parent.name)
def test_a_published_record_is_valid(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert faults_of_record("\n".join([*lines[:20], lines[-1]])) == []


def changed(line: int, key: tuple[str | int, ...], value: object) -> list[Any]:
    """The golden lines with one value replaced."""
    lines = [json.loads(text) for text in GOLDEN.read_text(encoding="utf-8").splitlines()]
    holder: Any = lines[line]
    for step in key[:-1]:
        holder = holder[step]
    holder[key[-1]] = value
    return lines


WRONG = [
    (0, ("schema",), 6),
    (0, ("plan", "passes"), 0),
    (0, ("plan", "case_timeout"), -1.0),
    (0, ("planned",), "a"),
    (1, ("case", "mode"), "dream"),
    (1, ("case", "batch_size"), 0),
    (1, ("outcome",), "lost"),
    (1, ("series", 0, "metric", "unit"), "parsec"),
    (1, ("series", 0, "values", 0), None),
    (1, ("visits", 0, "steps_per_round"), 0),
    (1, ("visits", 0, "turns", 0), -1),
    (1, ("visits", 0, "stopped_by"), "me"),
]


@pytest.mark.parametrize(("line", "key", "value"), WRONG, ids=[".".join(map(str, key)) for _, key, _ in WRONG])
def test_a_value_that_the_schema_refuses_is_refused_by_the_reader_too(tmp_path: Path, line, key, value):
    lines = changed(line, key, value)
    assert best_match(Draft202012Validator(record_schema()).iter_errors(lines[line]))
    (tmp_path / RECORD_NAME).write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
    with pytest.raises(StepmarkError):
        read_run(tmp_path)


def test_a_key_of_a_later_version_is_allowed():
    line = {**json.loads(GOLDEN.read_text(encoding="utf-8").splitlines()[0]), "later": 1}
    assert Draft202012Validator(record_schema()).is_valid(line)


def test_fields_are_described_by_their_docstrings():
    assert attributes_of(Visit)["steps_per_round"] == "steps between two readings of the clock; values are per step."
    visit = record_schema()["$defs"]["Visit"]["properties"]
    assert visit["steps_per_round"]["description"].startswith("Steps between two readings of the clock;")
    assert all("description" in one for one in visit.values())


def test_every_detail_of_the_schema_is_about_a_field():
    schema = record_schema()
    texts = json.dumps(schema)
    for (_, field), detail in deepcopy(DETAILS).items():
        assert f'"{field}"' in texts
        assert all(json.dumps(value) in texts for value in detail.values())
