"""Quantiles and histograms of many cases at once are those of each case alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.estimates import quantile
from suite.report.data import QUANTILES, SKETCH_STEP, sketches_of
from suite.report.svg import SPARK_BARS, SPARK_SHARE, histograms

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


def bars_alone(rounds: list[float]) -> list[int]:
    """A case's bars, value by value."""
    low, high = rounds[0], quantile(rounds, SPARK_SHARE)
    last, width = SPARK_BARS - 1, high - low
    bars = [int((value - low) / width * last) if value < high else last for value in rounds]
    return [(bars if high > low else [0] * len(rounds)).count(bar) for bar in range(SPARK_BARS)]


@given(cases=st.lists(ROUNDS, min_size=1, max_size=6))
def test_histograms_of_many_cases_are_those_of_each_alone(cases: list[list[float]]) -> None:
    assert histograms(cases).tolist() == [bars_alone(rounds) for rounds in cases]
