"""Environment variables that workers start with."""

from __future__ import annotations

from suite.machine import allocators
from suite.machine.user_account import missing_variables

TRACERS = ("COVERAGE_PROCESS_", "COV_CORE_")
"""Beginnings of variables by which coverage traces each line of a subprocess, so also each step of a worker.

Source: coverage.py, "Measuring subprocesses"; pytest-cov before 7, "Subprocess support".
"""


def worker_environment(allocator: str) -> dict[str, str]:
    """This process's environment with the allocator set, a user and a home, no tracer."""
    variables = {**allocators.environment(allocator), **missing_variables()}
    return {name: value for name, value in variables.items() if not name.startswith(TRACERS)}
