"""Intervals hold a run's truth as often as they say, on machines unlike each other; processes that differ widen them.

`make coverage` has the whole table.
"""

import math
import random
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from suite.analysis.estimates import estimate, kept_rounds
from suite.analysis.intervals import estimates
from suite.analysis.variance_pooling import (
    between_variance,
    digamma,
    prior_degrees,
    tetragamma,
    trigamma,
    trigamma_inverse,
)
from suite.gate.deciding.statistics.moderation import prior
from suite.records import RunRecord
from tests.fakes.machines import MACHINES, Setting, measured, record, share

RUNS = {1: 120, 4: 40, 24: 8}


def held(setting: Setting, runs: int) -> float:
    """Share of the intervals of so many runs that hold the run's truth."""
    shares = []
    for number in range(runs):
        records, truth = measured(setting, np.random.default_rng([number, setting.cases]))
        shares.append(share(truth, [(one.low, one.high) for one in estimates(records).values()]))
    return sum(shares) / runs


@pytest.mark.parametrize("cases", RUNS)
@pytest.mark.parametrize("machine", MACHINES)
def test_intervals_hold_the_truth_of_the_run_where_processes_differ_by_1p5_percent(machine, cases):
    """Wanted: 93 to 97 %; 120 to 192 intervals have a standard error of 1.5 to 2 %. With turns as the replicate they
    held it in 73 to 94 %.
    """
    assert held(Setting(machine, cases, between=0.015), RUNS[cases]) >= 0.89


def test_intervals_hold_it_where_processes_differ_as_they_were_measured_to():
    assert 0.93 <= held(Setting(between=0.007), 30) <= 0.99


def test_an_interval_of_turns_alone_would_not():
    shares = []
    for number in range(8):
        records, truth = measured(Setting(between=0.015), np.random.default_rng(number))
        bounds = [estimate(kept_rounds(one.measurement)) for one in records]
        shares.append(share(truth, [(one.low, one.high) for one in bounds]))
    assert sum(shares) / len(shares) < 0.85


def test_processes_that_do_not_differ_widen_the_intervals_of_many_cases_by_a_quarter_at_most():
    records, _ = measured(Setting(), np.random.default_rng(1))
    typical = median(one.precision for one in estimates(records).values())
    assert typical <= 1.25 * 1.96 * 1.2533 * 0.04 / math.sqrt(120)


def test_the_median_is_that_of_all_kept_rounds_whatever_the_other_cases():
    records, _ = measured(Setting("spells of 3 s, 30 %, +15 %", cases=8), np.random.default_rng(2))
    alone, together = estimates(records[:1])["c0-sgd-cpu"], estimates(records)["c0-sgd-cpu"]
    assert alone.median == together.median == median(records[0].measurement.values("step_time"))
    assert alone.rounds == together.rounds == 120


def test_the_interval_of_one_case_is_wider_than_among_others_and_never_that_of_its_turns_alone():
    records, _ = measured(Setting(between=0.0), np.random.default_rng(3))
    turns = median(estimate(kept_rounds(one.measurement)).precision for one in records)
    alone = median(estimates([one])[one.case.id].precision for one in records)
    assert alone > turns
    assert alone > median(one.precision for one in estimates(records).values())


def test_one_visit_allows_for_processes_by_what_is_known_of_others():
    quiet = Setting(own=0.0005, passes=1, cases=1)
    (found,) = estimates(measured(quiet, np.random.default_rng(4))[0]).values()
    assert 0.01 < found.precision < 0.04


def test_visits_that_do_not_overlap_are_replicates():
    """Rounds of one process that hardly differ say nothing of another: three processes, 2 % apart."""
    levels = np.exp(np.array([[-0.02], [0.0], [0.02]]) + np.random.default_rng(5).normal(0.0, 1e-4, (3, 40)))
    (found,) = estimates([record("c0", levels, [0.0, 10.0, 20.0])]).values()
    assert found.low < 0.98
    assert found.high > 1.02


def test_a_change_of_all_cases_between_windows_does_not_widen_intervals():
    """The machine's level in a window is part of the truth of the run, as far as each case was there."""
    records, _ = measured(Setting(cases=8), np.random.default_rng(6))
    stepped = [
        RunRecord(one.case, one.outcome, measurement=scaled(one, [1.0, 1.1, 0.9] if one.outcome else []))
        for one in records
    ]
    before, after = estimates(records), estimates(stepped)
    assert median(one.precision for one in after.values()) < 2.5 * median(one.precision for one in before.values())


def scaled(one: RunRecord, factors: list[float]):
    """A case whose visits are longer by these factors."""
    measurement = one.measurement
    per_visit = measurement.visits[0].rounds
    values = [value * factors[place // per_visit] for place, value in enumerate(measurement.values("step_time"))]
    return replace(measurement, series=(replace(measurement.series[0], values=tuple(values)),))


def test_a_case_that_failed_is_judged_alone_and_one_without_rounds_not_at_all():
    records, _ = measured(Setting(cases=6), np.random.default_rng(7))
    failed = replace(records[0], outcome="failed", reason="it was killed")
    empty = RunRecord(replace(records[0].case, seed=9), "skipped", "no CUDA device")
    found = estimates([failed, *records[1:], empty])
    assert set(found) == {one.case.id for one in records}
    assert found["c0-sgd-cpu"] == estimates(records[:1])["c0-sgd-cpu"]
    assert estimates([]) == {}


@settings(deadline=None, max_examples=25)
@given(power=st.integers(-20, 20), seed=st.integers(0, 99), cases=st.integers(1, 6))
def test_intervals_scale_with_the_step_times(power, seed, cases):
    before, _ = measured(Setting(cases=cases, turns=10), np.random.default_rng(seed))
    after, _ = measured(Setting(cases=cases, turns=10, stretch=2.0**power), np.random.default_rng(seed))
    for one, other in zip(estimates(before).values(), estimates(after).values(), strict=True):
        for end in ("low", "median", "high"):
            assert getattr(other, end) == pytest.approx(math.ldexp(getattr(one, end), power), rel=1e-9)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), cases=st.integers(1, 6), passes=st.integers(1, 5))
def test_an_interval_does_not_depend_on_the_order_of_visits_or_cases(seed, cases, passes):
    records, _ = measured(
        Setting("slow: 100 s, 6 %", cases, 0.01, passes=passes, turns=12), np.random.default_rng(seed)
    )
    order = random.Random(seed)
    turned = [reordered(one, order.sample(range(passes), passes)) for one in order.sample(records, cases)]
    before, after = estimates(records), estimates(turned)
    for case_id, one in before.items():
        assert (after[case_id].low, after[case_id].high) == pytest.approx((one.low, one.high), rel=1e-6)


def reordered(one: RunRecord, order: list[int]) -> RunRecord:
    """A case whose visits stand in another order."""
    rounds = np.array(one.measurement.by_visit("step_time"))[order]
    visits = [one.measurement.visits[place] for place in order]
    made = record("c", rounds, [0.0] * len(order)).measurement
    return RunRecord(one.case, "measured", measurement=replace(made, visits=tuple(visits)))


@settings(deadline=None, max_examples=40)
@given(
    parts=st.lists(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=9), min_size=1, max_size=4),
    cases=st.integers(1, 3),
)
def test_any_rounds_have_an_interval_around_their_median(parts, cases):
    width = min(map(len, parts))
    records = [
        record(f"c{case}", np.array([part[:width] for part in parts]), [0.0] * len(parts)) for case in range(cases)
    ]
    for found in estimates(records).values():
        assert 0 <= found.low <= found.median <= found.high


@pytest.mark.parametrize("value", [0.1, 0.5, 1.0, 2.5, 7.9, 8.0, 30.0])
def test_derivatives_of_the_gamma_function_agree_with_scipy(value):
    assert digamma(value) == pytest.approx(special.digamma(value), rel=1e-8, abs=1e-8)
    assert trigamma(value) == pytest.approx(special.polygamma(1, value), rel=1e-8)
    assert tetragamma(value) == pytest.approx(special.polygamma(2, value), rel=1e-7)
    assert trigamma_inverse(trigamma(value)) == pytest.approx(value, rel=1e-8)


def test_pooling_agrees_with_that_of_the_gate():
    source = np.random.default_rng(8)
    for spread in (0.3, 1.0):
        variances = source.chisquare(2, 24) * np.exp(source.normal(0.0, spread, 24))
        degrees, _ = prior(variances, np.full(24, 2.0))
        assert prior_degrees(list(variances), [2.0] * 24) == pytest.approx(float(degrees), rel=1e-6)
    assert prior_degrees([1.0, 2.0], [2.0, 2.0]) == math.inf


def test_the_variance_between_visits_is_what_rounds_do_not_explain():
    source, within = np.random.default_rng(9), 1e-4
    own = list((within + 4e-4) * source.chisquare(2, 5000) / 2)
    assert between_variance(own, [within] * 5000, [2.0] * 5000, 1e-6, 2.0) == pytest.approx(4e-4, rel=0.1)
    assert between_variance([0.0], [within], [0.0], 5e-5, 2.0) == pytest.approx(5e-5, rel=1e-6)
