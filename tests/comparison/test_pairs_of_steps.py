"""Sizes of changes in words, and the probability that a step is slower."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.magnitude import bounds_in_words, magnitude
from suite.analysis.thresholds import Thresholds
from suite.comparison.superiority import in_words, of_100_pairs, share_of_slower_steps

STEPS = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]), min_size=1, max_size=8).map(sorted)


@given(STEPS, STEPS)
def test_the_share_is_that_of_all_pairs_with_ties_by_half(baseline, candidate):
    pairs = [(first, second) for first in baseline for second in candidate]
    wins = sum(second > first for first, second in pairs) + sum(second == first for first, second in pairs) / 2
    assert share_of_slower_steps(baseline, candidate, 0.0) == pytest.approx(wins / len(pairs))


@given(STEPS, STEPS)
def test_the_other_way_round_is_the_rest(baseline, candidate):
    there, back = share_of_slower_steps(baseline, candidate, 0.0), share_of_slower_steps(candidate, baseline, 0.0)
    assert there is not None
    assert back == pytest.approx(1 - there)


def test_the_common_change_does_not_make_a_step_slower():
    assert share_of_slower_steps([1.0, 2.0], [2.0, 4.0], 1.0) == 0.5
    assert share_of_slower_steps([], [1.0], 0.0) is None


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0"), (0.001, "1"), (0.5, "50"), (0.834, "83"), (0.9999, "99"), (1.0, "100")]
)
def test_all_pairs_are_called_all_only_if_they_are(share, said):
    assert of_100_pairs(share) == f"{said} of 100"
    assert in_words(share) == f"a step of the candidate is slower than one of the baseline in {said} of 100 pairs"


def test_a_change_has_a_size_in_words_and_the_words_have_bounds():
    limits = Thresholds()
    sizes = [magnitude(change, limits) for change in (0.01, -0.01, 0.03, -0.05, 0.2, -0.21, float("inf"))]
    assert sizes == ["within tolerance", "within tolerance", "small", "small", "medium", "large", "large"]
    assert magnitude(float("nan"), limits) is None
    assert bounds_in_words(limits) == "within tolerance: up to 1 %; small: up to 5 %; medium: up to 20 %; large: more"
    assert "small: up to 9 %; medium: up to 36 %" in bounds_in_words(Thresholds(margin=0.09))
