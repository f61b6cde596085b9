"""Profiles -> cases: reading, product, design, validity, selection, shard. Imports no torch."""

from __future__ import annotations

import ast
import math
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from suite.matrix.designs import ALLOWED as ALLOWED_DESIGNS
from suite.matrix.designs import FULL, Choice, Design, choose, is_design
from suite.matrix.learning import refusal_to_learn
from suite.options import DEFAULT_PROFILE
from suite.records import INFER, MODES, Case, StepmarkError
from suite.records.factors import FACTORS, Factor
from suite.registry import EXECUTIONS, INPUTS, REGISTRIES, STRUCTURES, TUNINGS, load_levels

CASES_FOLDER = Path(__file__).resolve().parents[2] / "cases"
"""Where the benchmark cases and the project's own profiles stand in a checkout."""

FACTOR_KEYS = tuple(factor.key for factor in FACTORS if not factor.least)
SIZE_KEYS = {factor.key: factor.least for factor in FACTORS if factor.least}
"""Keys whose values are whole numbers, and the smallest of each."""
PLAN_KEYS: dict[str, Callable[[float], float]] = {
    "passes": int,
    "target_precision": lambda percent: percent / 100,
    "case_seconds": float,
    "warmup_seconds": float,
}
"""Options of the command line that a profile may set for itself, in the same units, and what makes the plan's value."""

OPERATORS = ("(", ")", "and", "or", "not")
WORD = re.compile(r"[\w:+\-.\[\]\\/]+")
"""What pytest takes for a word in `-k`."""
EXPRESSION_NODES = (ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Name, ast.Load, ast.Constant)
"""What an expression is made of once its words are names; a word before a bracket would be a call, `()` a tuple."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A table of a profiles file: which levels are crossed, and what the plan is unless the command line says else.

    Attributes:
        file: where the profile was read; its folder is searched for plug-ins.
        levels: names or patterns by key (`structures`, ...); a missing key means all, or the default level.
        sizes: images per batch and pixels per side, by key.
        plan: values for keys in `PLAN_KEYS`.
        design: which of the crossed cases are measured.
    """

    name: str
    file: Path
    plugins: tuple[str, ...] = ()
    levels: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    plan: dict[str, float] = field(default_factory=dict)
    design: Design = FULL


def load_profile(name: str, file: Path | None = None) -> Profile:
    """Read one profile.

    Args:
        name: the table's name.
        file: a TOML file; the project's own `cases/profiles.toml` where left out.

    Raises:
        StepmarkError: the file cannot be read, the profile is not in it, or one of its keys or values is not allowed.
    """
    file = (file or CASES_FOLDER / "profiles.toml").resolve()
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StepmarkError(f"cannot read profiles from {file}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
    for key in PLAN_KEYS:
        value = table.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise StepmarkError(f"profile {name!r}: {key} is {value!r}; allowed: a number above 0.")
        if PLAN_KEYS[key] is int and not isinstance(value, int):
            raise StepmarkError(f"profile {name!r}: {key} is {value!r}; allowed: a whole number from 1.")
    if not is_design(table.get("design", FULL)):
        raise StepmarkError(f"profile {name!r}: design is {table['design']!r}; allowed: {ALLOWED_DESIGNS}.")
    return Profile(
        name=name,
        file=file,
        plugins=tuple(table.get("plugins", ())),
        levels={key: table[key] for key in FACTOR_KEYS if key in table},
        sizes={key: table[key] for key in SIZE_KEYS if key in table},
        plan={key: convert(table[key]) for key, convert in PLAN_KEYS.items() if key in table},
        design=table.get("design", FULL),
    )


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


def cases_of(profile: Profile) -> list[Case]:
    """The cases that a profile's design chooses, in the order of its levels; raises as `matrix_of` does."""
    return choice_of(profile).cases


def choice_of(profile: Profile) -> Choice:
    """What a profile's design chooses of its matrix; raises as `matrix_of` does."""
    return choose(matrix_of(profile), profile.design, refusal)


def matrix_of(profile: Profile) -> list[Case]:
    """Every combination of a profile's levels, in their order; imports the profile's plug-ins first.

    An optimizer has no part in inferring, so that cases of that mode take the profile's first optimizer alone: with
    each of them the same thing would be measured under many names. Schedules and epochs are for cases that learn;
    others take the defaults.

    Raises:
        StepmarkError: a level is not known, a plug-in does not import, or two cases have one id.
    """
    if profile.plugins:
        sys.path.insert(0, str(profile.file.parent))
    load_levels(profile.plugins)
    crossed = {factor.name: levels_in(profile, factor) for factor in FACTORS if not factor.mode}
    cases = [
        case
        for combination in product(*crossed.values())
        for case in courses(Case(**dict(zip(crossed, combination, strict=True))), profile)
        if case.mode != INFER or case.optimizer == crossed["optimizer"][0]
    ]
    refuse_twins(cases)
    return cases


def levels_in(profile: Profile, factor: Factor) -> list[Any]:
    """A profile's levels of a factor, each once.

    Raises:
        StepmarkError: one of them is not known.
    """
    if factor.least:
        return list(dict.fromkeys(profile.sizes.get(factor.key, [factor.default])))
    names = profile.levels.get(factor.key, ["*" if factor.default is None else str(factor.default)])
    if factor.name in REGISTRIES:
        return REGISTRIES[factor.name].matching(names)
    return [known_mode(name) for name in dict.fromkeys(names)]


def courses(case: Case, profile: Profile) -> list[Case]:
    """A case by each level of the factors that cases of its mode alone have; any other case as it is."""
    own = {factor.name: levels_in(profile, factor) for factor in FACTORS if factor.mode == case.mode}
    return [replace(case, **dict(zip(own, combination, strict=True))) for combination in product(*own.values())]


def refuse_twins(cases: list[Case]) -> None:
    """Refuse two cases with one id, as a tuning named `b128` beside a batch size of 128 would make.

    Raises:
        StepmarkError: the id, and what the cases are.
    """
    first: dict[str, Case] = {}
    for case in cases:
        other = first.setdefault(case.id, case)
        if other is not case:
            raise StepmarkError(f"two cases have the id {case.id!r}: {other} and {case}; rename a level.")


def known_mode(mode: str) -> str:
    """A mode that exists.

    Raises:
        StepmarkError: the mode found and the modes allowed.
    """
    if mode not in MODES:
        raise StepmarkError(f"mode {mode!r} is not known; allowed: {', '.join(MODES)}.")
    return mode


def refusal(case: Case) -> str:
    """Why `case` cannot run on this machine, or at all; empty where it can."""
    smallest = STRUCTURES[case.structure].min_image_size
    if case.image_size < smallest:
        return f"{case.structure} needs images of at least {smallest} pixels a side, not {case.image_size}"
    execution = EXECUTIONS[case.execution].strategy
    device = execution.device_type()
    return (
        refusal_alone(case, execution.wanted_ranks())
        or refusal_to_learn(case)
        or execution.refusal(case)
        or TUNINGS[case.tuning].strategy.refusal(case, device)
        or INPUTS[case.input].pipeline.refusal(case, device)
    )


def refusal_alone(case: Case, ranks: int) -> str:
    """Why one image a rank is too few for a structure's batch norms at that size; empty where it is not."""
    smallest = STRUCTURES[case.structure].min_image_size_alone
    if case.mode == INFER or case.batch_size // ranks != 1 or case.image_size >= smallest:
        return ""
    return f"{case.structure} needs 2 images a rank, or {smallest} pixels a side, for its last batch norms"


def shard(cases: Sequence[Case], text: str) -> list[Case]:
    """Part I of N of the cases: every N-th, so that each part has some of every structure.

    Args:
        cases: all of them, the same for every part.
        text: `I/N` with 1 <= I <= N.

    Raises:
        StepmarkError: the text is not of that form.
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise StepmarkError(f"--shard is {text!r}; allowed: I/N with 1 <= I <= N, such as 2/3.")
    return list(cases[int(match[1]) - 1 :: int(match[2])])


def selector(expression: str) -> Callable[[str], bool]:
    """The test that an expression like pytest's `-k` makes of a case id: words with `and`, `or`, `not`, brackets.

    A word matches where it is part of the id, whatever the case of its letters.

    Raises:
        StepmarkError: the expression is not of that form.
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    words = {f"word{index}": token.lower() for index, token in enumerate(tokens)}
    terms = [token if token in OPERATORS else f"word{index}" for index, token in enumerate(tokens)]
    try:
        tree = ast.parse(" ".join(terms) or "True", mode="eval")
        code = compile(tree, "<expression>", "eval")
    except (SyntaxError, RecursionError, MemoryError):  # the last two where it is nested too deeply
        code = None
    if (
        code is None
        or not all(isinstance(node, EXPRESSION_NODES) for node in ast.walk(tree))
        or not all(token in OPERATORS or WORD.fullmatch(token) for token in tokens)
    ):
        raise StepmarkError(f"-k is {expression!r}; allowed: words joined by and, or, not and brackets.")

    def selects(case_id: str) -> bool:
        found = {name: word in case_id.lower() for name, word in words.items()}
        return bool(eval(code, {}, found))  # noqa: S307 - nothing but names, and, or, not; see EXPRESSION_NODES

    return selects
