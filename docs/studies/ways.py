"""The ways of measuring that studies compare: the suite's default, a plain one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

from suite.machine.threads import default_threads
from suite.matrix.cases import cases_of
from suite.matrix.profiles import load_profile
from suite.matrix.refusals import refusal
from suite.measuring.instruments import instruments_of
from suite.records import Case, RunPlan, WorkerSettings
from suite.runner.events import Event
from suite.runner.launcher import Launcher
from suite.runner.scheduler import Scheduler
from suite.runner.settings import machine_defaults, plan_and_workers

Way = tuple[RunPlan, WorkerSettings]
WAYS: dict[str, Way] = {
    "default": plan_and_workers(machine_defaults()),
    "one pass, one at a time, default allocator": (
        RunPlan(passes=1, abreast=1),
        WorkerSettings(allocator="default", priority="normal", threads=default_threads()),
    ),
}

T = TypeVar("T")


def measured(way: Way, cases: Sequence[Case], plugins: tuple[str, ...] = ()) -> Iterator[Event]:
    """The events of one run of the cases."""
    plan, workers = way
    with Launcher(workers, plugins) as launcher:
        yield from Scheduler(plan, launcher, instruments=instruments_of(plan, workers)).run(cases)


def wanted(ways: dict[str, T]) -> dict[str, T]:
    """The ways whose titles begin with the variable `WAYS`, all where it is not set."""
    return {title: way for title, way in ways.items() if title.startswith(os.environ.get("WAYS", ""))}


def quick_cases() -> list[Case]:
    """The cases of the quick profile that this machine can run."""
    return [case for case in cases_of(load_profile("quick")) if not refusal(case)]
