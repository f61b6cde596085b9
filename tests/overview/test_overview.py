"""The first answers of a run: right in every figure, silent about what was not measured, and with filters that fit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from suite.analysis.case_figures import figures_of
from suite.effects.study import study
from suite.overview import overview
from suite.overview.best import MOST
from suite.records import Case, Metric, RunRecord, Series
from suite.units import text as with_unit
from tests.fakes import made_runs
from tests.fakes.designed_runs import Plan, designed

PEAK = Metric("memory_peak_forward", "B", "lower", "Highest resident set.")


def with_peaks(record: RunRecord, peak: float) -> RunRecord:
    """A record with a reading of the instrument of memory."""
    measurement = replace(record.measurement, surveyed=(Series(PEAK, (peak,)),))
    return replace(record, measurement=measurement)


@pytest.fixture(scope="module")
def quick():
    """24 measured cases and one unsteady one, 6 skipped, 2 failed."""
    return made_runs.quick_run()


def test_the_first_sentence_names_the_fastest_case_with_its_interval(quick):
    figures = figures_of(quick.cases)
    best = min((one for one in figures.values() if one.is_measured), key=lambda one: one.step_time.median)
    (first, _, _) = overview(quick).sentences
    assert f"The fastest case is {best.case.id} with {with_unit(best.step_time.median, 's')} a step [" in first
    assert "frugal" not in first
    assert "accurate" not in first


def test_the_first_sentence_names_the_case_with_the_lowest_peak_where_peaks_were_measured():
    cases = [Case(name, "adam", "cpu") for name in ("seed_cnn", "resnet18")]
    peaks = (300 * 2.0**20, 200 * 2.0**20)
    records = [
        with_peaks(made_runs.measured(case, 0.001 * place, seed=place), peak)
        for place, (case, peak) in enumerate(zip(cases, peaks, strict=True), 1)
    ]
    assert (
        "the most frugal is resnet18-adam-cpu with 200.0 MiB of peak memory"
        in overview(made_runs.run(records)).sentences[0]
    )


def test_cases_that_do_less_work_are_no_rivals():
    records = [
        made_runs.measured(Case("seed_cnn", "adam", "cpu"), 0.002),
        made_runs.measured(Case("seed_cnn", "adam", "cpu", batch_size=16), 0.001),
    ]
    found = overview(made_runs.run(records))
    assert found.sentences[0].startswith("Among 1 case with batch size 64, the fastest case is seed_cnn-adam-cpu with ")
    assert [one.case.id for one in found.best] == ["seed_cnn-adam-cpu"]


def test_the_most_accurate_case_stands_among_those_that_learnt():
    learning = Case("seed_cnn", "sgd", "cpu", mode="learn", epochs=4)
    learnt = made_runs.learnt(learning, 0.9)
    training = [made_runs.measured(Case("seed_cnn", name, "cpu"), 0.001) for name in ("adam", "sgd")]
    (mixed, _, _) = overview(made_runs.run([*training, learnt])).sentences
    assert mixed.startswith("Among 2 cases with mode train")
    assert f"; among 1 case that learnt, the most accurate is {learning.id} with 90" in mixed
    (alone, _, _) = overview(made_runs.run([learnt])).sentences
    assert f"; the most accurate is {learning.id} with 90" in alone


def test_the_second_sentence_counts_every_outcome():
    assert overview(made_runs.quick_run()).sentences[1] == "33 cases: 25 measured, 6 skipped, 2 failed."
    assert overview(made_runs.quick_run(complete=False)).sentences[1] == (
        "35 cases: 25 measured, 6 skipped, 2 failed; 2 have no outcome, since the run was interrupted."
    )


def test_the_third_sentence_says_how_many_cases_are_steady_and_what_an_interval_separates(quick):
    third = overview(quick).sentences[2]
    assert third.startswith("None of 25 measured cases was disturbed from outside, and ")
    assert "so two cases that differ by less than " in third


def test_the_sentence_about_a_single_case_does_not_count_it():
    (_, _, third) = overview(made_runs.run([made_runs.measured(Case("seed_cnn", "adam", "cpu"), 0.001)])).sentences
    assert third.startswith("The measured case was not disturbed from outside, and it is steady; its interval is ±")


def test_without_a_measured_case_no_sentence_claims_anything():
    run = made_runs.run([RunRecord(Case("seed_cnn", "adam", "cuda"), "skipped", "no CUDA device is visible")])
    found = overview(run)
    assert found.sentences == (
        "No case was measured, so there is no best case.",
        "1 case: 0 measured, 1 skipped, 0 failed.",
        "No case was measured, so the noise of the machine is unknown.",
    )
    assert (found.best, found.structures, found.findings) == ((), 0, ())


def test_the_best_are_the_fastest_of_each_structure_and_at_most_a_screen(quick):
    found = overview(quick)
    assert sorted(one.case.structure for one in found.best) == sorted(made_runs.STRUCTURES)
    times = [one.step_time.median for one in found.best]
    assert times == sorted(times)
    records = [made_runs.measured(Case(f"net{place}", "adam", "cpu"), 0.001 * place) for place in range(1, 12)]
    many = overview(made_runs.run(records))
    assert len(many.best) == MOST
    assert many.structures == 11


def test_an_interrupted_run_and_a_single_case_have_an_overview():
    assert overview(made_runs.run([made_runs.measured(Case("seed_cnn", "adam", "cpu"), 0.001)])).findings == ()
    assert overview(made_runs.quick_run(complete=False)).best


def test_findings_are_effects_of_the_study_with_their_figures_and_filters():
    run, _ = designed(Plan(between=0.002, own=0.002, tails=0.0, interaction=0.0), np.random.default_rng(4))
    found = overview(run).findings
    known = study(run, "step_time")
    assert found
    assert {one.effect for one in found} <= set(known.effects)
    adam = next(one for one in found if (one.effect.dimension, one.effect.level) == ("optimizer", "adam"))
    change = 100 * math.expm1(adam.effect.size.middle)
    assert adam.text.startswith(f"optimizer adam takes {change:.1f} % [")
    assert adam.text.endswith(f"more time per step than sgd_momentum, over {adam.effect.networks_count} networks")
    assert adam.filter.startswith("optimizer:sgd_momentum,adam") or adam.filter.startswith(
        "optimizer:adam,sgd_momentum"
    )


def test_effects_that_a_caller_has_give_the_same_findings():
    run, _ = designed(Plan(), np.random.default_rng(5))
    studied = study(run, "step_time")
    given = overview(run, figures_of(run.cases), {"step_time": (studied.values, studied.effects)}.get)
    assert given == overview(run)


def test_a_level_without_a_clear_effect_is_no_finding():
    plan = Plan(optimizers=(0.0, 0.0), structures=("plain_d2", "plain_d4", "residual_d2"), interaction=0.0, cell=0.0)
    run, _ = designed(plan, np.random.default_rng(6))
    assert [one for one in overview(run).findings if one.effect.dimension.startswith("optimizer")] == []
