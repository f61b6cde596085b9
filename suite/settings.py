"""Options become one frozen value at the border; what is wrong with them is one sentence."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.allocators import ALLOCATORS
from suite.matrix import DEFAULT_PROFILE, Profile, load_profile
from suite.priority import PRIORITIES
from suite.records import SURVEYS, Plan, Run, StepmarkError
from suite.store import read_run

MAX_ORDER_SEED = 2**32 - 1


DEFAULTS = Plan()


@dataclass(frozen=True, slots=True)
class Option:
    """One command-line option: its name without dashes, the placeholder of its value, and what it is for."""

    name: str
    value: str
    help: str

    @property
    def dest(self) -> str:
        """The attribute under which a parser keeps it."""
        return f"stepmark_{self.name.replace('-', '_')}"


OPTIONS = (
    Option("profile", "NAME", f"profile to measure (default: {DEFAULT_PROFILE})"),
    Option("profiles", "FILE", "TOML file with profiles (default: the project's own cases/profiles.toml)"),
    Option("passes", "N", f"visits to every case, each in a fresh worker (default: {DEFAULTS.passes})"),
    Option("target-precision", "PCT", "half-width of the median's interval at which a visit ends, in percent"),
    Option("case-seconds", "S", "seconds of counted rounds for one case, all passes together"),
    Option("warmup-seconds", "S", "seconds of warm-up at most in a visit (default: 1), three steps at least"),
    Option("case-timeout", "S", "seconds without an answer after which a worker is ended and its case failed"),
    Option("record", "DIR", "folder to write this run to (default: a new one under reports/runs)"),
    Option("resume", "DIR", "folder of an interrupted run to go on with"),
    Option("shard", "I/N", "measure part I of N of the cases"),
    Option("abreast", "N", "workers that live side by side and take turns (default: what memory holds, up to 32)"),
    Option("threads", "N", "threads of torch (default: the physical cores and what the environment allows)"),
    Option("allocator", "NAME", f"memory allocator of the workers: {' or '.join(ALLOCATORS)} (default: steady)"),
    Option("priority", "NAME", f"of the workers, where the machine allows: {' or '.join(PRIORITIES)} (default: high)"),
    Option(
        "surveys", "WHICH", f"of memory, parts and work, once a case is timed: {' or '.join(SURVEYS)} (default: all)"
    ),
    Option("order-seed", "N", "seed of the order of the cases in each pass (default: a new one, recorded)"),
)
PLAN_OPTIONS = (
    "passes",
    "target-precision",
    "case-seconds",
    "warmup-seconds",
    "case-timeout",
    "abreast",
    "threads",
    "allocator",
    "priority",
    "surveys",
    "order-seed",
)


WORDS = {"allocator": tuple(ALLOCATORS), "priority": PRIORITIES, "surveys": SURVEYS}
"""Options of the plan whose values are words, and which."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run was asked for.

    Attributes:
        resume: the interrupted run to go on with, as read, and its folder.
        folder: where to write; None for a new folder under `reports/runs`.
    """

    profile: Profile
    plan: Plan
    shard: str | None
    folder: Path | None
    resume: Run | None = None


def settle(options: Mapping[str, str | None], machine: Mapping[str, int]) -> Settings:
    """Options by name as typed, None or absent where not given -> settings.

    Args:
        options: text as typed.
        machine: what the plan takes from the machine where neither option nor profile says: `threads`, `abreast`.

    Raises:
        StepmarkError: a value is not allowed, a file or profile is not there, or options contradict each other.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "resume" in given:
        return resumed(given)
    profile = load_profile(
        given.get("profile", DEFAULT_PROFILE), Path(given["profiles"]) if "profiles" in given else None
    )
    typed = {
        field: value
        for option in PLAN_OPTIONS
        if option in given
        for field, value in [plan_value(option, given[option])]
    }
    defaults = {**machine, "order_seed": random.randint(0, MAX_ORDER_SEED)}  # noqa: S311 - an order
    plan = Plan(**{**defaults, **profile.plan, **typed})
    folder = Path(given["record"]) if "record" in given else None
    return Settings(profile, plan, given.get("shard"), folder)


def resumed(given: Mapping[str, str]) -> Settings:
    """The settings of an interrupted run; nothing else may be asked for beside `--resume`."""
    for name in given:
        if name != "resume":
            raise StepmarkError(
                f"--{name} cannot be given with --resume: a resumed run keeps the plan that it began with."
            )
    folder = Path(given["resume"])
    run = read_run(folder)
    if run.footer is not None:
        raise StepmarkError(f"{folder} is complete, finished at {run.footer.finished_at}; there is nothing to resume.")
    selection: dict[str, Any] = run.header.selection
    profiles_file = Path(selection["profiles_file"]) if selection["profiles_file"] else None
    profile = load_profile(selection["profile"], profiles_file)
    return Settings(profile, run.header.plan, selection.get("shard"), folder, run)


def plan_value(option: str, text: str) -> tuple[str, Any]:
    """A plan's field and value from an option as typed.

    Raises:
        StepmarkError: the value found and the values allowed.
    """
    if option in WORDS:
        if text not in WORDS[option]:
            raise StepmarkError(f"--{option} is {text!r}; allowed: {', '.join(WORDS[option])}.")
        return option, text
    field = option.replace("-", "_")
    if option in ("passes", "abreast", "threads"):
        return field, number(option, text, int, 1, "a whole number from 1")
    if option == "order-seed":
        return field, number(option, text, int, 0, "a whole number from 0")
    if option == "target-precision":
        percent = number(option, text.removesuffix("%"), float, 0, "a percentage above 0, such as 2")
        return field, percent / 100
    return field, number(option, text, float, 0, "a number of seconds above 0")


def number(option: str, text: str, kind: Callable[[str], float], least: int, allowed: str) -> float:
    """A number from text: whole ones from `least`, others above it."""
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least or (kind is float and value == least):
        raise StepmarkError(f"--{option} is {text!r}; allowed: {allowed}.")
    return value
