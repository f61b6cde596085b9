"""The options of `stepmark run`, `list`, `gate` and `compare`, in one table.

pytest's options, the parsers of the commands, the keys of a profile and of a configuration, and the command that a
page shows come from it. Text becomes a value by `Option.parse`; a plan becomes a command line by `command_options`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from suite.machine.allocators import ALLOCATORS
from suite.machine.priority import PRIORITIES
from suite.option_kinds import COUNT, NUMBER_OR_TEXT, PERCENT, SECONDS, SEED, Kind, one_of
from suite.records import SURVEYS, RunPlan, StepmarkError, WorkerSettings

DEFAULT_PROFILE = "quick"
DEFAULTS: dict[str, Any] = {**asdict(RunPlan()), **asdict(WorkerSettings())}
"""Default of each field that an option may set."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the command line.

    Attributes:
        name: without dashes.
        value: the placeholder of its value.
        meaning: its effect, as `--help` shows it.
        default: the text of its default; empty where the default is no fixed text.
        default_note: the default in words, where it depends on machine, profile or chance.
        kind: the values that it may have, where it sets a field of the plan or of the worker settings; else None.
        in_profile: whether a profile may set it.
        aliases: other names that mean the same.
        plan_field: the field that it sets, where that has another name.
        is_once: whether it names one invocation, so that no configuration may set it.
        in_file: the type of its value in a file of TOML, where it has no kind.
        repeats: whether it may be given several times; commas join its texts.
    """

    name: str
    value: str
    meaning: str
    default: str = ""
    default_note: str = ""
    kind: Kind | None = None
    in_profile: bool = False
    aliases: tuple[str, ...] = ()
    plan_field: str = ""
    is_once: bool = False
    in_file: Any = str
    repeats: bool = False

    @property
    def field(self) -> str:
        """The field that it sets, of the plan or of the worker settings."""
        return self.plan_field or self.name.replace("-", "_")

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def is_path(self) -> bool:
        """Whether its value is a path."""
        return self.value in ("FILE", "DIR")

    @property
    def flags(self) -> tuple[str, ...]:
        """Its names as they are typed, aliases last."""
        return tuple(f"--{name}" for name in self.names)

    @property
    def dest(self) -> str:
        """A parser's attribute for it; the plug-ins of pytest share one namespace."""
        return f"stepmark_{self.field}"

    @property
    def help(self) -> str:
        """Its effect and default."""
        default = self.default or self.default_note
        return f"{self.meaning} (default: {default})" if default else self.meaning

    def parse(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            StepmarkError: `--passes is '0'; allowed: a whole number from 1.`
        """
        if self.kind is None:
            raise AssertionError(f"--{self.name} sets no field of a plan")
        try:
            return self.kind.read(text)
        except ValueError as error:
            raise StepmarkError(f"--{self.name} is {text!r}; allowed: {self.kind.allowed}.") from error


def planned(name: str, value: str, meaning: str, kind: Kind, *, in_profile: bool = False) -> Option:
    """An option that sets the field of its name, with that field's default."""
    default = kind.write(DEFAULTS[name.replace("-", "_")])
    return Option(name, value, meaning, default, kind=kind, in_profile=in_profile)


PROFILE = Option("profile", "NAME", "profile to measure, a named set of cases", DEFAULT_PROFILE)
PROFILES = Option("profiles", "FILE", "TOML file with profiles", default_note="the profiles of Stepmark")
SHARD = Option("shard", "I/N", "part I of N parts of the cases, such as 2/3", default_note="all cases")
CASE_TIMEOUT = planned(
    "case-timeout", "S", "seconds without an answer after which a worker process is killed and its case fails", SECONDS
)
THREADS = Option(
    "threads", "N", "CPU threads of torch", default_note="physical cores, within the environment's limits", kind=COUNT
)
ALLOCATOR = planned(
    "allocator",
    "NAME",
    f"memory allocator of the worker processes: {' or '.join(ALLOCATORS)}",
    one_of(tuple(ALLOCATORS)),
)
PRIORITY = planned(
    "priority",
    "NAME",
    f"scheduling priority of the worker processes, if the machine permits it: {' or '.join(PRIORITIES)}",
    one_of(PRIORITIES),
)
ORDER_SEED = Option("order-seed", "N", "seed of the order of cases", default_note="a new one, recorded", kind=SEED)
STRUCTURE = Option(
    "structure",
    "STRUCTURE",
    "structures (networks) to measure in place of the profile's: registered names, FILE.py:CALLABLE or "
    "MODULE:CALLABLE, joined by commas or in several options",
    in_file=str | list[str],
    repeats=True,
)

OPTIONS = (
    PROFILE,
    PROFILES,
    STRUCTURE,
    planned("passes", "N", "visits to each case, each in a new worker process", COUNT, in_profile=True),
    planned(
        "target-precision",
        "PCT",
        "half-width of the 95 % interval, in percent of the median, at which a visit to a case ends",
        PERCENT,
        in_profile=True,
    ),
    planned(
        "case-seconds",
        "S",
        "longest measurement of a case in seconds, all visits together, without warm-up",
        SECONDS,
        in_profile=True,
    ),
    planned(
        "warmup-seconds", "S", "longest warm-up of a visit in seconds; at least three steps", SECONDS, in_profile=True
    ),
    CASE_TIMEOUT,
    Option("record", "DIR", "folder to write this run to", default_note="a new one under reports/runs"),
    Option("resume", "DIR", "folder of an interrupted run to continue", is_once=True),
    SHARD,
    Option(
        "interleave",
        "N",
        "worker processes that take turns, so that a slow minute slows all their cases",
        default_note="as many as fit in the memory of host and device, at most 32",
        kind=COUNT,
        in_profile=True,
        aliases=("abreast",),
        plan_field="abreast",
    ),
    THREADS,
    ALLOCATOR,
    PRIORITY,
    planned(
        "surveys",
        "WHICH",
        f"instruments that measure memory, phases and FLOPs after timing: {' or '.join(SURVEYS)}",
        one_of(SURVEYS),
    ),
    ORDER_SEED,
)
"""Options of a run: of `stepmark run` and of `pytest cases`."""
PLAN_OPTIONS = {option.name: option for option in OPTIONS if option.kind}
"""Options that set a field of the plan or of the worker settings, by name."""
LIST_OPTIONS = (PROFILE, PROFILES, STRUCTURE, SHARD)
DOCTOR_OPTIONS = (replace(STRUCTURE, meaning="structures (networks) to examine, as for stepmark run"),)
LIMITS = (
    Option("tolerance", "PCT", "slowdown that a regression must exceed", "1%", in_file=NUMBER_OR_TEXT),
    Option("margin", "PCT", "slowdown that the verdict 'no change' must rule out", "5%", in_file=NUMBER_OR_TEXT),
    Option("alpha", "PCT", "probability of any false alarm among all cases", "1%", in_file=NUMBER_OR_TEXT),
)
MEMORY_TOLERANCE = Option(
    "memory-tolerance", "PCT", "largest growth of memory that is no regression", "5%", in_file=NUMBER_OR_TEXT
)
COMPARE_OPTIONS = (*LIMITS, MEMORY_TOLERANCE)
ARM_PARTS = (
    "rev:<git revision>, dir:<checkout>, python:<interpreter>, image:<container image>, set:<factor>=<level>, "
    "env:NAME=VALUE, joined by commas"
)
GATE_OPTIONS = (
    Option("baseline", "ARM", f"the code to compare with, and its settings: {ARM_PARTS}"),
    Option("candidate", "ARM", "the code to judge, and its settings, in the same form", "dir:."),
    replace(PROFILE, meaning="profile to compare, a named set of cases", default="gate"),
    *(PROFILES, STRUCTURE),
    *LIMITS,
    replace(MEMORY_TOLERANCE, default="2%"),
    Option("budget", "TIME", "longest duration of the gate, such as 90s, 10m or 1h", "10m", in_file=NUMBER_OR_TEXT),
    Option("metric", "NAMES", "metrics to compare, joined by commas", "step_time,peak_memory,allocations,host_reads"),
    replace(THREADS, default="1", default_note=""),  # a core for each arm: both run at the same time
    *(ALLOCATOR, PRIORITY, CASE_TIMEOUT),
    replace(ORDER_SEED, meaning="seed of all random choices"),
)
"""Options of a gate with a text as value; those of a run that it has too set the same fields."""
COMMANDS = {"run": OPTIONS, "gate": GATE_OPTIONS, "compare": COMPARE_OPTIONS}
"""Commands whose options a configuration may set; `list` takes the values of `run`."""
RECORDS = Option("records", "DIR", "folder in which new runs and gates get a folder", "reports")
"""Set by a configuration alone."""


def add_options(add: Callable[..., object], options: Iterable[Option]) -> None:
    """Add options to a parser of argparse or of pytest.

    An option that is not given is None, so that a profile's value or a default can take its place.

    Args:
        add: `add_argument` of an argparse parser or `addoption` of a pytest group.
        options: which.
    """
    for option in options:
        text = option.help.replace("%", "%%")
        more = {"action": "append"} if option.repeats else {}
        add(*option.flags, dest=option.dest, metavar=option.value, default=None, help=text, **more)


def given_options(parsed: argparse.Namespace, options: Iterable[Option]) -> dict[str, str]:
    """Name and text of each option that was given."""
    texts = {option.name: getattr(parsed, option.dest) for option in options}
    return {name: ",".join(one) if isinstance(one, list) else one for name, one in texts.items() if one is not None}


def default_texts(options: Iterable[Option]) -> dict[str, str]:
    """Name and text of each option that has a fixed default."""
    return {option.name: option.default for option in options if option.default}


def refuse_with_resume(given: Iterable[str]) -> None:
    """Refuse other options together with `--resume`.

    Raises:
        StepmarkError: one was given.
    """
    for name in given:
        raise StepmarkError(f"{name} cannot be given with --resume, which keeps the first options; leave {name} out.")


def command_options(plan: RunPlan, workers: WorkerSettings) -> list[str]:
    """Words that measure so on any machine, with any profile and configuration."""
    values = {**asdict(plan), **asdict(workers)}
    options = [option for option in PLAN_OPTIONS.values() if option.kind]
    return [word for option in options for word in words_of(option, values[option.field])]


def words_of(option: Option, value: Any) -> tuple[str, str]:
    """An option with a value, as on a command line."""
    if option.kind is None:
        raise AssertionError(f"--{option.name} sets no field of a plan")
    return (f"--{option.name}", option.kind.write(value))
