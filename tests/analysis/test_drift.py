"""For comparisons between cases: what slows all alike is removed from each, what a case does by itself stays."""

import math
import random
from dataclasses import replace
from statistics import median, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.drift import MIN_OTHERS, MIN_TURNS, coefficient, median_without, without_drift
from suite.analysis.estimates import estimate, kept_rounds
from suite.contracts.probes import STEP_TIME
from suite.records import Case, Measurement, Metric, RunRecord, Series, Visit
from tests.fakes.machines import MACHINES, Setting, measured

CPU = Metric("cpu_time", "s", "lower", "")


def record(name: str, visits: list[list[float]]) -> RunRecord:
    """A case whose turns have one round each, visit by visit."""
    values = tuple(value for visit in visits for value in visit)
    made = tuple(
        Visit(index, (1,) * len(turns), 3, 1, 100.0 * index, 1.0, 0.1, "time", None, True)
        for index, turns in enumerate(visits)
    )
    series = (Series(STEP_TIME, values), Series(CPU, values))
    return RunRecord(Case(name, "sgd", "cpu"), "measured", measurement=Measurement(series, (), made))


def run(source: random.Random, cases: int, turns: int, *, machine: float, own: float) -> list[RunRecord]:
    """Cases of 1, 2, 3 ... s in three passes: the machine's speed varies between turns, and each case's in addition.

    Both are standard deviations of the log.
    """
    speeds = [[source.gauss(0.0, machine) for _ in range(turns)] for _ in range(3)]
    return [
        record(f"c{number}", [[number * math.exp(s + source.gauss(0.0, own)) for s in visit] for visit in speeds])
        for number in range(1, cases + 1)
    ]


def medians(records: list[RunRecord]) -> list[float]:
    return [estimate(kept_rounds(one.measurement)).median for one in records]


def errors(records: list[RunRecord]) -> list[float]:
    return [math.log(value / number) for number, value in enumerate(medians(records), 1)]


def test_a_slowdown_of_all_cases_is_corrected():
    made = run(random.Random(3), 12, 40, machine=0.15, own=0.04)
    before, after = errors(made), errors(without_drift(made))
    differences = [[a - b for a in found for b in found if a < b] for found in (before, after)]
    assert stdev(differences[1]) < stdev(differences[0]) / 2
    assert stdev(after) < 0.01, "what is left is the middle speed of the run, which all cases share"


@pytest.mark.parametrize(
    ("share", "slowdown", "beside"),
    [
        (0.1, 0.25, 0.0),
        (0.2, 0.25, 0.0),
        (0.3, 0.25, 0.0),
        (0.3, 0.25, 0.04),
        (0.3, 0.1, 0.02),
    ],
)
def test_a_case_that_follows_the_machine_through_slow_spells_follows_it_wholly(share, slowdown, beside):
    """Own noise 4 %, others' median 1 %: with each series clipped by itself the coefficients were 1.03 to 1.5."""
    found = []
    for seed in range(5):
        source = random.Random(seed)
        speeds = [math.log1p(slowdown) * (source.random() < share) + source.gauss(0.0, beside) for _ in range(120)]
        moments = [(0, 0.0, turn) for turn in range(120)]
        own = {moment: speed + source.gauss(0.0, 0.04) for moment, speed in zip(moments, speeds, strict=True)}
        others = {moment: speed + source.gauss(0.0, 0.01) for moment, speed in zip(moments, speeds, strict=True)}
        found.append(coefficient(own, others))
    assert 0.9 <= median(found) <= 1.05


@pytest.mark.parametrize("machine", MACHINES)
def test_differences_between_cases_are_no_less_steady_on_any_machine(machine):
    """Root mean square of the cases about their common level, over 3 runs of 24."""
    before, after = [], []
    for seed in range(3):
        records, _ = measured(Setting(machine), np.random.default_rng(seed))
        for found, made in ((before, records), (after, without_drift(records))):
            logs = [math.log(value) for value in medians(made)]
            found += [one - median(logs) for one in logs]
    assert rms(after) <= 1.15 * rms(before), "of 72 cases; the correction itself is known as well as the others are"


def rms(values: list[float]) -> float:
    return math.sqrt(sum(value**2 for value in values) / len(values))


def test_a_case_that_does_not_follow_the_machine_is_left_alone():
    source = random.Random(2)
    moments = [(0, 0.0, turn) for turn in range(120)]
    own = {moment: source.gauss(0.0, 0.04) for moment in moments}
    others = {moment: math.log1p(0.25) * (source.random() < 0.3) for moment in moments}
    assert coefficient(own, others) < 0.1


def test_turns_of_a_replaced_worker_are_paired_with_those_of_the_same_seconds():
    made = run(random.Random(17), 8, 40, machine=0.2, own=0.02)
    late = made[0].measurement
    visit = replace(late.visits[0], turns=(1,) * 25, first_turn=15)
    series = tuple(replace(one, values=one.values[15:]) for one in late.series)
    replaced = replace(made[0], measurement=replace(late, series=series, visits=(visit, *late.visits[1:])))
    spread = [
        stdev(math.log(value) for value in without_drift([one, *made[1:]])[0].measurement.values("step_time"))
        for one in (replaced, replace(replaced, measurement=unplaced(replaced.measurement)))
    ]
    assert spread[0] < 0.7 * spread[1]


def unplaced(measurement: Measurement) -> Measurement:
    """A measurement as older records give it: turns are counted from the worker's own first."""
    return replace(measurement, visits=tuple(replace(visit, first_turn=0) for visit in measurement.visits))


def test_cases_that_vary_each_by_itself_keep_their_medians():
    made = run(random.Random(5), 12, 40, machine=0.0, own=0.15)
    moved = [math.log(a / b) for a, b in zip(medians(without_drift(made)), medians(made), strict=True)]
    assert max(map(abs, moved)) < 0.02


def test_a_change_of_one_case_alone_is_not_corrected():
    steady = [record(f"c{number}", [[1.0] * 20]) for number in range(6)]
    jumps = record("jumps", [[1.0] * 10 + [2.0] * 10])
    assert without_drift([*steady, jumps])[-1] == jumps


@pytest.mark.parametrize(("cases", "turns"), [(MIN_OTHERS, 40), (12, MIN_TURNS // 3)])
def test_too_few_other_cases_or_turns_correct_nothing(cases, turns):
    made = run(random.Random(7), cases, turns, machine=0.2, own=0.05)
    assert without_drift(made) == made


def test_cases_of_other_minutes_do_not_correct_a_case():
    made = run(random.Random(9), 12, 40, machine=0.2, own=0.05)
    apart = [
        RunRecord(one.case, "measured", measurement=moved(one.measurement, 1000.0 * number))
        for number, one in enumerate(made)
    ]
    assert without_drift(apart) == apart


def moved(measurement: Measurement, seconds: float) -> Measurement:
    visits = tuple(
        Visit(one.index, one.turns, 3, 1, one.started_s + seconds, 1.0, 0.1, "time", None, True)
        for one in measurement.visits
    )
    return Measurement(measurement.series, (), visits)


def test_only_step_times_change_and_only_those_of_measured_cases():
    made = run(random.Random(11), 8, 40, machine=0.2, own=0.05)
    others = [
        RunRecord(Case("s", "sgd", "cuda"), "skipped", "no CUDA device"),
        RunRecord(Case("f", "sgd", "cpu"), "failed"),
    ]
    found = without_drift([*made, *others])
    assert found[-2:] == others
    for before, after in zip(made, found, strict=False):
        assert after.measurement.values("cpu_time") == before.measurement.values("cpu_time")
        assert after.measurement.values("step_time") != before.measurement.values("step_time")
        assert after.measurement.visits == before.measurement.visits


def test_learning_cases_are_neither_corrected_nor_used_to_correct_others():
    made = run(random.Random(15), 12, 40, machine=0.2, own=0.05)
    learning = [replace(one, case=replace(one.case, mode="learn")) for one in made]
    assert without_drift(learning) == learning
    assert without_drift([*made[:MIN_OTHERS], *learning[MIN_OTHERS:]])[0] == made[0]


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), chosen=st.integers(0, 19))
def test_the_median_without_one_is_that_of_the_rest(values, chosen):
    ordered = sorted(values)
    chosen %= len(ordered)
    rest = ordered[:chosen] + ordered[chosen + 1 :]
    assert median_without(ordered, ordered[chosen]) == pytest.approx(median(rest))


def on_device(one: RunRecord) -> RunRecord:
    """The record of a case on a device."""
    return replace(one, case=replace(one.case, execution="cuda"), attributes={"execution": {"device": "cuda"}})


def test_a_slowdown_of_the_host_alone_does_not_change_cases_on_a_device():
    """Eight cases on each; in a third of the turns the host is half as fast."""
    slow = [0.0 if turn % 3 else 0.7 for turn in range(40)]
    source = random.Random(5)

    def cases(speeds: list[float]) -> list[RunRecord]:
        rows = [[[speed + source.gauss(0.0, 0.01) for speed in speeds] for _ in range(3)] for _ in range(8)]
        return [
            record(f"c{number}", [[math.exp(level) for level in visit] for visit in visits])
            for number, visits in enumerate(rows)
        ]

    host, device = cases(slow), [on_device(one) for one in cases([0.0] * 40)]
    together = without_drift([*host, *device])
    assert together == [*without_drift(host), *without_drift(device)]
    spread = [stdev(math.log(value) for value in one.measurement.series[0].values) for one in together]
    assert max(spread) < 0.02
