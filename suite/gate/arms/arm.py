"""One side of a comparison: an `Origin` that starts its workers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from suite.gate.arms import checkouts, code_ownership, images, interpreters, projects, side_variables
from suite.gate.arms.spec import ArmSpec, Checkout, Code, Here, Image, Revision
from suite.gate.record.values import SIDES
from suite.provenance import code_identity, plugin_identity
from suite.records import StepmarkError
from suite.records.compatibility import differences
from suite.registry import REGISTRIES
from suite.runner.code_origin import Origin

IDENTITY = "identity"
"""Key of the facts that identify the code to the last file: hashes and versions, which no report shows."""
NO_IDENTITY = ("tree", "dirty", "reason", "note")
"""Facts of an arm that may differ while its commit and identity are equal: new results make a work tree dirty."""


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm whose workers can be started.

    Attributes:
        origin: code, interpreter and variables of its workers.
        facts: a description in plain values, for the record.
        tree: hash of its code if a commit or an image holds exactly that code; else None.
    """

    arm: ArmSpec
    origin: Origin
    facts: dict[str, Any]
    tree: str | None


def make_both_ready(baseline: ArmSpec, candidate: ArmSpec, here: Path, profile_folder: Path) -> tuple[Arm, Arm]:
    """Make both arms ready; the workers of each watch for code of the other.

    Images have nothing to watch: a container sees no code but its image's.

    Raises:
        StepmarkError: one of them is an image and the other is not, or is another engine's; or as in `make_ready`.
    """
    refuse_one_image(baseline, candidate)
    places = place_of(baseline, here), place_of(candidate, here)
    sides = (
        make_ready(baseline, here, profile_folder, places[1]),
        make_ready(candidate, here, profile_folder, places[0]),
    )
    if isinstance(baseline.code, Image):
        engines = [side.origin.container.engine for side in sides if side.origin.container]
        if len(set(engines)) > 1:
            raise StepmarkError(
                f"the baseline is an image of {engines[0]} and the candidate one of {engines[1]}; allowed: images of "
                f"one engine; `{engines[1]} save` and `{engines[0]} load` copy one."
            )
        return sides
    watched = [dict(side.origin.watched or {}) for side in sides]
    roots = list(dict.fromkeys(root for paths in watched for root in (*paths["roots"], paths["own"]) if root))
    first, second = (
        replace(side, origin=replace(side.origin, watched={**paths, "roots": roots}))
        for side, paths in zip(sides, watched, strict=True)
    )
    return first, second


def refuse_one_image(baseline: ArmSpec, candidate: ArmSpec) -> None:
    """Raise if a container would be compared with processes of this machine."""
    texts = {isinstance(one.code, Image): one.text for one in (baseline, candidate)}
    if len(texts) > 1:
        raise StepmarkError(
            f"arm {texts[True]!r} is an image and arm {texts[False]!r} is not, so a difference could be the "
            "container's; allowed: two images, or none; give image: to both."
        )


def place_of(arm: ArmSpec, here: Path) -> Path | None:
    """The folder with an arm's code, if it is there before the arm is made ready."""
    if not isinstance(arm.code, Here | Checkout):
        return None
    with suppress(StepmarkError):  # raised again when the arm is made ready
        return folder_of(arm.code, here, checkouts.top_of(here))
    return None


def make_ready(arm: ArmSpec, here: Path, profile_folder: Path, other: Path | None = None) -> Arm:
    """Check out the arm's revision, make an environment for its lock, find its code.

    Args:
        arm: the parsed text.
        here: a folder within the repository of revisions.
        profile_folder: folder of the profile's plug-ins; if the repository contains it, the arm loads its own copy.
        other: folder of the other arm; None if unknown.

    Raises:
        StepmarkError: revision, folder, interpreter, image or code does not exist, or the environment cannot be made.
    """
    refuse_unknown_levels(arm)
    if isinstance(arm.code, Image):
        return of_image(arm, arm.code)
    top = checkouts.top_of(here)
    if isinstance(arm.code, Here) and arm.python is None:
        return as_here(arm, here, top, other)
    folder = folder_of(arm.code, here, top)
    python, note = (arm.python, "") if arm.python else interpreters.of_checkout(folder, top)
    has_code = (folder / "suite" / "zygote.py").is_file()
    if isinstance(arm.code, Checkout) and python == Origin().python and not has_code:
        refuse_no_code(folder)
    return of_folder(arm, folder, python, note, (here, profile_folder), (top, other))


def of_folder(
    arm: ArmSpec,
    folder: Path,
    python: str,
    note: str,
    begun: tuple[Path, Path],
    others: tuple[Path | None, Path | None],
) -> Arm:
    """An arm with the code in a folder; raises as `make_ready` does.

    Args:
        arm: the parsed text.
        folder: with its code.
        python: its interpreter.
        note: a remark on the choice of that.
        begun: the current folder and that of the profile's plug-ins.
        others: the current repository and the folder of the other arm; None if there is none.
    """
    top, here = others[0], begun[0]
    has_code = (folder / "suite" / "zygote.py").is_file()
    suite = folder / "suite" if has_code else Origin().suite
    own = code_ownership.checkout_around(folder, others)
    has = interpreters.surroundings(python, projects_of(own, *others))
    roots = code_ownership.roots_of((own, *others), (*has["path"], *has["roots"]), has["free"])
    territory = code_ownership.territory_of(roots, own, suite, has)
    start = side_variables.start_of(here, top, folder)
    last = [] if has_code else [str(suite.parent)]  # an installed Stepmark lies next to the packages of its interpreter
    not_ours = {str(path) for path in (top, *begun) if path}
    found = side_variables.kept_path([*has["path"], *has["roots"]], arm.variables)
    rest = [path for path in code_ownership.moved_path(territory, found) if path not in not_ours]
    first = [str(folder), *(str(checkouts.moved(place, top, folder)) for place in reversed(begun))]
    path = (*first, *side_variables.searched(arm.variables, start), *rest, *last)
    variables = {**interpreters.variables_for(python), **variables_of(arm, folder, top)}
    variables = side_variables.moved_variables(territory, variables)
    watched = code_ownership.watched(roots, own, suite, has)
    origin = Origin(interpreters.path_of(python), suite, tuple(dict.fromkeys(path)), variables, watched, start)
    state = checkouts.state_of(own)
    return Arm(arm, origin, facts_of(arm, state, origin, has, note), state.tree)


def variables_of(arm: ArmSpec, folder: Path, top: Path | None) -> dict[str, str]:
    """The variables of an arm, and its folder for extensions.

    The work tree has the user's folder.
    """
    if folder == top and arm.python is None and not arm.variables:
        return {}
    root = folder.parents[1] / "extensions" if isinstance(arm.code, Revision) else None
    return side_variables.with_extensions(arm.variables, folder, arm.python or "", root)


def refuse_no_code(folder: Path) -> None:
    """Raise if a checkout contains no module."""
    if not checkouts.has_modules(folder):
        raise StepmarkError(
            f"{folder} contains no code to measure; allowed after dir: a checkout with a Python module, or with a "
            f"{interpreters.LOCK} that differs from the current one; correct the path."
        )


def as_here(arm: ArmSpec, here: Path, top: Path | None, other: Path | None) -> Arm:
    """An arm with the current code and interpreter; arguments as in `make_ready`."""
    own = top or here
    has = interpreters.surroundings(Origin().python, projects_of(own, other))
    place = top if top is not None and code_identity.is_known(here) else here
    state = checkouts.state_of(place, is_named=False)
    roots = code_ownership.roots_of((own, other), (), has["free"])
    named = side_variables.searched(arm.variables, here)
    origin = Origin(
        path=(*named, *side_variables.kept_path(sys.path, arm.variables)) if named else (),
        variables=side_variables.with_extensions(arm.variables, here, "") if arm.variables else {},
        watched=code_ownership.watched(roots, own, Origin().suite, has),
    )
    return Arm(arm, origin, facts_of(arm, state, origin, has), state.tree)


def of_image(arm: ArmSpec, image: Image) -> Arm:
    """An arm with an image's code and interpreter; raises as `make_ready` does."""
    found = images.find(image.name)
    named = side_variables.searched(arm.variables, Path("/"))
    path = (*found.path[:1], *named, *found.path[1:])
    origin = Origin(found.python, found.suite, path, arm.variables, container=found.container)
    known = {name: found.commit.get(name) for name in ("revision", "dirty", "diff_sha256")}
    state = checkouts.State(**known, reason=None if found.commit else "the image does not name its commit")
    facts = facts_of(arm, state, origin, {"software": {"python": found.version, "packages_sha256": None}})
    digest = found.container.image
    return Arm(arm, origin, {**facts, "image": {**found.facts, "name": image.name, "config_digest": digest}}, digest)


def projects_of(*folders: Path | None) -> list[str]:
    """Names of the distributions that checkouts build."""
    known = dict.fromkeys(folder for folder in folders if folder)
    return list(dict.fromkeys(name for folder in known for name in projects.projects_of(folder)))


def folder_of(code: Code, here: Path, top: Path | None) -> Path:
    """The folder with an arm's code; raises as `make_ready` does."""
    if isinstance(code, Revision):
        return checkouts.check_out(code.name, here)
    return checkout_of(code.folder if isinstance(code, Checkout) else None, here, top)


def checkout_of(folder: str | None, here: Path, top: Path | None) -> Path:
    """The checkout that `dir:` names.

    It is the top folder of the folder's repository, if the folder has the same relative path as the current folder.
    Otherwise it is the folder itself.

    Raises:
        StepmarkError: the folder does not exist.
    """
    path = checkouts.existing(folder, top or here)
    its_top = checkouts.top_of(path)
    if (
        top is None
        or its_top is None
        or path.relative_to(its_top.resolve()) != here.resolve().relative_to(top.resolve())
    ):
        return path
    return its_top


def refuse_unknown_levels(arm: ArmSpec) -> None:
    """Raise if a level of the arm is not registered; import plug-ins before."""
    for factor, level in arm.levels.items():
        REGISTRIES[factor][level]


def facts_of(
    arm: ArmSpec, state: checkouts.State, origin: Origin, has: Mapping[str, Any], note: str = ""
) -> dict[str, Any]:
    """The facts of an arm; a resumed gate needs the same facts under `identity`.

    Args:
        arm: the parsed text.
        state: of its checkout.
        origin: of its processes.
        has: the search path and packages of its interpreter (`suite.runner.import_witness.surroundings`).
        note: a remark on the choice of its interpreter; empty if there is none.
    """
    of_checkout = asdict(state)
    own = (origin.watched or {}).get("own")
    lock = code_identity.of_lock(Path(own)) if own else None
    return {
        "text": arm.text,
        **{name: of_checkout[name] for name in ("revision", "tree", "dirty", "reason")},
        "python": origin.python,
        "code": str(origin.suite.parent),
        "levels": dict(arm.levels),
        "variables": dict(arm.variables),
        "note": note,
        IDENTITY: {"diff_sha256": of_checkout["diff_sha256"], "lock_sha256": lock, **has["software"]},
    }


def arms_now(sides: Sequence[Arm], torches: Sequence[str], plugins: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The facts of both arms, with their torch and their plug-ins' hashes, by side."""
    by_side: dict[str, dict[str, Any]] = {}
    for side, arm, torch in zip(SIDES, sides, torches, strict=True):
        own = code_ownership.own_plugins(plugins, arm.origin.watched)
        files = plugin_identity.of_plugins(() if arm.origin.container else own, arm.origin.path or None)
        by_side[side] = {**arm.facts, "torch": torch, IDENTITY: {**arm.facts[IDENTITY], "plugins": files}}
    return by_side


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Changed facts of two arms; facts missing from an older gate do not count."""
    known = {side: {name: now[side].get(name) for name in before[side]} for side in before}
    ignored = [f"arms.{side}.{name}" for side in before for name in NO_IDENTITY]
    return differences({"arms": before}, {"arms": known}, ("arms",), ignore=ignored)


def have_same_code(sides: Sequence[Arm]) -> bool:
    """Whether both sides have the same code, interpreter and variables."""
    first, second = (side.origin for side in sides)
    same_tree = sides[0].tree is not None and sides[0].tree == sides[1].tree
    same_place = (first.suite, first.path) == (second.suite, second.path)
    same_variables = sides[0].arm.variables == sides[1].arm.variables
    same_machine = (first.python, first.container) == (second.python, second.container)
    return same_machine and same_variables and (same_tree or same_place)
