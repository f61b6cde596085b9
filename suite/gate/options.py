"""A gate's options as typed or configured -> one checked value."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from suite.analysis import exact_metrics
from suite.analysis.thresholds import Thresholds, share, thresholds_of
from suite.configuration.values import NOTHING, Configuration, Value, naming_places, texts_of
from suite.gate.arms.spec import ArmSpec, parse
from suite.matrix.profiles import Profile, profile_of
from suite.options import ARM_PARTS, GATE_OPTIONS, default_texts
from suite.records import StepmarkError, WorkerSettings
from suite.runner.settings import MAX_ORDER_SEED

METRICS = ("step_time", *exact_metrics.METRICS)
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")
SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
PLAN_OPTIONS = tuple(option for option in GATE_OPTIONS if option.kind)
"""Options of a run that a gate has too."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """A gate's options, checked.

    Attributes:
        expression: of case ids, as pytest's `-k` takes it.
        budget_s: seconds that it may take.
        workers: settings of both sides' workers.
        records: folder in which a new gate gets a folder.
    """

    baseline: ArmSpec
    candidate: ArmSpec
    profile: Profile
    expression: str
    limits: Thresholds
    memory_tolerance: float
    metrics: tuple[str, ...]
    budget_s: float
    workers: WorkerSettings
    seed: int
    records: Path


def options_of(options: Mapping[str, str | None], configuration: Configuration = NOTHING) -> GateOptions:
    """Options by name as typed, None or absent where not given -> what was asked for.

    The configuration is that of the current folder, for both sides.

    Raises:
        StepmarkError: a value is not allowed, or a file or profile is not there.
    """
    typed = {name: text for name, text in options.items() if text is not None}
    values = configuration.values_of("gate", typed)
    with naming_places(values):
        return checked_options({**default_texts(GATE_OPTIONS), **typed, **texts_of(values)}, values, configuration)


def checked_options(given: Mapping[str, str], values: Mapping[str, Value], configuration: Configuration) -> GateOptions:
    """The options of a gate from their texts; raises as `options_of`."""
    if "baseline" not in given:
        raise StepmarkError(f"--baseline is missing; allowed: {ARM_PARTS}.")
    typed = {option.field: option.parse(given[option.name]) for option in PLAN_OPTIONS if option.name in given}
    seed = typed.pop("order_seed", None)
    return GateOptions(
        baseline=parse(given["baseline"]),
        candidate=parse(given["candidate"]),
        profile=profile_of(values, configuration, "gate", given["profile"]),
        expression=given.get("expression", ""),
        limits=thresholds_of(given["tolerance"], given["margin"], given["alpha"]),
        memory_tolerance=share("memory-tolerance", given["memory-tolerance"]),
        metrics=metrics_of(given["metric"]),
        budget_s=seconds_of(given["budget"]),
        workers=WorkerSettings(**typed),
        seed=random.randint(0, MAX_ORDER_SEED) if seed is None else seed,  # noqa: S311 - an order
        records=configuration.records,
    )


def metrics_of(text: str) -> tuple[str, ...]:
    """Names joined by commas, in the order of `METRICS`.

    Raises:
        StepmarkError: one is not known, or there is none.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in METRICS:
            raise StepmarkError(f"--metric has {name!r}; allowed: {', '.join(METRICS)}, joined by commas.")
    return tuple(name for name in METRICS if name in names)


def seconds_of(text: str) -> float:
    """A duration such as `90s`, `10m`, `1h` in seconds.

    Raises:
        StepmarkError: it is none, or nothing.
    """
    match = DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise StepmarkError(f"--budget is {text!r}; allowed: a duration above 0, such as 90s, 10m or 1h.")
    return seconds
