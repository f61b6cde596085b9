"""Two step times of a case: their sizes, their shares, and whether a process keeps one of them."""

import pytest

from suite.analysis.bimodality import two_modes
from suite.analysis.issue import BIMODAL
from suite.analysis.validity import issues
from tests.analysis.test_validity import made

FAST, SLOW = 0.0058, 0.0069


def test_the_share_of_turns_at_each_of_two_step_times_is_known():
    found = two_modes(made([[FAST] * 31 + [SLOW] * 19, [FAST] * 31 + [SLOW] * 19]))
    assert found is not None
    assert (found.lower_s, found.upper_s) == pytest.approx((FAST, SLOW))
    assert (found.lower_turns, found.upper_turns, found.lower_share) == (62, 38, 0.62)
    assert found.apart == pytest.approx(SLOW / FAST - 1)
    assert found.upper_by_visit == ((19, 50), (19, 50))
    assert not found.is_by_process


def test_a_level_that_lasts_as_long_as_a_process_is_recognised():
    found = two_modes(made([[FAST] * 30, [SLOW] * 30, [FAST] * 30]))
    assert found is not None
    assert found.is_by_process
    assert found.upper_by_visit == ((0, 30), (30, 30), (0, 30))


@pytest.mark.parametrize("levels", [[FAST] * 60, [FAST] * 10 + [SLOW] * 8, [FAST] * 58 + [SLOW] * 2])
def test_one_step_time_few_turns_or_a_rare_slow_one_are_not_two(levels):
    assert two_modes(made([levels])) is None


def test_the_issue_says_the_same_in_words():
    both = made([[FAST] * 30 + [SLOW] * 20])
    (issue,) = issues(both)
    assert (issue.kind, issue.text) == (BIMODAL, "its step time is 5.80 ms in 30 turns and 6.90 ms in 20")
