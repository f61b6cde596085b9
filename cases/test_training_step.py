"""The cost of one training step, for every case of a profile.

Run it with `stepmark run --profile NAME`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from suite.plugin import case, case_id, replay, replay_clock  # closer than fixtures of an outer conftest.py
from suite.records import Case, RunRecord


@pytest.mark.benchmark(timer=replay_clock)
def test_training_step(case: Case, replay: Callable[[Case], RunRecord]) -> None:
    """zero_grad, forward, loss, backward and optimizer step on one batch."""
    assert replay(case).outcome == "measured"
