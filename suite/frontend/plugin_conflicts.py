"""Options of other pytest plug-ins that prevent measuring or replaying cases."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from suite.provenance.installation import is_installed

FORBIDDEN = {
    "forked": "would replay each case in a process from which pytest-benchmark gets no rounds",
    "codspeed": "takes the fixture `benchmark` for a clock other than the cases'",
}
"""Flags that are refused, and their effect."""
WORKER_OF_XDIST = "PYTEST_XDIST_WORKER"
"""Variable in the processes in which pytest-xdist runs tests, and in those that these start."""


def refusal(option: Callable[[str], Any], *, is_worker: bool) -> str:
    """Reason why this session cannot measure cases, as a sentence; empty if it can.

    Args:
        option: the value of an option by its name; None where no plug-in has such.
        is_worker: whether pytest-xdist started this process to run tests.
    """
    for name, reason in FORBIDDEN.items():
        if option(name):
            return f"--{name} {reason}; leave it out."
    if option("benchmark_skip") is None:
        return "the cases need pytest-benchmark, which is not loaded; leave -p no:benchmark out."
    if option("benchmark_histogram") and not is_installed("pygal"):
        return "--benchmark-histogram needs pygal, which is not installed; pip install 'stepmark[histogram]'."
    if how := side_by_side(option, is_worker=is_worker):
        return f"{how} runs cases at the same time, so that they would slow each other; leave it out, or add -n 0."
    return ""


def side_by_side(option: Callable[[str], Any], *, is_worker: bool) -> str:
    """The option that makes pytest-xdist run tests in parallel; empty for none.

    Source: pytest-xdist 3.8.0, `xdist.plugin.pytest_cmdline_main`, which turns every other spelling into `--dist`.
    """
    if option("numprocesses"):
        return "-n"
    if (dist := option("dist")) not in (None, "no"):
        return f"--dist {dist}"
    return f"pytest-xdist ({WORKER_OF_XDIST})" if is_worker or WORKER_OF_XDIST in os.environ else ""
