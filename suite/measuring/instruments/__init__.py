"""Instruments: costs of a step other than time; one file each, `measure(case)`.

An instrument runs in a fresh worker after the passes over its case, because it would disturb rounds that are timed.
Importing this package imports no torch; the modules of instruments do.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from suite.records import Case, RunPlan, Series, WorkerSettings

INSTRUMENTS = ("memory", "anatomy", "utilization", "work", "allocator")
"""Names of the instruments, in the order in which they run; requests to workers contain them."""
MODULES = {"anatomy": "breakdown", "work": "roofline"}
"""Name of an instrument -> its module, where the two differ."""

Instrument = Callable[[Case], tuple[Series, ...]]
"""Measures a case. Its series have different lengths: one value, or one for each step that it measured."""


def instruments_of(plan: RunPlan, workers: WorkerSettings) -> tuple[str, ...]:
    """Instruments that a run uses; `allocator` only if workers have glibc's default."""
    if plan.surveys == "none":
        return ()
    return tuple(name for name in INSTRUMENTS if name != "allocator" or workers.allocator == "default")


def instrument_named(name: str) -> Instrument:
    """Import an instrument by its name."""
    return cast("Instrument", import_module(f"suite.measuring.instruments.{MODULES.get(name, name)}").measure)
