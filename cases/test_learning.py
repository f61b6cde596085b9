"""Whether the cheaper step still learns: training on real digits, with several seeds.

Run it with `stepmark run --profile learning`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from suite.analysis.learning_curves import summary
from suite.plugin import case, case_id, replay, replay_clock  # closer than fixtures of an outer conftest.py
from suite.records import Case, RunRecord


@pytest.mark.learning
@pytest.mark.benchmark(timer=replay_clock)
def test_learning(case: Case, replay: Callable[[Case], RunRecord], benchmark: Any) -> None:
    """One epoch a round; the test accuracy goes into pytest-benchmark's record."""
    record = replay(case)
    assert record.outcome == "measured"
    benchmark.extra_info["learning"] = summary(record.measurement)
