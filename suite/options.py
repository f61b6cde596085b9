"""The options of a run, in one table: their names and help, what the text of each may be, and how a value is written.

Text becomes a value of the plan by `plan_value`, and a plan becomes text again by `as_typed`, so that a command that is
shown makes the plan that it is shown for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from suite.machine.allocators import ALLOCATORS
from suite.machine.priority import PRIORITIES
from suite.records import SURVEYS, Plan, StepmarkError

DEFAULT_PROFILE = "quick"
DEFAULTS = Plan()
PERCENT_NEIGHBOURS = 4
"""Floats on either side of a percentage among which one is looked for that gives the share exactly."""


def exactly(value: float) -> str:
    """The shortest text that reads as this number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


@dataclass(frozen=True, slots=True)
class Kind:
    """What the text of an option of the plan may be.

    Attributes:
        read: text -> value; raises ValueError where it is none.
        written: value -> the shortest text that reads as the value.
        allowed: in words.
    """

    read: Callable[[str], Any]
    written: Callable[[Any], str]
    allowed: str


def whole(least: int) -> Kind:
    """Whole numbers."""

    def read(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError(text)
        return value

    return Kind(read, str, f"a whole number from {least}")


def above_zero(text: str) -> float:
    """A finite number above 0.

    Raises:
        ValueError: it is none.
    """
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def percent(share: float) -> str:
    """A share as a percentage that `PERCENT` reads as the same share."""
    low = high = share * 100
    for _ in range(PERCENT_NEIGHBOURS):
        for candidate in (low, high):
            if candidate / 100 == share:
                return exactly(candidate)
        low, high = math.nextafter(low, 0), math.nextafter(high, math.inf)
    return exactly(share * 100)


def one_of(words: tuple[str, ...]) -> Kind:
    """Words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Kind(read, str, ", ".join(words))


COUNT = whole(1)
SEED = whole(0)
SECONDS = Kind(above_zero, exactly, "a number of seconds above 0")
PERCENT = Kind(lambda text: above_zero(text.removesuffix("%")) / 100, percent, "a percentage above 0, such as 2")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the command line.

    Attributes:
        name: without dashes.
        value: the placeholder of its value.
        help: what it is for.
        kind: what its text may be, where it is a field of the plan; None where it is none.
    """

    name: str
    value: str
    help: str
    kind: Kind | None = None

    @property
    def dest(self) -> str:
        """The attribute under which a parser keeps it."""
        return f"stepmark_{self.field}"

    @property
    def field(self) -> str:
        """The field of the plan that it sets."""
        return self.name.replace("-", "_")


OPTIONS = (
    Option("profile", "NAME", f"profile to measure (default: {DEFAULT_PROFILE})"),
    Option("profiles", "FILE", "TOML file with profiles (default: the project's own cases/profiles.toml)"),
    Option("passes", "N", f"visits to every case, each in a fresh worker (default: {DEFAULTS.passes})", COUNT),
    Option("target-precision", "PCT", "half-width of the median's interval at which a visit ends, in percent", PERCENT),
    Option("case-seconds", "S", "seconds of counted rounds for one case, all passes together", SECONDS),
    Option("warmup-seconds", "S", "seconds of warm-up at most in a visit (default: 1), three steps at least", SECONDS),
    Option("case-timeout", "S", "seconds without an answer after which a worker is ended and its case failed", SECONDS),
    Option("record", "DIR", "folder to write this run to (default: a new one under reports/runs)"),
    Option("resume", "DIR", "folder of an interrupted run to go on with"),
    Option("shard", "I/N", "measure part I of N of the cases"),
    Option(
        "abreast", "N", "workers that live side by side and take turns (default: what memory holds, up to 32)", COUNT
    ),
    Option("threads", "N", "threads of torch (default: the physical cores and what the environment allows)", COUNT),
    Option(
        "allocator",
        "NAME",
        f"memory allocator of the workers: {' or '.join(ALLOCATORS)} (default: steady)",
        one_of(tuple(ALLOCATORS)),
    ),
    Option(
        "priority",
        "NAME",
        f"of the workers, where the machine allows: {' or '.join(PRIORITIES)} (default: high)",
        one_of(PRIORITIES),
    ),
    Option(
        "surveys",
        "WHICH",
        f"of memory, parts and work, once a case is timed: {' or '.join(SURVEYS)} (default: all)",
        one_of(SURVEYS),
    ),
    Option("order-seed", "N", "seed of the order of the cases in each pass (default: a new one, recorded)", SEED),
)
PLAN_OPTIONS = {option.name: option for option in OPTIONS if option.kind}
"""Options that set a field of the plan, by name."""
ALWAYS_DEFAULT = ("case-timeout", "allocator", "priority", "surveys")
"""Options for whose value neither the machine nor a profile nor chance stands in where they are not given."""


def plan_value(option: str, text: str) -> tuple[str, Any]:
    """A plan's field and value from an option as typed.

    Raises:
        StepmarkError: the value found and the values allowed.
    """
    known = PLAN_OPTIONS[option]
    if known.kind is None:
        raise AssertionError("an option of the plan has a kind")
    try:
        return known.field, known.kind.read(text)
    except ValueError as error:
        raise StepmarkError(f"--{option} is {text!r}; allowed: {known.kind.allowed}.") from error


def as_typed(plan: Plan) -> list[str]:
    """The words of a command line that make this plan, on any machine and with any profile."""
    words: list[str] = []
    for option in PLAN_OPTIONS.values():
        value = getattr(plan, option.field)
        if option.kind and not (option.name in ALWAYS_DEFAULT and value == getattr(DEFAULTS, option.field)):
            words += [f"--{option.name}", option.kind.written(value)]
    return words
