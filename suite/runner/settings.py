"""Options as typed become one frozen value; a wrong one is one sentence."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.configuration.values import NOTHING, Configuration, naming_places, parsed, texts_of
from suite.machine import device_facts
from suite.machine.cgroups import memory_limit, memory_room
from suite.machine.readings import known
from suite.machine.threads import default_threads
from suite.matrix.profiles import OWN_PROFILES, Profile, load_profile, profile_of, with_structures
from suite.matrix.refusals import refusal
from suite.options import PLAN_OPTIONS, refuse_with_resume
from suite.provenance.environment import available_bytes
from suite.records import Case, Run, RunPlan, StepmarkError, WorkerSettings
from suite.records.store import read_run
from suite.records.values import WORKER_FIELDS
from suite.registry import EXECUTIONS

MAX_ORDER_SEED = 2**32 - 1
WORKER_BYTES = 3 * 2**28
"""Memory planned for one worker, without what it shares with the others; a resnet18 with Adam takes half of it."""
WORKER_DEVICE_BYTES = 3 * 2**29
"""Memory of a device planned for one worker: its context, the kernels of libraries, and what torch's allocator keeps
between turns."""
INSTRUMENT_DEVICE_BYTES = 3 * 2**30
"""The same for the blocks of an instrument's ceilings."""
MOST_INTERLEAVED = 32
"""Most workers that take turns: theirs are then some ten seconds apart, and the machine drifts little in between."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a run, resolved.

    Attributes:
        resume: the interrupted run to go on with, as read, and its folder.
        folder: where to write; None for a new folder under `reports/runs`.
        keeps_abreast: whether option, profile or file say how many workers take turns.
    """

    profile: Profile
    plan: RunPlan
    workers: WorkerSettings
    shard: str | None
    folder: Path | None
    resume: Run | None = None
    keeps_abreast: bool = False


def resolve_options(
    options: Mapping[str, str | None], machine: Mapping[str, int], configuration: Configuration = NOTHING
) -> Settings:
    """The settings that options give, and below them variables, profile and file.

    Args:
        options: text as typed, by name; None or absent if not given.
        machine: defaults of this machine for `threads` and `abreast`, below all others.
        configuration: of the current folder. A resumed run keeps its first options instead.

    Raises:
        StepmarkError: a value is not allowed, a file or profile is not there, or options contradict each other.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "resume" in given:
        return resolve_resumed(given, configuration)
    values = configuration.values_of("run", given)
    with naming_places(values):
        profile = profile_of(values, configuration)
        typed = parsed(values, PLAN_OPTIONS.values(), of_file=False)
        general = parsed(values, PLAN_OPTIONS.values(), of_file=True)
    defaults = {**machine, "order_seed": random.randint(0, MAX_ORDER_SEED)}  # noqa: S311 - an order
    asked = {**general, **profile.plan, **typed}
    plan, workers = plan_and_workers({**defaults, **asked})
    texts = texts_of(values)
    folder = Path(texts["record"]) if "record" in texts else None
    return Settings(profile, plan, workers, texts.get("shard"), folder, keeps_abreast="abreast" in asked)


def fitted_to_devices(settings: Settings, cases: Iterable[Case]) -> Settings:
    """The settings with no more workers at a time than fit on the cases' devices.

    A number that was asked for stays.
    """
    fitting = workers_on_device()
    if settings.keeps_abreast or fitting is None or fitting >= settings.plan.abreast:
        return settings
    if not any(EXECUTIONS[case.execution].strategy.device_type() == "cuda" and not refusal(case) for case in cases):
        return settings
    return replace(settings, plan=replace(settings.plan, abreast=fitting))


def workers_on_device() -> int | None:
    """Workers that a device has room for; None without a device, or if unknown.

    An instrument's worker runs while the others wait.
    """
    if device_facts.are_exclusive():
        return 1
    free = device_facts.free_bytes()
    return None if free is None else workers_in(free)


def workers_in(free_bytes: int) -> int:
    """Workers that the free memory of a device has room for, one at least."""
    return max(1, (free_bytes - INSTRUMENT_DEVICE_BYTES) // WORKER_DEVICE_BYTES)


def plan_and_workers(values: Mapping[str, Any]) -> tuple[RunPlan, WorkerSettings]:
    """The plan and the worker settings that values by field make; others are defaults."""
    of_workers = {name: value for name, value in values.items() if name in WORKER_FIELDS}
    of_run = {name: value for name, value in values.items() if name not in WORKER_FIELDS}
    return RunPlan(**of_run), WorkerSettings(**of_workers)


def workers_here(configuration: Configuration) -> WorkerSettings:
    """The settings of a run's workers that hold in a folder, whatever the profile.

    Raises:
        StepmarkError: a value is not allowed.
    """
    values = configuration.values_of("run")
    with naming_places(values):
        options = PLAN_OPTIONS.values()
        general, of_environment = parsed(values, options, of_file=True), parsed(values, options, of_file=False)
    return plan_and_workers({**machine_defaults(), **general, **of_environment})[1]


def machine_defaults() -> dict[str, int]:
    """Fields whose default depends on this machine: `threads` and `abreast`."""
    return {"threads": default_threads(), "abreast": workers_in_memory()}


def workers_in_memory() -> int:
    """Workers that fit in memory, up to `MOST_INTERLEAVED`.

    The plan's default if memory is unknown.
    """
    limits = (known("environment.memory_available_bytes", available_bytes), memory_limit(), memory_room())
    known_bytes = [limit for limit in limits if limit is not None]
    return max(1, min(MOST_INTERLEAVED, min(known_bytes) // WORKER_BYTES)) if known_bytes else RunPlan().abreast


def resolve_resumed(given: Mapping[str, str], configuration: Configuration) -> Settings:
    """The settings of an interrupted run; `--resume` allows no other option.

    Args:
        given: texts by name of option, as typed.
        configuration: of the current folder, for its plug-ins.
    """
    refuse_with_resume(f"--{name}" for name in given if name != "resume")
    folder = Path(given["resume"])
    run = read_run(folder)
    if run.footer is not None:
        raise StepmarkError(
            f"{folder} is complete, finished at {run.footer.finished_at}; start a new run without --resume."
        )
    selection: dict[str, Any] = run.header.selection
    if "profile" not in selection:
        raise StepmarkError(f"{folder} cannot be resumed, since its header names no profile; start a new run.")
    profiles_file = selection.get("profiles_file", selection.get("profiles"))  # the latter in the first records
    with_plugins = configuration if selection.get("plugins") else NOTHING
    profile = load_profile(selection["profile"], profiles_file or OWN_PROFILES, with_plugins)
    profile = with_structures(profile, selection.get("structures", ()))
    return Settings(profile, run.header.plan, run.header.workers, selection.get("shard"), folder, run)
