"""The rounds that count are chosen once, and figures that the caller has change no step time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.case_figures import figures_of, kept_values, steady_step_times
from suite.analysis.estimates import Kept, kept_rounds
from tests.fakes.machines import Setting, measured
from tests.fakes.made_runs import METRICS as MADE
from tests.fakes.made_runs import large_run, measurement, quick_run, visit

METRICS = (*MADE, "not_taken")
TURNS = st.lists(st.lists(st.tuples(st.floats(1e-6, 10.0), st.booleans()), max_size=4), min_size=1, max_size=6)


def made(turns):
    """A case of two visits with these turns, of step time and whether the round was disturbed."""
    half = len(turns) // 2
    visits = [visit(index, list(map(len, part))) for index, part in enumerate((turns[:half], turns[half:]))]
    rounds = [one for turn in turns for one in turn]
    return measurement([step_s for step_s, _ in rounds], visits, queued=[waits for _, waits in rounds])


@given(turns=TURNS)
def test_every_metric_has_the_rounds_that_were_chosen_once(turns):
    found = made(turns)
    kept = Kept.of(found)
    assert kept.turns == kept_rounds(found)
    assert kept.ordered == sorted(kept_values(found))
    assert [kept.values(metric) for metric in METRICS] == [kept_values(found, metric) for metric in METRICS]


@given(turns=TURNS)
def test_turns_with_factors_have_the_same_rounds(turns):
    kept = Kept.of(made(turns))
    factors = [1 + place / 8 for place in range(len(kept.turns))]
    scaled = kept.scaled(factors)
    assert scaled.turns == [[value * by for value in turn] for turn, by in zip(kept.turns, factors, strict=True)]
    assert scaled.values("cpu_time") == kept.values("cpu_time")


@pytest.mark.parametrize(
    "records",
    [quick_run().cases, large_run(40).cases, measured(Setting(cases=6, between=0.01), np.random.default_rng(3))[0]],
    ids=["with failed cases", "without drift", "with drift"],
)
def test_step_times_without_drift_are_the_same_whether_figures_are_known_or_not(records):
    figures = figures_of(records)
    assert steady_step_times(records, figures) == steady_step_times(records)
    some = dict(list(figures.items())[::2])
    assert steady_step_times(records, some) == steady_step_times(records)
