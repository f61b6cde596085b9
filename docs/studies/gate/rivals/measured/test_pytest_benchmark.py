"""The tests that pytest-benchmark runs: one a case."""

from __future__ import annotations

from typing import Any

import pytest

from rivals.steps import cases, step_of


@pytest.mark.parametrize("case_id", cases())
def test_step(benchmark: Any, case_id: str) -> None:
    """One training step."""
    benchmark(step_of(case_id))
