"""The values that flow."""

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.records import (
    Case,
    Header,
    Measurement,
    Metric,
    Rounds,
    Run,
    RunPlan,
    RunRecord,
    Series,
    Visit,
    WorkerSettings,
    values,
)

VALUES = [
    value
    for value in vars(values).values()
    if dataclasses.is_dataclass(value) and value.__module__ == "suite.records.values"
]


def visit(index: int, turns: tuple[int, ...]) -> Visit:
    return Visit(index, turns, 3, 1, 0.0, 1.0, 0.1, "time", None, True)


def test_a_case_at_its_defaults_has_three_words():
    assert Case("seed_cnn", "adam", "cpu").id == "seed_cnn-adam-cpu"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tuning": "bf16"}, "bf16"),
        ({"input": "loader"}, "loader"),
        ({"batch_size": 128}, "b128"),
        ({"image_size": 64}, "i64"),
        ({"mode": "infer"}, "infer"),
        ({"seed": 7}, "s7"),
    ],
)
def test_a_thing_off_its_default_adds_its_word(change, word):
    assert Case("seed_cnn", "adam", "cpu", **change).id == f"seed_cnn-adam-cpu-{word}"


def test_the_words_of_an_id_stand_in_the_order_that_the_design_gives():
    case = Case("residual_d8w32", "adamw_fused", "cuda", tuning="bf16", batch_size=256, image_size=32, mode="infer")
    assert case.id == "residual_d8w32-adamw_fused-cuda-bf16-b256-i32-infer"


@settings(deadline=None)
@given(
    cases=st.lists(
        st.builds(
            Case,
            structure=st.sampled_from(["seed_cnn", "resnet18"]),
            optimizer=st.sampled_from(["sgd", "adam"]),
            execution=st.just("cpu"),
            batch_size=st.integers(1, 300),
            image_size=st.integers(1, 300),
            mode=st.sampled_from(["train", "infer"]),
            seed=st.integers(0, 3),
        ),
        min_size=2,
    )
)
def test_different_cases_have_different_ids(cases):
    assert len({case.id for case in cases}) == len(set(cases))


@pytest.mark.parametrize("value", VALUES)
def test_values_are_frozen_and_all_but_the_case_without_a_dictionary(value):
    assert value.__dataclass_params__.frozen
    assert hasattr(value, "__slots__") or value is Case  # the case keeps its id in a dictionary


def test_a_measurement_gives_its_rounds_whole_by_visit_and_by_turn():
    series = Series(Metric("step_time", "s", "lower", ""), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    measurement = Measurement((series,), (), (visit(0, (2, 1)), visit(1, (3,))))
    assert measurement.values("step_time") == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert measurement.by_visit("step_time") == [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)]
    assert measurement.by_turn("step_time") == [(1.0, 2.0), (3.0,), (4.0, 5.0, 6.0)]


def test_a_metric_that_was_not_taken_has_no_values():
    measurement = Measurement((), (), (visit(0, (2, 1)),))
    assert measurement.values("power") == ()
    assert measurement.by_visit("power") == []
    assert measurement.by_turn("power") == []


def test_a_turn_without_rounds_keeps_its_place():
    series = Series(Metric("step_time", "s", "lower", ""), (1.0, 2.0))
    assert Measurement((series,), (), (visit(0, (1, 0, 1)),)).by_turn("step_time") == [(1.0,), (), (2.0,)]


def test_cases_without_an_outcome_are_missing_from_a_run():
    done = Case("seed_cnn", "adam", "cpu")
    header = Header(
        "run", "2026-01-01T00:00:00+00:00", RunPlan(), WorkerSettings(), (done.id, "seed_cnn-sgd-cpu"), {}, {}
    )
    assert Run(header, (), None).missing == (done.id, "seed_cnn-sgd-cpu")
    assert Run(header, (RunRecord(done, "skipped", "no device"),), None).missing == ("seed_cnn-sgd-cpu",)


def test_the_values_need_nothing_but_the_standard_library():
    code = "import sys, suite.records; print(*{name.partition('.')[0] for name in sys.modules})"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "scipy", "pytest", "psutil"} & set(names)


TIME, CPU = (Metric(name, "s", "lower", "") for name in ("step_time", "cpu_time"))
ROUNDS = Rounds((Series(TIME, (1.0, 2.0, 3.0)), Series(CPU, (4.0, 5.0, 6.0))))


def test_rounds_have_a_step_time_each_and_are_as_many():
    assert ROUNDS.step_time == (1.0, 2.0, 3.0)
    assert len(ROUNDS) == 3
    assert ROUNDS.values("cpu_time") == (4.0, 5.0, 6.0)
    assert ROUNDS.values("nothing") == ()


def test_rounds_that_are_taken_and_dropped_are_all_of_them():
    assert ROUNDS.take(1).values("cpu_time") == (4.0,)
    assert Rounds.concat((ROUNDS.take(1), ROUNDS.drop(1))) == ROUNDS


def test_rounds_split_by_lengths_are_joined_to_the_same():
    assert [len(part) for part in ROUNDS.by((2, 1))] == [2, 1]
    assert Rounds.concat(ROUNDS.by((2, 1))) == ROUNDS
    assert len(Rounds.concat(())) == 0
