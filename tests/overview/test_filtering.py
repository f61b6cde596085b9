"""A filter of a run: it shows what its words say, and never moves a figure."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from suite.analysis.case_figures import figures_of
from suite.effects.study import study
from suite.exports.csv_table import render
from suite.overview import overview
from suite.overview.filtering import filtered, selects
from suite.records import Case, StepmarkError
from suite.records.selected import whole_of
from tests.fakes import made_runs
from tests.fakes.designed_runs import Plan, designed


@pytest.fixture(scope="module")
def quick():
    """25 measured cases, 6 skipped and 2 failed ones; two have no outcome."""
    return made_runs.quick_run(complete=False)


def ids(run) -> list[str]:
    """Ids of a run's cases."""
    return [record.case.id for record in run.cases]


def test_a_filter_keeps_the_cases_that_it_shows_and_plans_no_others(quick):
    found = filtered(quick, "optimizer:adam outcome:measured")
    assert ids(found) == [f"{structure}-adam-cpu" for structure in made_runs.STRUCTURES]
    assert found.header.planned == tuple(ids(found))
    assert found.missing == ()


def test_metrics_and_verdicts_are_those_of_the_figures(quick):
    figures = {name: one for name, one in figures_of(quick.cases).items() if one.is_measured}
    quick_ones = {name for name, one in figures.items() if one.step_time.median < 0.005}
    assert set(ids(filtered(quick, "time<5ms"))) == quick_ones
    steady = {name for name, one in figures.items() if not one.issues}
    assert set(ids(filtered(quick, "verdict:steady"))) == steady


def test_no_filter_moves_a_figure(quick):
    whole, some = figures_of(quick.cases), filtered(quick, "structure:seed_cnn outcome:measured")
    assert figures_of(some.cases) == {record.case.id: whole[record.case.id] for record in some.cases}


def test_a_filtered_csv_has_rows_of_the_whole_one():
    run, _ = designed(Plan(), np.random.default_rng(7))
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(render(run)))}
    some = list(csv.DictReader(io.StringIO(render(filtered(run, "structure:residual*")))))
    assert some
    assert all(rows[row["id"]] == row for row in some)


def test_effects_of_a_filtered_run_are_those_of_its_cases_in_the_whole_run():
    run, _ = designed(Plan(), np.random.default_rng(8))
    among = study(run, "step_time", selects(run, "structure:residual*"))
    alone = study(filtered(run, "structure:residual*"), "step_time")
    assert among.effects == alone.effects
    assert overview(filtered(run, "structure:residual*")).best


def test_cases_without_an_outcome_are_selected_by_the_levels_of_their_ids(quick):
    shows = selects(quick, "batch:128 structure:resnet18")
    assert shows("resnet18-adam-cpu-b128")
    assert not shows("seed_cnn-rmsprop-cpu-b128")
    assert not selects(quick, "batch:64")("resnet18-adam-cpu-b128")
    assert selects(quick, "outcome:missing")("seed_cnn-sgd-cpu")


def test_predictions_are_of_the_combinations_that_a_filter_shows():
    run, _ = designed(Plan(skipped=0.0), np.random.default_rng(9))
    gone = Case("residual_d8", "adam", "cpu").id
    without = replace(run, cases=tuple(record for record in run.cases if record.case.id != gone))
    found = study(without, "step_time", selects(without, "execution:cpu")).predictions.found
    assert [one.id for one in found] == [gone]
    assert study(without, "step_time", selects(without, "-structure:residual_d8")).predictions.found == ()


def test_a_filter_that_shows_nothing_is_one_sentence(quick):
    with pytest.raises(StepmarkError, match=r"--filter 'lbfgs cuda' shows none of the record's 33 cases; allowed: "):
        filtered(quick, "lbfgs cuda")


def test_an_empty_filter_is_the_whole_run(quick):
    assert filtered(quick, " ") is quick
    assert whole_of(quick.cases) is quick.cases
