"""One side of a comparison: what a user calls it, and what it turns out to be.

`rev:<git revision>`, `dir:<checkout>`, `python:<interpreter>`, `set:<factor>=<level>`, `env:NAME=VALUE`, joined by
commas. What an arm does not say is as it is here. Container images come later: an arm becomes an `Origin`, and how that
starts a worker is the launcher's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from suite.gate.arms import checkouts, code_ownership, interpreters
from suite.gate.record.values import SIDES
from suite.options import ARM_PARTS
from suite.provenance import code_identity
from suite.records import Case, StepmarkError
from suite.records.compatibility import differences
from suite.records.factors import FACTORS
from suite.registry import REGISTRIES
from suite.runner.code_origin import Origin

KINDS = ("rev", "dir", "python", "set", "env")
BETWEEN = re.compile(rf",(?=(?:{'|'.join((*KINDS, 'image'))}):)")
"""The comma before another part: one within a value stays there."""
SETTABLE = tuple(factor.name for factor in FACTORS if factor.name in REGISTRIES and not factor.mode)
"""Factors whose level an arm may set: those with names, but not those of cases that learn, which are not gated."""
IDENTITY = "identity"
"""Name of the facts that say what was run to the last file: hashes and versions, which no reader wants to see."""
NO_IDENTITY = ("tree", "dirty", "reason", "note")
"""Facts of an arm that say nothing beside its commit and its identity: new results make a work tree dirty."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """What a user asked for.

    Attributes:
        text: as written.
        revision, folder, python: None where it is what is here.
        levels: factor -> the level that takes the place of each case's own.
        variables: of the environment of its workers.
    """

    text: str
    revision: str | None = None
    folder: str | None = None
    python: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def case(self, case: Case) -> Case:
        """A case as this arm runs it."""
        levels: dict[str, Any] = dict(self.levels)
        return replace(case, **levels)


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm made ready.

    Attributes:
        origin: where its workers come from.
        facts: what it is, as plain values, for the ledger.
        tree: hash of its code where that is exactly what a commit holds; else None.
    """

    arm: ArmSpec
    origin: Origin
    facts: dict[str, Any]
    tree: str | None


def parse(text: str) -> ArmSpec:
    """An arm from its text.

    Raises:
        StepmarkError: a part is of no known kind, is said twice, or has no value that is allowed.
    """
    single: dict[str, str] = {}
    levels: dict[str, str] = {}
    variables: dict[str, str] = {}
    for part in BETWEEN.split(text.strip()):
        kind, colon, value = part.partition(":")
        if kind == "image":
            raise StepmarkError(f"arm {text!r}: container images cannot be gated yet; allowed: {ARM_PARTS}.")
        if kind not in KINDS or not colon or not value:
            raise StepmarkError(f"arm {text!r} has a part {part!r}; allowed: {ARM_PARTS}.")
        if kind == "set":
            assign(levels, text, value, "a factor and its level, such as set:optimizer=adam")
        elif kind == "env":
            assign(variables, text, value, "a name and a value, such as env:OMP_DYNAMIC=true")
        elif kind in single:
            raise StepmarkError(f"arm {text!r} says {kind}: twice; allowed: once.")
        else:
            single[kind] = value
    if {"rev", "dir"} <= single.keys():
        raise StepmarkError(f"arm {text!r} names a revision and a folder; allowed: one of rev: and dir:.")
    for name in variables:
        if not VARIABLE.fullmatch(name):
            raise StepmarkError(f"arm {text!r}: {name!r} is no variable's name; allowed: letters, digits and _.")
    for factor in levels:
        if factor not in SETTABLE:
            raise StepmarkError(f"arm {text!r}: factor {factor!r} is not known; allowed: {', '.join(SETTABLE)}.")
    return ArmSpec(text, single.get("rev"), single.get("dir"), single.get("python"), levels, variables)


def assign(to: dict[str, str], text: str, value: str, allowed: str) -> None:
    """Put `name=value` among others.

    Raises:
        StepmarkError: it is of another form, or the name is there already.
    """
    name, equals, said = value.partition("=")
    if not equals or not name or name in to:
        raise StepmarkError(f"arm {text!r} has {value!r}; allowed: {allowed}, each name once.")
    to[name] = said


def make_both_ready(baseline: ArmSpec, candidate: ArmSpec, here: Path, profile_folder: Path) -> tuple[Arm, Arm]:
    """Both arms, each watched for code of the other; raises as `make_ready` does."""
    sides = make_ready(baseline, here, profile_folder), make_ready(candidate, here, profile_folder)
    watched = [dict(side.origin.watched or {}) for side in sides]
    roots = list(dict.fromkeys(root for one in watched for root in (*one["roots"], one["own"]) if root))
    first, second = (
        replace(side, origin=replace(side.origin, watched={**one, "roots": roots}))
        for side, one in zip(sides, watched, strict=True)
    )
    return first, second


def make_ready(arm: ArmSpec, here: Path, profile_folder: Path) -> Arm:
    """Check the arm's revision out, make its environment where its lock is another one, and find its code.

    Args:
        arm: what was asked for.
        here: a folder within the repository of revisions.
        profile_folder: where the profile's plug-ins are; the arm has its own where that is in the repository.

    Raises:
        StepmarkError: there is no such revision, folder or interpreter, its environment cannot be made, or the folder
            has no code.
    """
    refuse_unknown_levels(arm)
    top = checkouts.top_of(here)
    if arm.revision is None and arm.folder is None and arm.python is None:
        return as_here(arm, here, top)
    folder = checkouts.check_out(arm.revision, here) if arm.revision else checkout_of(arm.folder, here, top)
    python, note = (arm.python, "") if arm.python else interpreters.of_checkout(folder, top)
    moved = checkouts.moved(profile_folder, top, folder)
    has_code = (folder / "suite" / "zygote.py").is_file()
    if arm.folder and python == Origin().python and not has_code and not checkouts.has_modules(folder):
        raise StepmarkError(
            f"{folder} has nothing that is measured: no module of Python, no lock that differs from ours."
        )
    suite = folder / "suite" if has_code else Origin().suite
    has = interpreters.surroundings(python, projects_of(top))
    roots = code_ownership.roots_of(top, folder, (*has["path"], *has["roots"]), has["free"])
    territory = code_ownership.territory_of(roots, folder, suite, has)
    first = [str(path) for path in dict.fromkeys((folder, moved, *([] if has_code else [suite.parent])))]
    not_ours = {str(path) for path in (top, here, profile_folder) if path}
    rest = [path for path in code_ownership.moved_path(territory, has) if path not in not_ours]
    origin = Origin(
        interpreters.found(python),
        suite,
        tuple(dict.fromkeys((*first, *rest))),
        code_ownership.moved_variables(territory, {**interpreters.variables_for(python), **arm.variables}),
        code_ownership.watched(roots, folder, suite, has),
    )
    state = checkouts.state_of(folder)
    return Arm(arm, origin, facts_of(arm, state, origin, has, note), state.tree)


def as_here(arm: ArmSpec, here: Path, top: Path | None) -> Arm:
    """An arm with the code and the interpreter that are here."""
    has, state = interpreters.surroundings(Origin().python, projects_of(top)), checkouts.state_of(here, is_named=False)
    roots = code_ownership.roots_of(top, None, (), has["free"])
    origin = Origin(variables=arm.variables, watched=code_ownership.watched(roots, top, Origin().suite, has))
    return Arm(arm, origin, facts_of(arm, state, origin, has), state.tree)


def projects_of(top: Path | None) -> list[str]:
    """Names of the distributions that a repository makes."""
    return code_ownership.projects_of(top) if top else []


def checkout_of(folder: str | None, here: Path, top: Path | None) -> Path:
    """The checkout that a folder is, or the one in which it is what the current folder is in its own.

    Raises:
        StepmarkError: it is not there.
    """
    found = checkouts.existing(folder, top or here)
    its_top = checkouts.top_of(found)
    if (
        top is None
        or its_top is None
        or found.relative_to(its_top.resolve()) != here.resolve().relative_to(top.resolve())
    ):
        return found
    return its_top


def refuse_unknown_levels(arm: ArmSpec) -> None:
    """Raise where a level that the arm sets is not registered; the profile's plug-ins are imported before."""
    for factor, level in arm.levels.items():
        REGISTRIES[factor][level]


def facts_of(
    arm: ArmSpec, state: checkouts.State, origin: Origin, has: Mapping[str, Any], note: str = ""
) -> dict[str, Any]:
    """What an arm turned out to be; under `identity`, what has to be the same for its gate to be resumed.

    Args:
        arm: as asked.
        state: of its checkout.
        origin: of its processes.
        has: what its interpreter has (`suite.runner.import_witness.surroundings`).
        note: what is to be said of how it was made ready.
    """
    found = asdict(state)
    own = (origin.watched or {}).get("own")
    lock = code_identity.of_lock(Path(own)) if own else None
    return {
        "text": arm.text,
        **{name: found[name] for name in ("revision", "tree", "dirty", "reason")},
        "python": origin.python,
        "code": str(origin.suite.parent),
        "levels": dict(arm.levels),
        "variables": dict(arm.variables),
        "note": note,
        IDENTITY: {"diff_sha256": found["diff_sha256"], "lock_sha256": lock, **has["software"]},
    }


def arms_now(sides: Sequence[Arm], torches: Sequence[str], plugins: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What both arms are, by side, with the hashes of the plug-ins' files that each has, and its torch."""
    found: dict[str, dict[str, Any]] = {}
    for who, side, torch in zip(SIDES, sides, torches, strict=True):
        files = code_identity.of_plugins(plugins, side.origin.path or None)
        found[who] = {**side.facts, "torch": torch, IDENTITY: {**side.facts[IDENTITY], "plugins": files}}
    return found


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not as it was, of two arms; what an older gate did not keep is no difference."""
    known = {who: {name: now[who].get(name) for name in before[who]} for who in before}
    besides = [f"arms.{who}.{name}" for who in before for name in NO_IDENTITY]
    return differences({"arms": before}, {"arms": known}, ("arms",), ignore=besides)


def have_same_code(sides: Sequence[Arm]) -> bool:
    """Whether the same case is the same thing on both sides: same code, interpreter and variables."""
    first, second = (one.origin for one in sides)
    same_tree = sides[0].tree is not None and sides[0].tree == sides[1].tree
    same_place = (first.suite, first.path) == (second.suite, second.path)
    same_variables = sides[0].arm.variables == sides[1].arm.variables
    return first.python == second.python and same_variables and (same_tree or same_place)
