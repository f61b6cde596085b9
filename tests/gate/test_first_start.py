"""Reasons why a baseline cannot make a case."""

import pytest

from suite.gate.measuring.first_start import Started
from suite.records import Case

TOKENS = Case("transformer_d2w64h4", "adamw", "cpu", task="next_token")
LEVELS = {"structure": ("transformer_d2w64h4",), "optimizer": ("adamw",), "execution": ("cpu",)}


def reason(case: Case, levels: dict[str, tuple[str, ...]] | None) -> str:
    """Why a baseline that reports these levels cannot make a case."""
    return Started({}, ("2.11.0", "2.11.0"), {}, levels).reason(case)


@pytest.mark.parametrize("levels", [None, LEVELS])
def test_a_baseline_from_before_a_factor_cannot_make_a_case_with_another_level_of_it(levels):
    assert reason(TOKENS, levels) == "the baseline's stepmark has no factor task, and this case has next_token"
    assert reason(Case("transformer_d2w64h4", "adamw", "cpu"), levels) == ""


def test_a_baseline_that_lacks_a_level_of_a_task_is_named_with_it():
    assert reason(TOKENS, {**LEVELS, "task": ("classify", "next_token")}) == ""
    assert reason(TOKENS, {**LEVELS, "task": ("classify",)}) == "the baseline has no task 'next_token'"
