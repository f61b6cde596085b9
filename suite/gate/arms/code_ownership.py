"""Whose code a side loads: the checkouts that there are, and each folder of modules in the side's own.

`suite.runner.import_witness` then sees in the side's process what is loaded in truth.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from suite.gate.arms.checkouts import top_of
from suite.provenance.git import GitFailed, commit, git
from suite.runner.import_witness import Territory, is_within

SEARCHED = "PYTHONPATH"


def roots_of(top: Path | None, folder: Path | None, places: Iterable[str], free: Sequence[str]) -> tuple[str, ...]:
    """Real paths of all checkouts of the repository: its work trees, an arm's folder, and clones from which the
    interpreter has modules.

    Args:
        top: of the repository; None where there is none.
        folder: of the arm; None where it names none.
        places: folders in which the interpreter searches modules.
        free: folders of the interpreter's own library and packages.
    """
    found = [os.path.realpath(one) for one in (top, folder) if one]
    if top is not None:
        with suppress(GitFailed):
            found += work_trees(top)
        known = Territory(found, "", free, ())
        for place in places:
            real = known.real(place)
            if not is_within(real, free) and not known.owner(real) and os.path.isdir(real):
                other = top_of(Path(real))
                if other is not None and have_history_in_common(top, other):
                    found.append(os.path.realpath(other))
    return tuple(dict.fromkeys(found))


def work_trees(top: Path) -> list[str]:
    """Real paths of a repository's work trees, that of this one and the gate's checkouts among them.

    Raises:
        GitFailed: git refused.
    """
    lines = git(top, "worktree", "list", "--porcelain").splitlines()
    listed = [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
    return [os.path.realpath(one) for one in listed if os.path.isdir(one)]


def have_history_in_common(first: Path, second: Path) -> bool:
    """Whether one of two repositories has the commit that is checked out in the other: they are clones."""
    for one, other in ((first, second), (second, first)):
        with suppress(GitFailed):
            commit(one, commit(other))
            return True
    return False


def projects_of(folder: Path) -> list[str]:
    """Names of the distributions that a checkout makes, by the `pyproject.toml` files that git knows in it."""
    names: list[str] = []
    with suppress(GitFailed):
        for file in git(folder, "ls-files", "-z", "*pyproject.toml").split("\0"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                names.append(str(tomllib.loads((folder / file).read_text(encoding="utf-8"))["project"]["name"]))
    return names


def territory_of(roots: Sequence[str], own: Path | None, suite: Path, has: Mapping[str, Any]) -> Territory:
    """Whose files are whose for one side.

    Args:
        roots: checkouts.
        own: this side's.
        suite: folder of the package that measures, which is the same on both sides where the arm has none.
        has: what the interpreter has (`suite.runner.import_witness.surroundings`).
    """
    return Territory(**watched(roots, own, suite, has))


def watched(roots: Sequence[str], own: Path | None, suite: Path, has: Mapping[str, Any]) -> dict[str, Any]:
    """The same as plain values, for a witness in another process."""
    measures = os.path.realpath(suite)
    known = Territory(roots, "", (), ())
    copies = [one for source, places in has["copies"].items() for one in places if is_ours(source, known)]
    return {
        "roots": list(roots),
        "own": os.path.realpath(own) if own else "",
        "free": [*has["free"], measures],
        "copies": [one for one in copies if one != measures],
    }


def is_ours(source: str, known: Territory) -> bool:
    """Whether what was installed by copying came from a checkout, or is a project of its name."""
    return not os.path.isabs(source) or known.owner(source) != ""


def moved_path(territory: Territory, has: Mapping[str, Any]) -> list[str]:
    """Folders in which a side searches modules: those of the interpreter, each in the side's own checkout."""
    return [territory.moved(one) if os.path.isdir(one) else one for one in (*has["path"], *has["roots"])]


def moved_variables(territory: Territory, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of an arm, with the user's own search path in its checkout: processes that a step starts use it."""
    own = os.environ.get(SEARCHED)
    if not own or SEARCHED in variables:
        return dict(variables)
    return {**variables, SEARCHED: os.pathsep.join(territory.moved(one) for one in own.split(os.pathsep) if one)}
