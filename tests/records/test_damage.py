"""A record that was changed by hand is either a fine record or one sentence, whatever was changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import report
from suite.analysis.thresholds import thresholds_of
from suite.comparison import formats, page
from suite.comparison.changes import compare
from suite.comparison.pairing import pair_up
from suite.exports.formats import FORMATS, export
from suite.gate.record.store import GateWriter, read_gate
from suite.records import Run, StepmarkError
from suite.records.store import RECORD_NAME, read_run
from tests.conftest import GOLDEN
from tests.fakes.fake_sides import planned
from tests.fakes.schemas import faults_of_record

SCHEMAS = range(1, 6)
LINES = {
    schema: [json.loads(line) for line in (GOLDEN / f"record_schema_{schema}" / RECORD_NAME).read_text().splitlines()]
    for schema in SCHEMAS
}
Path_ = tuple[Any, ...]


def places(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Path of each value within a value."""
    if path:
        yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from places(value, (*path, key))


PLACES = {
    schema: [(number, path) for number, line in enumerate(lines) for path in places(line)]
    for schema, lines in LINES.items()
}
VALUES = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 1, 3, 0.0, -0.5, 5e-324, 1e308, 10**400, float("nan"), float("inf")]),
    st.sampled_from(["", "x", "NaN", "train", "measured", "\ud800", [], {}, [[]], [1.0], {"a": {"b": None}}, [None]]),
)
CHANGES = ("replace", "drop", "shorten", "repeat", "negate")


def changed(lines: list[dict[str, Any]], place: tuple[int, Path_], change: str, value: Any) -> list[dict[str, Any]]:
    """The lines of a record with one change."""
    damaged = deepcopy(lines)
    number, (*way, last) = place
    holder: Any = damaged[number]
    for key in way:
        holder = holder[key]
    held = holder[last]
    if change == "drop":
        del holder[last]
    elif change == "shorten" and isinstance(held, list):
        holder[last] = held[:-1]
    elif change == "repeat" and isinstance(held, list):
        holder[last] = [*held, *held]
    elif change == "negate" and isinstance(held, int | float):
        holder[last] = -held
    else:
        holder[last] = value
    return damaged


def held(lines: list[dict[str, Any]], place: tuple[int, Path_]) -> Any:
    """The value of a record at a place."""
    number, way = place
    found: Any = lines[number]
    for key in way:
        found = found[key]
    return found


def use(run: Run) -> None:
    """Everything that a command makes of a record; of a page all but the scripts, which take no figure."""
    assert "<html" in report.render(run, record_path="somewhere")
    for name in FORMATS:
        assert export(run, name)
    limits = thresholds_of("1%", "5%", "1%")
    for other in (read_run(GOLDEN / "record_schema_5"), run):
        for baseline, candidate in ((run, other), (other, run)):
            found = compare(baseline, candidate, limits, 0.05)
            formats.exit_code(found, limits)
            assert all(form(found, limits) for form in formats.FORMATS.values())


def sentence(error: StepmarkError) -> None:
    """An error is one sentence."""
    said = str(error)
    assert len(said.splitlines()) == 1
    assert said.endswith(".")
    assert len(said) < 600


@given(st.data())
def test_a_damaged_record_is_a_fine_one_or_one_sentence(tmp_path_factory: Any, data: st.DataObject) -> None:
    schema = data.draw(st.sampled_from(SCHEMAS))
    lines = LINES[schema]
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(
            st.sampled_from(
                PLACES[schema]
                if lines is LINES[schema]
                else [(n, p) for n, line in enumerate(lines) for p in places(line)]
            )
        )
        lines = changed(lines, place, data.draw(st.sampled_from(CHANGES)), data.draw(VALUES))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / RECORD_NAME).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    try:
        run = read_run(folder)
        assert schema < max(SCHEMAS) or faults_of_record("\n".join(map(json.dumps, filter(is_read, lines)))) == []
        use(run)
    except StepmarkError as error:
        sentence(error)


def is_read(line: dict[str, Any]) -> bool:
    """Whether the reader reads all keys of a line: not of an unknown kind, nor the visits of a case without rounds."""
    return line.get("kind") in ("header", "footer") or (line.get("kind") == "case" and bool(line["series"]))


def test_a_whole_number_too_large_to_compute_with_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    lines = LINES[5]
    numbers = [place for place in PLACES[5] if type(held(lines, place)) is int]
    assert len(numbers) > 20
    for place in numbers:
        damaged = changed(lines, place, "replace", 10**400)
        (tmp_path / RECORD_NAME).write_text("".join(f"{json.dumps(line)}\n" for line in damaged), encoding="utf-8")
        with pytest.raises(StepmarkError, match="has the number 100000000…, which takes more than 64 bits"):
            read_run(tmp_path)


@pytest.mark.slow
def test_half_of_a_surrogate_pair_in_place_of_any_text_is_a_fine_record_or_one_sentence(tmp_path: Path) -> None:
    lines = LINES[5]
    every = [place for place in PLACES[5] if type(held(lines, place)) is str]
    keys = {tuple(step for step in path if isinstance(step, str)): (line, path) for line, path in every}
    texts = [place for keyed, place in keys.items() if "environment" not in keyed]  # of the environment, any text goes
    assert len(texts) > 20
    refused = 0
    for place in texts:
        damaged = changed(lines, place, "replace", "\ud800")
        (tmp_path / RECORD_NAME).write_text("".join(f"{json.dumps(line)}\n" for line in damaged), encoding="utf-8")
        try:
            use(read_run(tmp_path))
        except StepmarkError as error:
            refused += 1
            sentence(error)
    assert refused, "words such as `better` are of a list"


@pytest.mark.parametrize("place", ["selection", "arms", "rows", "plan", "limits", "levels", "budget_s"])
@pytest.mark.parametrize("value", [None, "x", [], {}, -1.5, True])
def test_a_gate_s_header_of_any_values_is_read_or_refused_in_one_sentence(
    tmp_path: Path, place: str, value: object
) -> None:
    with GateWriter.create(tmp_path / "gate", planned()):
        pass
    file = tmp_path / "gate" / "gate.jsonl"
    line = json.loads(file.read_text())
    file.write_text(f"{json.dumps({**line, place: value})}\n")
    with suppress_sentence():
        read_gate(file)


@contextmanager
def suppress_sentence() -> Iterator[None]:
    """Within it, a sentence is as good as none."""
    try:
        yield
    except StepmarkError as error:
        sentence(error)


def metric(name: str, unit: str, values: list[float]) -> dict[str, Any]:
    """A series of an instrument."""
    return {"metric": {"name": name, "unit": unit, "better": "lower", "description": ""}, "values": values}


def without_accuracy_of_the_first_epoch(lines: list[dict[str, Any]]) -> None:
    lines[5]["warmup"] = [one for one in lines[5]["warmup"] if one["metric"]["name"] != "accuracy"]


def with_a_visit_without_epochs(lines: list[dict[str, Any]]) -> None:
    learnt = lines[5]
    learnt["visits"].append({**learnt["visits"][0], "index": 9, "turns": [], "warmup_rounds": 0})
    for one in learnt["per_visit"]:
        one["values"].append(one["values"][0])


def with_rounds_that_lie_far_apart(lines: list[dict[str, Any]]) -> None:
    for line in lines[1:3]:
        for one in line["series"]:
            if one["metric"]["name"] == "step_time":
                count = sum(line["visits"][0]["turns"])
                one["values"] = [1e-95 if place < count else 1e95 for place in range(len(one["values"]))]


def with_odd_counts_of_ranks(lines: list[dict[str, Any]]) -> None:
    for line, ranks in zip(lines[1:3], (1, 2), strict=True):
        line["case"] = {**lines[1]["case"], "execution": f"distributed_r{ranks}"}
        line["id"] = f"seed_cnn-sgd_momentum-distributed_r{ranks}"
        odd = {"threads_per_rank": [], "nodes": "two", "devices": -1}
        line["attributes"]["execution"] = {"device": "cpu", "ranks": ranks, **odd}


def with_half_of_the_readings_of_allocators(lines: list[dict[str, Any]]) -> None:
    lines[1]["surveyed"] = [metric(f"{which}_allocator_step_time", "s", [0.1]) for which in ("usual", "steady")]


def with_samples_that_took_no_time(lines: list[dict[str, Any]]) -> None:
    names = {"sample_time": "s", "cores_used": "1", "resident_memory": "B"}
    lines[1]["surveyed"] = [metric(name, unit, [0.0, 0.0]) for name, unit in names.items()]
    lines[2]["surveyed"] = [metric(name, unit, []) for name, unit in names.items()]
    for line in lines[1:3]:
        line["surveyed"].append(metric("utilization", "ratio", [0.5]))


@pytest.mark.parametrize(
    "damage",
    [
        without_accuracy_of_the_first_epoch,
        with_a_visit_without_epochs,
        with_rounds_that_lie_far_apart,
        with_odd_counts_of_ranks,
        with_half_of_the_readings_of_allocators,
        with_samples_that_took_no_time,
    ],
)
def test_every_command_reads_a_record_whose_parts_do_not_fit(tmp_path: Path, damage: Any) -> None:
    lines = deepcopy(LINES[5])
    damage(lines)
    (tmp_path / RECORD_NAME).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    run = read_run(tmp_path)
    use(run)
    limits = thresholds_of("1%", "5%", "1%")
    assert page.render(pair_up([run, read_run(GOLDEN / "record_schema_5")], limits, 0.05), limits)
