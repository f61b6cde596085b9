"""What a step costs beside its time: one survey a file, each with `survey(case) -> series`.

A survey runs in a fresh worker of its own once the passes over its case are done: what it reads or wraps would disturb
rounds that are timed. Whoever imports this package imports no torch; a survey's own module does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from suite.records import Case, Plan, Series

SURVEYS = ("memory", "anatomy", "utilization", "work", "allocator")
"""Names of the surveys, in the order in which cases go through them; requests to workers hold them."""
MODULES = {"anatomy": "breakdown", "work": "roofline"}
"""Name of a survey -> its module, where the two differ."""

Survey = Callable[[Case], tuple[Series, ...]]
"""What is known of a case afterwards. Lengths of its series differ: a value each, or one for each step looked at."""


def surveys_of(plan: Plan) -> tuple[str, ...]:
    """The surveys that a run's cases go through: what the usual allocator costs is asked where workers have it."""
    if plan.surveys == "none":
        return ()
    return tuple(name for name in SURVEYS if name != "allocator" or plan.allocator == "default")


def survey_named(name: str) -> Survey:
    """The survey of that name, its module imported."""
    return cast("Survey", import_module(f"suite.measuring.instruments.{MODULES.get(name, name)}").survey)
