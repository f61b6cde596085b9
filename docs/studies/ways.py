"""The plans that the studies compare: the suite's default, and a plain one."""

from __future__ import annotations

import os
from typing import TypeVar

from suite.machine.threads import default_threads
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.matrix.refusals import refusal
from suite.records import Case, Plan
from suite.runner.settings import machine_defaults

WAYS = {
    "default": Plan(**machine_defaults()),
    "one pass, one at a time, default allocator": Plan(
        passes=1, abreast=1, allocator="default", priority="normal", threads=default_threads()
    ),
}

T = TypeVar("T")


def wanted(ways: dict[str, T]) -> dict[str, T]:
    """The ways whose titles begin with the variable `WAYS`, all where it is not set."""
    return {title: way for title, way in ways.items() if title.startswith(os.environ.get("WAYS", ""))}


def quick_cases() -> list[Case]:
    """The cases of the quick profile that this machine can run."""
    return [case for case in cases_of(load_profile("quick")) if not refusal(case)]
