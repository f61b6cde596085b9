"""The tests that benchmatrix runs: a matrix of one implementation and eight cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmatrix import BenchmarkCase, make_benchmark_test

from rivals.steps import cases, step_of


def made(case_id: str) -> tuple[Callable[[], None]]:
    """The arguments of a case: its step."""
    return (step_of(case_id),)


def step(run: Callable[[], None]) -> None:
    """One training step."""
    run()


test_step = make_benchmark_test(
    {"step": step},
    [BenchmarkCase(case_id, make_args=partial(made, case_id)) for case_id in cases()],
    metrics=["single_call_latency"],
)
