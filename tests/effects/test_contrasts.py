"""Effects are means over matched cases: by hand, in any order, under any names, with intervals that hold the truth."""

import csv
import io
import json
import math
import random
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.effects.as_json import as_json
from suite.effects.study import study
from suite.effects.text import as_table
from suite.effects.values import values_of
from suite.exports.csv_table import render
from suite.records import Case, RunRecord, StepmarkError
from suite.records.store import RunWriter, read_run
from tests.fakes import made_runs
from tests.fakes.designed_runs import OPTIMIZERS, Plan, designed

QUIET = Plan(machine="still", between=0.0, own=0.0, tails=0.0, skipped=0.0)


def run_of(plan: Plan, seed: int):
    """A run of known effects, and its truth."""
    return designed(plan, np.random.default_rng(seed))


def effect_of(found, dimension, level):
    """The effect of one level."""
    return next(one for one in found.effects if (one.dimension, one.level) == (dimension, level))


def true_effect(effect, truth) -> float:
    """The truth of an effect: the mean over the pairs that were measured."""
    return fmean(
        fmean(truth[one] for one in pair.ids) - fmean(truth[one] for one in pair.against_ids) for pair in effect.pairs
    )


def test_without_noise_an_effect_is_the_mean_of_the_true_differences_of_matched_cases():
    run, truth = run_of(QUIET, 1)
    found = study(run, "step_time")
    assert len(found.effects) == 5 + 2 + 3 + 2  # structures, optimizers; connection and depths, family, implementation
    for effect in found.effects:
        assert effect.size.middle == pytest.approx(true_effect(effect, truth), abs=1e-9)


def test_an_effect_equals_the_ratio_of_two_cells_of_the_csv():
    run, _ = run_of(Plan(), 2)
    table = {row["id"]: row for row in csv.DictReader(io.StringIO(render(run)))}
    found = study(run, "step_time", lambda case_id: case_id.startswith("residual_d4-"))
    effect = effect_of(found, "optimizer", "adam")
    one, other = (
        float(table[f"residual_d4-{name}-cpu"]["step_time_without_drift_s"]) for name in ("adam", "sgd_momentum")
    )
    assert math.exp(effect.size.middle) == pytest.approx(one / other, rel=1e-12)
    assert [pair.ids + pair.against_ids for pair in effect.pairs] == [
        ("residual_d4-adam-cpu", "residual_d4-sgd_momentum-cpu")
    ]


def test_a_case_without_its_match_is_in_no_pair():
    run, truth = run_of(QUIET, 3)
    without = [
        RunRecord(record.case, "skipped", "it does not run") if "plain_d2-sgd" in record.case.id else record
        for record in run.cases
    ]
    effect = effect_of(study(replace(run, cases=tuple(without)), "step_time"), "optimizer", "adam")
    assert len(effect.pairs) == 5
    assert all("plain_d2" not in pair.ids[0] for pair in effect.pairs)
    assert effect.size.middle == pytest.approx(true_effect(effect, truth), abs=1e-9)


def test_an_attribute_is_compared_between_levels_that_agree_in_all_others():
    run, _ = run_of(QUIET, 4)
    found = study(run, "step_time")
    connection = effect_of(found, "structure.connection", "residual")
    assert {(pair.ids[0].split("-")[0], pair.against_ids[0].split("-")[0]) for pair in connection.pairs} == {
        (f"residual_d{depth}", f"plain_d{depth}") for depth in (2, 4, 8)
    }
    implementation = effect_of(found, "optimizer.implementation", "fused")
    assert {pair.against_ids[0].split("-")[1] for pair in implementation.pairs} == {"adam"}
    family = effect_of(found, "optimizer.family", "adam")
    assert {pair.ids[0].split("-")[1] for pair in family.pairs} == {"adam"}


def test_an_interaction_is_the_difference_of_two_effects():
    run, truth = run_of(QUIET, 5)
    found = study(run, "step_time")
    one = next(
        one
        for one in found.interactions
        if one.dimensions == ("structure", "optimizer") and one.levels == ("residual_d8", "adam")
    )
    expected = (
        truth["residual_d8-adam-cpu"]
        - truth["residual_d8-sgd_momentum-cpu"]
        - truth["plain_d2-adam-cpu"]
        + truth["plain_d2-sgd_momentum-cpu"]
    )
    assert one.against == ("plain_d2", "sgd_momentum")
    assert one.size.middle == pytest.approx(expected, abs=1e-9)
    assert one.contexts == 1


def test_the_level_to_compare_with_is_the_default_or_the_smallest_number_or_the_first_of_the_matrix():
    cases = [
        Case(structure, "adam", "cpu", batch_size=size) for structure in ("zeta", "alpha") for size in (128, 16, 64)
    ]
    run = made_runs.run([made_runs.measured(case, 0.01, seed) for seed, case in enumerate(cases)])
    found = study(run, "step_time")
    assert {(one.dimension, one.against) for one in found.effects if "." not in one.dimension} == {
        ("structure", "zeta"),
        ("batch_size", 64),
    }
    assert [one.level for one in found.effects if one.dimension == "batch_size"] == [16, 128]


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 99))
def test_the_order_of_cases_changes_nothing(seed):
    run, _ = run_of(Plan(turns=8), seed)
    shuffled = random.Random(seed).sample(run.cases, len(run.cases))
    before, after = study(run, "step_time"), study(replace(run, cases=tuple(shuffled)), "step_time")
    assert [(one.dimension, one.level) for one in before.effects] == [
        (one.dimension, one.level) for one in after.effects
    ]
    for one, other in zip(before.effects, after.effects, strict=True):
        assert one.size.middle == pytest.approx(other.size.middle, abs=1e-12)
        assert (one.size.low, one.size.high) == pytest.approx((other.size.low, other.size.high), abs=1e-6)


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 99), name=st.sampled_from(("aaa", "zzz", "sgd_2")))
def test_another_name_of_a_level_changes_names_alone(seed, name):
    run, _ = run_of(Plan(turns=8), seed)

    def renamed(text: str) -> str:
        return text.replace("-adam-", f"-{name}-")

    cases = tuple(
        replace(record, case=replace(record.case, optimizer=name)) if record.case.optimizer == "adam" else record
        for record in run.cases
    )
    header = replace(run.header, planned=tuple(map(renamed, run.header.planned)))
    before, after = study(run, "step_time"), study(replace(run, header=header, cases=cases), "step_time")
    assert [one.size for one in before.effects] == [one.size for one in after.effects]
    levels, new = (
        [f"-{one.level}-" for one in found.effects if one.dimension == "optimizer"] for found in (before, after)
    )
    assert list(map(renamed, levels)) == new


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 99), level=st.sampled_from(OPTIMIZERS[1:]))
def test_twice_the_time_of_a_level_is_an_effect_that_is_exactly_twice(seed, level):
    run, _ = run_of(Plan(turns=8), seed)
    doubled = tuple(twice(record) if record.case.optimizer == level else record for record in run.cases)
    before, after = study(run, "step_time"), study(replace(run, cases=doubled), "step_time")
    for one, other in zip(before.effects, after.effects, strict=True):
        if one.dimension == "optimizer":
            factor = 2.0 if one.level == level else 1.0
            assert math.exp(other.size.middle) == pytest.approx(factor * math.exp(one.size.middle), rel=1e-12)


def twice(record: RunRecord) -> RunRecord:
    """A case whose steps take twice as long."""
    measurement = record.measurement
    if measurement is None:
        return record
    series = tuple(replace(one, values=tuple(2 * value for value in one.values)) for one in measurement.series)
    return replace(record, measurement=replace(measurement, series=series))


@pytest.mark.parametrize("value", [math.nan, 0.0, -0.001])
def test_a_case_with_a_wrong_step_time_is_left_out_with_the_reason(value):
    run, _ = run_of(QUIET, 6)
    bad = run.cases[3]
    series = bad.measurement.series[0]
    broken = replace(
        bad, measurement=replace(bad.measurement, series=(replace(series, values=(value,) * len(series.values)),))
    )
    cases = tuple(broken if record is bad else record for record in run.cases)
    values = values_of(replace(run, cases=cases), "step_time")
    ((case_id, reason),) = values.left_out
    assert case_id == bad.case.id
    assert reason.startswith("its step_time is ")
    assert len(values.found) == len(run.cases) - 1


def test_one_visit_widens_the_intervals_and_three_networks_are_needed_for_networks_to_come():
    one, three = (
        effect_of(study(run_of(Plan(passes=passes, skipped=0.0), 7)[0], "step_time"), "optimizer", "adam")
        for passes in (1, 3)
    )
    assert one.size.high - one.size.low > three.size.high - three.size.low > 0
    assert three.networks_count == 6
    assert three.networks is not None
    few = Plan(structures=("plain_d2", "plain_d4"), skipped=0.0)
    assert effect_of(study(run_of(few, 7)[0], "step_time"), "optimizer", "adam").networks is None


def test_a_run_of_one_case_has_no_effect_and_one_without_cases_is_refused():
    run, _ = run_of(QUIET, 8)
    assert study(replace(run, cases=run.cases[:1]), "step_time").effects == ()
    with pytest.raises(StepmarkError, match="none of them is selected; allowed: one or more"):
        study(run, "step_time", lambda _: False)
    with pytest.raises(StepmarkError, match="no measured case of the record has a value of energy"):
        study(run, "energy")


def covered(plan: Plan, runs: int) -> dict[str, float]:
    """Share of the intervals that hold the truth, by kind."""
    held: dict[str, list[bool]] = {"main effects": [], "interactions": []}
    for number in range(runs):
        run, truth = run_of(plan, number)
        found = study(run, "step_time")
        for effect in filter(lambda one: one.is_matched, found.effects):
            held["main effects"].append(effect.size.low <= true_effect(effect, truth) <= effect.size.high)
        for one in found.interactions:
            if one.dimensions == ("structure", "optimizer"):
                ends = [
                    truth[f"{structure}-{optimizer}-cpu"]
                    for structure in (one.levels[0], one.against[0])
                    for optimizer in (one.levels[1], one.against[1])
                ]
                true = ends[0] - ends[1] - ends[2] + ends[3]
                held["interactions"].append(one.size.low <= true <= one.size.high)
    return {kind: fmean(found) for kind, found in held.items()}


def test_intervals_hold_the_true_effects_on_a_machine_that_drifts_and_with_skipped_cells():
    """Wanted: 93 to 97 %; 25 runs with some 250 intervals that depend on each other have a standard error of 2 %."""
    shares = covered(Plan(), 25)
    assert min(shares.values()) >= 0.89


def test_a_record_on_disk_gives_the_same_effects(tmp_path):
    run, _ = run_of(Plan(turns=8), 9)
    with RunWriter.create(tmp_path / "run", run.header) as writer:
        for record in run.cases:
            writer.case(record)
        writer.finish(run.footer)
    assert study(read_run(tmp_path / "run"), "step_time").effects == study(run, "step_time").effects


def test_accuracy_is_a_difference_with_seeds_as_replicates():
    cases = [
        made_runs.learnt(Case(structure, optimizer, "cpu", mode="learn"), level)
        for structure, own in (("plain_d2", 0.0), ("plain_d4", 0.02), ("plain_d8", 0.03))
        for optimizer, level in (("sgd_momentum", 0.90 + own), ("adam", 0.93 + own))
    ]
    effect = effect_of(study(made_runs.run(cases), "accuracy"), "optimizer", "adam")
    assert effect.size.middle == pytest.approx(0.03)
    assert 0.0 < effect.size.low < 0.03 < effect.size.high < 0.06


ODD_ATTRIBUTES = [
    {"structure": "deep", "optimizer": None},
    {"structure": {"depth": [1], "width": True, "layer": {"a": 1}}, "optimizer": {"family": math.nan}},
    {},
]


def test_attributes_of_any_form_are_no_levels_and_stop_nothing():
    run, truth = run_of(QUIET, 11)
    odd = tuple(replace(one, attributes=ODD_ATTRIBUTES[place % 3]) for place, one in enumerate(run.cases))
    found = study(replace(run, cases=odd), "step_time")
    assert {effect.dimension for effect in found.effects} == {"structure", "optimizer"}
    assert effect_of(found, "optimizer", "adam").size.middle == pytest.approx(
        true_effect(effect_of(study(run, "step_time"), "optimizer", "adam"), truth), abs=1e-9
    )
    assert json.loads(as_json(found))["effects"]


def test_an_interrupted_run_says_how_many_cases_are_missing():
    table = as_table(study(made_runs.quick_run(complete=False), "step_time"))
    assert table.splitlines()[1] == "not measured: 6 skipped, 2 failed, 2 missing"
