"""A user's text of an arm: `rev:main~1,set:optimizer=adam` -> an `ArmSpec`.

A text is `rev:<git revision>`, `dir:<checkout>`, `python:<interpreter>`, `image:<container image>`,
`set:<factor>=<level>`, `env:NAME=VALUE`, joined by commas. The current folder and interpreter supply every part that it
omits. An image supplies code and interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from suite.machine.threads import WISHES
from suite.options import ARM_PARTS
from suite.records import Case, StepmarkError
from suite.records.factors import FACTORS
from suite.registry import REGISTRIES

KINDS = ("rev", "dir", "python", "image", "set", "env")
OF_CODE = ("rev", "dir", "image")
"""Kinds of which an arm has one at most."""
BETWEEN = re.compile(rf",(?=(?:{'|'.join(KINDS)}):)")
"""The comma before another part; a comma within a value does not match."""
SETTABLE = tuple(factor.name for factor in FACTORS if factor.name in REGISTRIES and not factor.mode)
"""Factors whose level an arm may set: the named ones, except those of learning cases, which the gate does not run."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
"""A name, a name with its digest, or the beginning of an id."""


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


@dataclass(frozen=True, slots=True)
class Image:
    """The code in a container image: `image:localhost/stepmark:full`."""

    name: str


Code = Here | Revision | Checkout | Image


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
    refuse_clashes(text, single)
    for name in variables:
        if not VARIABLE.fullmatch(name):
            raise StepmarkError(
                f"arm {text!r}: {name!r} is not a variable's name; allowed: letters, digits and _, no digit first."
            )
        if name in WISHES:
            raise StepmarkError(
                f"arm {text!r}: {name} has no effect on workers, whose threads --threads sets; allowed: another "
                "variable, or a level such as set:tuning=one_thread."
            )
    for factor in levels:
        if factor not in SETTABLE:
            raise StepmarkError(f"arm {text!r}: factor {factor!r} is not known; allowed: {', '.join(SETTABLE)}.")
    return ArmSpec(text, code_of(single), single.get("python"), levels, variables)


def refuse_clashes(text: str, single: Mapping[str, str]) -> None:
    """Raise if parts of an arm exclude each other, or an image's name is none."""
    named = [kind for kind in OF_CODE if kind in single]
    if len(named) > 1:
        one, other = named[:2]
        raise StepmarkError(
            f"arm {text!r} has both {one}: and {other}:; allowed: one of {one}: and {other}:; remove the other."
        )
    if {"image", "python"} <= single.keys():
        raise StepmarkError(f"arm {text!r} has image: and python:; allowed: the image's interpreter; remove python:.")
    if not IMAGE.fullmatch(single.get("image", "none")):
        raise StepmarkError(
            f"arm {text!r}: {single['image']!r} is no image's name; allowed: a name such as localhost/stepmark:full."
        )


def code_of(single: Mapping[str, str]) -> Code:
    """The code that an arm's parts name."""
    if "rev" in single:
        return Revision(single["rev"])
    if "image" in single:
        return Image(single["image"])
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
