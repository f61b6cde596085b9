"""The measuring loop, with a step and a clock that cost no time and are exact."""

import gc

import pytest

from suite.contracts.probes import PROBES, STEP_TIME, Probe
from suite.measuring import recorder
from suite.measuring.recorder import record_rounds
from suite.measuring.step import DivergedError
from suite.records import Metric


class Step:
    """Moves its clock by the next of `costs_s` and counts what happens to it."""

    def __init__(self, costs_s):
        self.costs_s = iter(costs_s)
        self.clock = self
        self.now_s = 100.0
        self.events = []
        self.collecting = []
        self.probes = ()
        self.gauges = ()

    def __call__(self):
        self.now_s += next(self.costs_s)
        self.events.append("step")
        self.collecting.append(gc.isenabled())

    def rewind(self):
        self.events.append("rewind")
        return True

    def check(self):
        self.events.append("check")

    def read_s(self):
        self.events.append("clock")
        return self.now_s


@pytest.fixture(autouse=True)
def _collecting():
    """Garbage collection on at the beginning, whatever ran before."""
    gc.enable()


def test_the_values_are_exactly_what_the_clock_said():
    rounds = record_rounds(Step([0.5, 0.25, 2.0]), seconds=0.0, steps_per_round=1, min_rounds=3)
    assert rounds.series[0].metric == STEP_TIME
    assert rounds.step_time == (0.5, 0.25, 2.0)


def test_a_value_is_per_step_where_a_round_holds_several():
    rounds = record_rounds(Step([0.5, 0.25, 0.25, 1.0] * 2), seconds=0.0, steps_per_round=4, min_rounds=2)
    assert rounds.step_time == (0.5, 0.5)


def test_the_step_is_rewound_first_then_timed_and_checked_last():
    step = Step([0.5] * 4)
    record_rounds(step, seconds=0.0, steps_per_round=2, min_rounds=2)
    assert step.events == ["rewind", *["clock", "step", "step", "clock"] * 2, "check"]


def test_rounds_are_taken_until_the_seconds_are_spent(monkeypatch):
    step = Step([0.25] * 100)
    monkeypatch.setattr(recorder, "perf_counter", lambda: step.now_s)
    assert len(record_rounds(step, seconds=2.0, steps_per_round=1, min_rounds=1).step_time) == 8


def test_the_least_number_of_rounds_is_taken_though_the_seconds_are_spent(monkeypatch):
    step = Step([0.25] * 100)
    monkeypatch.setattr(recorder, "perf_counter", lambda: step.now_s)
    assert len(record_rounds(step, seconds=0.5, steps_per_round=1, min_rounds=5).step_time) == 5


def test_every_probe_has_a_value_for_every_round():
    rounds = record_rounds(Step([0.5] * 3), seconds=0.0, steps_per_round=1, min_rounds=3)
    assert [one.metric for one in rounds.series] == [STEP_TIME, *(probe.metric for probe in PROBES)]
    assert {len(one.values) for one in rounds.series} == {3}
    assert all(value >= 0 for one in rounds.series for value in one.values)


def test_a_step_brings_further_probes():
    step = Step([0.5] * 4)
    waited = Metric("data_wait", "s", "lower", "")
    step.probes = (Probe(waited, lambda: step.events.count("step") / 8),)
    rounds = record_rounds(step, seconds=0.0, steps_per_round=2, min_rounds=2)
    assert (rounds.series[-1].metric, rounds.series[-1].values) == (waited, (0.125, 0.125))


def test_a_probe_gives_the_difference_around_a_round_per_step(monkeypatch):
    step = Step([0.5] * 8)
    counter = Probe(
        Metric("steps_seen", "count", "neither", "Steps so far, three times."), lambda: 3 * len(step.collecting)
    )
    monkeypatch.setattr(recorder, "PROBES", (counter,))
    rounds = record_rounds(step, seconds=0.0, steps_per_round=4, min_rounds=2)
    assert rounds.series[1].metric is counter.metric
    assert rounds.series[1].values == (3.0, 3.0)


def test_garbage_collection_rests_during_the_rounds_and_is_back_on_after_them():
    step = Step([0.5] * 3)
    record_rounds(step, seconds=0.0, steps_per_round=1, min_rounds=3)
    assert step.collecting == [False] * 3
    assert gc.isenabled()


def test_garbage_collection_is_back_on_after_an_error():
    class Broken(Step):
        def __call__(self):
            raise ValueError("the step is broken")

    with pytest.raises(ValueError, match="the step is broken"):
        record_rounds(Broken([]), seconds=0.0, steps_per_round=1, min_rounds=1)
    assert gc.isenabled()


def test_a_loss_that_is_no_number_is_passed_on():
    class Diverged(Step):
        def check(self):
            raise DivergedError("the loss is nan")

    with pytest.raises(DivergedError, match="the loss is nan"):
        record_rounds(Diverged([0.5]), seconds=0.0, steps_per_round=1, min_rounds=1)
    assert gc.isenabled()
