"""What a step costs beside its time: one survey a file, each with `survey(case) -> series`.

A survey runs in a fresh worker of its own once the passes over its case are done: what it reads or wraps would disturb
rounds that are timed. Whoever imports this package imports no torch; a survey's own module does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from suite.records import Case, Series

SURVEYS = ("memory", "anatomy", "utilization", "work")
"""Names of the modules of this package, in the order in which cases go through them."""

Survey = Callable[[Case], tuple[Series, ...]]
"""What is known of a case afterwards. Lengths of its series differ: a value each, or one for each step looked at."""


def survey_named(name: str) -> Survey:
    """The survey of that name, its module imported."""
    return cast("Survey", import_module(f"suite.surveys.{name}").survey)
