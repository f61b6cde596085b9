"""Profiles: tables of a TOML file with the levels to cross and the plan."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from suite.matrix.designs import ALLOWED as ALLOWED_DESIGNS
from suite.matrix.designs import FULL, Design, is_design
from suite.options import DEFAULT_PROFILE, OPTIONS
from suite.records import StepmarkError
from suite.records.factors import FACTORS

CASES_FOLDER = Path(__file__).resolve().parents[2] / "cases"
"""Where the benchmark cases and the project's own profiles stand in a checkout."""

FACTOR_KEYS = tuple(factor.key for factor in FACTORS if not factor.least)
SIZE_KEYS = {factor.key: factor.least for factor in FACTORS if factor.least}
"""Keys whose values are whole numbers, and the smallest of each."""
PLAN_KEYS = {
    name.replace("-", "_"): option for option in OPTIONS if option.in_profile for name in (option.name, *option.aliases)
}
"""Key of a profile -> option of the command line that it sets, in the same unit."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A table of a profiles file: levels to cross, and values of the plan.

    Options of the command line replace values of the plan.

    Attributes:
        file: where the profile was read; its folder is searched for plug-ins.
        levels: names or patterns by key (`structures`, ...); a missing key means all, or the default level.
        sizes: images per batch and pixels per side, by key.
        plan: fields of the plan and their values.
        design: which of the crossed cases are measured.
    """

    name: str
    file: Path
    plugins: tuple[str, ...] = ()
    levels: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    design: Design = FULL


def load_profile(name: str, file: str | Path | None = None) -> Profile:
    """Read one profile.

    Args:
        name: the table's name.
        file: a TOML file; the project's own `cases/profiles.toml` where left out.

    Raises:
        StepmarkError: the file cannot be read, the profile is not in it, or one of its keys or values is not allowed.
    """
    file = Path(file or CASES_FOLDER / "profiles.toml").resolve()
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StepmarkError(f"cannot read profiles from {file}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # TOML, its encoding, too many digits or brackets
        raise StepmarkError(f"{file} is not valid TOML: {error}.") from error
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise StepmarkError(
                f"{file} has a key {key!r} outside of a profile; allowed: tables such as [{DEFAULT_PROFILE}]."
            )
    if name not in tables:
        raise StepmarkError(f"profile {name!r} is not in {file}; allowed: {', '.join(tables) or 'none'}.")
    return parse_profile(name, file, tables[name])


def parse_profile(name: str, file: Path, table: dict[str, Any]) -> Profile:
    """A profile from its table; raises as `load_profile` does."""
    allowed = ("plugins", *FACTOR_KEYS, *SIZE_KEYS, "design", *PLAN_KEYS)
    for key in table:
        if key not in allowed:
            raise StepmarkError(f"profile {name!r} has a key {key!r}; allowed: {', '.join(allowed)}.")
    for key in ("plugins", *FACTOR_KEYS):
        check_list(name, key, table.get(key, ["any"]), "names", lambda value: isinstance(value, str) and value != "")
    for key, least in SIZE_KEYS.items():
        check_list(name, key, table.get(key, [least]), f"whole numbers from {least}", partial(is_size, least))
    if not is_design(table.get("design", FULL)):
        raise StepmarkError(f"profile {name!r}: design is {table['design']!r}; allowed: {ALLOWED_DESIGNS}.")
    return Profile(
        name=name,
        file=file,
        plugins=tuple(table.get("plugins", ())),
        levels={key: table[key] for key in FACTOR_KEYS if key in table},
        sizes={key: table[key] for key in SIZE_KEYS if key in table},
        plan=plan_values(name, table),
        design=table.get("design", FULL),
    )


def plan_values(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the plan that a profile sets, with their values.

    Raises:
        StepmarkError: a value is not allowed, or two names of one option are given.
    """
    found: dict[str, Any] = {}
    for key, option in PLAN_KEYS.items():
        if key not in table:
            continue
        if option.kind is None:
            raise AssertionError(f"{key} is no field of the plan")
        if option.field in found:
            raise StepmarkError(f"profile {name!r} sets {option.name} twice, once as {key}; leave {key} out.")
        value = table[key]
        try:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(value)
            found[option.field] = option.kind.read(repr(value))
        except ValueError as error:
            raise StepmarkError(f"profile {name!r}: {key} is {value!r}; allowed: {option.kind.allowed}.") from error
    return found


def check_list(name: str, key: str, value: object, allowed: str, right: Callable[[object], bool]) -> None:
    """Refuse what is not a list of the allowed values, or an empty one.

    Raises:
        StepmarkError: the value found and the values allowed.
    """
    if not isinstance(value, list) or not all(right(entry) for entry in value) or (not value and key != "plugins"):
        raise StepmarkError(f"profile {name!r}: {key} is {value!r}; allowed: a list of {allowed}.")


def is_size(least: int, value: object) -> bool:
    """Whether a value can be a number of images, pixels or epochs."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
