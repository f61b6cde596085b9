"""Which checkout owns each module: all checkouts, and each side's search path.

`suite.runner.import_witness` then checks in the side's process which modules it loads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from suite.gate.arms.checkouts import top_of
from suite.gate.arms.projects import copy_of
from suite.provenance import code_identity, plugin_identity
from suite.provenance.git import GitFailed, commit, git
from suite.runner.import_witness import Territory, is_within


def checkout_around(folder: Path, others: Iterable[Path | None]) -> Path:
    """The checkout around an arm's folder; the folder itself if both arms are in it.

    A subfolder may need modules of other folders.

    Args:
        folder: of the arm.
        others: folders that are not the arm's.
    """
    top = top_of(folder)
    if top is None or not code_identity.is_known(folder):
        return folder
    elsewhere = {os.path.realpath(top_of(other) or other) for other in others if other is not None}
    return folder if os.path.realpath(top) in elsewhere else top


def roots_of(folders: Iterable[Path | None], places: Iterable[str], free: Sequence[str]) -> tuple[str, ...]:
    """Real paths of all checkouts of the code that is compared.

    They are the arms' folders, all work trees of their repositories, and clones and copies of these on the
    interpreter's search path.

    Args:
        folders: of the repository and the arms, as far as they exist.
        places: folders in which the interpreter searches modules.
        free: folders of the interpreter's library and packages.
    """
    bases = list(dict.fromkeys(folder for folder in folders if folder))
    roots = [os.path.realpath(base) for base in bases]
    tops = list(dict.fromkeys(top_of(base) or base for base in bases))
    for top in tops:
        with suppress(GitFailed):
            roots += work_trees(top)
    for place in places:
        known = Territory(roots, "", free, ())
        real = known.real(place)
        if not is_within(real, free) and not known.owner(real) and os.path.isdir(real):
            found = (other_checkout(top, Path(real)) for top in tops)
            roots += [os.path.realpath(other) for other in found if other is not None]
    return tuple(dict.fromkeys(roots))


def other_checkout(top: Path, place: Path) -> Path | None:
    """The clone or copy of a checkout that a folder is in; None if it is in neither."""
    other = top_of(place)
    return other if other is not None and have_history_in_common(top, other) else copy_of(top, place)


def work_trees(top: Path) -> list[str]:
    """Real paths of a repository's work trees, including the gate's checkouts.

    Raises:
        GitFailed: git refused.
    """
    lines = git(top, "worktree", "list", "--porcelain").splitlines()
    listed = [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
    return [os.path.realpath(path) for path in listed if os.path.isdir(path)]


def have_history_in_common(first: Path, second: Path) -> bool:
    """Whether two repositories are clones, by commits that both have.

    Each clone may have commits that the other does not have.
    """
    for one, other in ((first, second), (second, first)):
        with suppress(GitFailed):
            commit(one, commit(other))
            return True
    with suppress(GitFailed):
        return not first_commits(first).isdisjoint(first_commits(second))
    return False


def first_commits(top: Path) -> set[str]:
    """The commits without a parent."""
    return set(git(top, "rev-list", "--max-parents=0", "HEAD").split())


def territory_of(roots: Sequence[str], own: Path | None, suite: Path, has: Mapping[str, Any]) -> Territory:
    """The owner of each file, for one side.

    Args:
        roots: all checkouts.
        own: this side's checkout.
        suite: folder of the package that measures; both sides share it if the arm contains none.
        has: search path and packages of the interpreter (`suite.runner.import_witness.surroundings`).
    """
    return Territory(**watched(roots, own, suite, has))


def watched(roots: Sequence[str], own: Path | None, suite: Path, has: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `territory_of` as plain values, for a witness in another process."""
    measures = os.path.realpath(suite)
    known = Territory(roots, "", (), ())
    copies = [place for source, places in has["copies"].items() for place in places if is_ours(source, known)]
    return {
        "roots": list(roots),
        "own": os.path.realpath(own) if own else "",
        "free": [*has["free"], measures],
        "copies": [place for place in copies if place != measures],
    }


def is_ours(source: str, known: Territory) -> bool:
    """Whether an installed copy has a checkout, or a project's name, as its source."""
    return not os.path.isabs(source) or known.owner(source) != ""


def moved_path(territory: Territory, path: Iterable[str]) -> list[str]:
    """The interpreter's search path, moved to the side's checkout."""
    return [territory.moved(entry) if os.path.exists(entry) else entry for entry in path]


def own_plugins(plugins: Iterable[str], watched: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Plug-ins with the files of callables in the side's checkout, there or not.

    Args:
        plugins: as `suite.registry.load_levels` takes them.
        watched: of the side's origin; None if nobody watches it.
    """
    if watched is None:
        return tuple(plugins)
    territory = known_by(watched)
    return tuple(of_side(plugin, territory) for plugin in plugins)


def of_side(plugin: str, territory: Territory) -> str:
    """A plug-in with its file, if it names one, in the side's checkout."""
    level, _, source = plugin.partition("=")
    place, _, name = source.rpartition(":")
    return f"{level}={territory.counterpart(place)}:{name}" if place.endswith(".py") else plugin


def not_in_checkout(plugins: Iterable[str], path: Sequence[str], watched: Mapping[str, Any] | None) -> dict[str, str]:
    """Plug-ins that only another checkout has, with the reason.

    Args:
        plugins: as the side loads them.
        path: the side's search path; empty for that of this process.
        watched: of the side's origin; None if nobody watches it.
    """
    if watched is None or not path:
        return {}
    territory = known_by(watched)
    found = {plugin: plugin_identity.files_of(plugin, path) for plugin in plugins}
    return {
        plugin: f"plug-in {plugin!r} is not in its checkout"
        for plugin, files in found.items()
        if files and all(territory.is_stray(str(file)) for file in files)
    }


def known_by(watched: Mapping[str, Any]) -> Territory:
    """The territory of a side, from the values for its witness."""
    return Territory(watched["roots"], watched["own"], watched["free"], watched["copies"])
