"""A user's text of an arm: `rev:main~1,set:optimizer=adam` -> an `ArmSpec`.

A text is `rev:<git revision>`, `dir:<checkout>`, `python:<interpreter>`, `set:<factor>=<level>`, `env:NAME=VALUE`,
joined by commas. The current folder and interpreter supply every part that it omits. Container images are not supported
yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from suite.options import ARM_PARTS
from suite.records import Case, StepmarkError
from suite.records.factors import FACTORS
from suite.registry import REGISTRIES

KINDS = ("rev", "dir", "python", "set", "env")
BETWEEN = re.compile(rf",(?=(?:{'|'.join((*KINDS, 'image'))}):)")
"""The comma before another part; a comma within a value does not match."""
SETTABLE = tuple(factor.name for factor in FACTORS if factor.name in REGISTRIES and not factor.mode)
"""Factors whose level an arm may set: the named ones, except those of learning cases, which the gate does not run."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Here:
    """The code of the current folder: an arm without `rev:` and `dir:`."""


@dataclass(frozen=True, slots=True)
class Revision:
    """The code of a git revision: `rev:main~1`."""

    name: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """The code in another folder: `dir:../other`."""

    folder: str


Code = Here | Revision | Checkout


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """The parsed text of an arm.

    Attributes:
        text: as written.
        python: its interpreter; None for the current one.
        levels: factor -> the level that replaces each case's level.
        variables: environment variables of its workers.
    """

    text: str
    code: Code = Here()
    python: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def case(self, case: Case) -> Case:
        """The case with the arm's levels."""
        levels: dict[str, Any] = dict(self.levels)
        return replace(case, **levels)


def parse(text: str) -> ArmSpec:
    """Parse the text of an arm.

    Raises:
        StepmarkError: a part has an unknown kind, occurs twice, or has a value that is not allowed.
    """
    single: dict[str, str] = {}
    levels: dict[str, str] = {}
    variables: dict[str, str] = {}
    for part in BETWEEN.split(text.strip()):
        kind, colon, value = part.partition(":")
        if kind == "image":
            raise StepmarkError(f"arm {text!r}: container images cannot be gated yet; allowed: {ARM_PARTS}.")
        if kind not in KINDS or not colon or not value:
            raise StepmarkError(f"arm {text!r} has the unknown part {part!r}; allowed: {ARM_PARTS}.")
        if kind == "set":
            assign(levels, text, value, "a factor and its level, such as set:optimizer=adam")
        elif kind == "env":
            assign(variables, text, value, "a name and a value, such as env:OMP_DYNAMIC=true")
        elif kind in single:
            raise StepmarkError(f"arm {text!r} has {kind}: twice; allowed: once; remove one of them.")
        else:
            single[kind] = value
    if {"rev", "dir"} <= single.keys():
        raise StepmarkError(f"arm {text!r} has both rev: and dir:; allowed: one of rev: and dir:; remove the other.")
    for name in variables:
        if not VARIABLE.fullmatch(name):
            raise StepmarkError(
                f"arm {text!r}: {name!r} is not a variable's name; allowed: letters, digits and _, no digit first."
            )
    for factor in levels:
        if factor not in SETTABLE:
            raise StepmarkError(f"arm {text!r}: factor {factor!r} is not known; allowed: {', '.join(SETTABLE)}.")
    return ArmSpec(text, code_of(single), single.get("python"), levels, variables)


def code_of(single: Mapping[str, str]) -> Code:
    """The code that an arm's parts name."""
    if "rev" in single:
        return Revision(single["rev"])
    return Checkout(single["dir"]) if "dir" in single else Here()


def assign(to: dict[str, str], text: str, value: str, allowed: str) -> None:
    """Add `name=value` to the others.

    Raises:
        StepmarkError: the text has another form, or the name occurs twice.
    """
    name, equals, assigned = value.partition("=")
    if not equals or not name or name in to:
        raise StepmarkError(f"arm {text!r} has {value!r}; allowed: {allowed}, each name once.")
    to[name] = assigned
