"""Quantiles of many cases at once are those of each case alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from suite.report.data import QUANTILES, SKETCH_STEP, sketches_of

ROUNDS = st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=150).map(sorted)


def alone(rounds: list[float]) -> list[float]:
    """Differences of the logs of a case's quantiles, in steps, by numpy's own interpolation."""
    at = np.linspace(0, len(rounds) - 1, QUANTILES)
    logs = np.log(np.interp(at, np.arange(len(rounds)), rounds))
    return np.minimum(np.diff(np.rint((logs - logs[0]) / SKETCH_STEP)), 2**16 - 1).tolist()


@given(cases=st.lists(ROUNDS, min_size=1, max_size=6))
def test_quantiles_of_many_cases_are_those_of_each_alone(cases: list[list[float]]) -> None:
    least, steps = sketches_of(cases)
    assert least.tolist() == [rounds[0] for rounds in cases]
    assert steps.tolist() == [alone(rounds) for rounds in cases]
