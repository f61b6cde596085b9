"""Two step times of a case: their shares, and whether a process keeps one of them."""

import pytest

from suite.analysis.modes import in_words, is_by_process, slower_by_visit, two_modes

FAST, SLOW = 0.0058, 0.0069


def found(visits):
    """The two step times of turns by visit, and the turns at the slower one."""
    modes = two_modes(turn for turns in visits for turn in turns)
    assert modes is not None
    return modes, slower_by_visit(visits, modes)


def test_the_share_of_turns_at_each_of_two_step_times_is_known():
    modes, slower = found([[FAST] * 31 + [SLOW] * 19, [FAST] * 31 + [SLOW] * 19])
    assert [mode.mean_s for mode in modes] == pytest.approx([FAST, SLOW])
    assert [(mode.turns, mode.share) for mode in modes] == [(62, 0.62), (38, 0.38)]
    assert in_words(modes) == "5.80 ms in 62 % of turns, 6.90 ms in 38 %"
    assert slower == ((19, 50), (19, 50))
    assert not is_by_process(slower)


def test_a_step_time_that_lasts_as_long_as_a_process_is_recognised():
    _, slower = found([[FAST] * 30, [SLOW] * 30, [], [FAST] * 29 + [SLOW]])
    assert slower == ((0, 30), (30, 30), (1, 30))
    assert is_by_process(slower)


@pytest.mark.parametrize("turns", [[FAST] * 60, [FAST] * 10 + [SLOW] * 8, [FAST] * 58 + [SLOW] * 2])
def test_one_step_time_few_turns_or_a_rare_slow_one_are_not_two(turns):
    assert two_modes(turns) is None
