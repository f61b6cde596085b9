"""The code of an arm: a revision in a checkout of its own, kept for the next time, or a folder that is there.

Checkouts stand in `.stepmark/checkouts` of the repository, which git is told to leave alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from suite.provenance import code_identity
from suite.provenance.git import GitFailed, NoRevision, commit, git
from suite.records import StepmarkError, file_locks
from suite.records.atomic_files import cannot_write, write_whole

KEPT = ".stepmark"
"""Folder, in the repository, of what the gate keeps: checkouts and environments."""
FORCE = ("--force", "--force")
"""Twice: git locks a checkout while it makes it, and one that was killed leaves the lock."""
SHORT = 12
"""Digits of a commit's hash that name its checkout."""


@dataclass(frozen=True, slots=True)
class State:
    """What a folder holds.

    Attributes:
        revision: hash of the commit; None where git says nothing.
        tree: hash of its tree; None where files differ: what is there then has no name.
        dirty: whether files differ, new ones included.
        diff_sha256: hash of how they differ (`code_identity`); that of all modules where git does not keep them.
        reason: why git says nothing.
    """

    revision: str | None = None
    tree: str | None = None
    dirty: bool | None = None
    diff_sha256: str | None = None
    reason: str | None = None


def top_of(folder: Path) -> Path | None:
    """The repository's top folder; None where there is none that git shows."""
    with suppress(GitFailed):
        return Path(git(folder, "rev-parse", "--show-toplevel"))
    return None


def state_of(folder: Path, *, is_named: bool = True) -> State:
    """What is in a folder, by git. Files that git does not know, but does not ignore either, count as a difference.

    Args:
        folder: which.
        is_named: whether the user named it; another one need not be a project, and is not searched for modules.
    """
    found = code_identity.of_checkout(folder)
    if found["revision"] is None:
        return State(diff_sha256=code_identity.of_folder(folder) if is_named else None, reason=found["reason"])
    dirty = bool(differences(folder, "normal"))
    tree = None if dirty else git(folder, "rev-parse", "HEAD^{tree}")
    return State(found["revision"], tree, dirty, found["diff_sha256"])


def differences(folder: Path, untracked: str) -> str:
    """What git calls changed in a checkout.

    Args:
        folder: anywhere in it.
        untracked: whether files that git does not know count: `normal`, or `no`.

    Raises:
        GitFailed: git refused.
    """
    return git(folder, "status", "--porcelain", f"--untracked-files={untracked}", "--ignore-submodules=none")


def existing(folder: str | None, otherwise: Path) -> Path:
    """A folder that is there.

    Raises:
        StepmarkError: it is not.
    """
    path = Path(folder).resolve() if folder else otherwise
    if not path.is_dir():
        raise StepmarkError(f"there is no folder {path}; allowed after dir: a checkout.")
    return path


def check_out(revision: str, here: Path) -> Path:
    """The checkout of a revision, made where it is missing.

    Raises:
        StepmarkError: there is no repository, no such revision, or its checkout was changed or cannot be made.
    """
    try:
        top = Path(git(here, "rev-parse", "--show-toplevel"))
        found = commit(top, revision)
    except NoRevision as failed:
        raise StepmarkError(
            f"revision {revision!r} is not known in {top}; allowed: a commit, branch or tag that is there"
            f"{' (this clone is shallow: `git fetch --unshallow` brings the rest)' if is_shallow(top) else ''}."
        ) from failed
    except GitFailed as failed:
        raise StepmarkError(f"revision {revision!r} cannot be found: {failed}.") from failed
    folder = kept(top) / "checkouts" / found[:SHORT]
    with alone(folder.parent):
        if not folder.is_dir() or unfinished(folder).exists():
            add(top, revision, found, folder)
        elif not holds(folder, found):
            raise StepmarkError(f"the checkout {folder} was changed; remove it, and it is made anew.")
    return folder


def is_shallow(top: Path) -> bool:
    """Whether a clone leaves commits out."""
    return git(top, "rev-parse", "--is-shallow-repository") == "true"


def add(top: Path, revision: str, found: str, folder: Path) -> None:
    """Make a checkout. What is there afterwards decides, not what git says: it may complain of other things.

    Raises:
        StepmarkError: it is not there; git's own reason is in the text.
    """
    mark = unfinished(folder)
    shutil.rmtree(folder, ignore_errors=True)  # whoever began it was killed
    mark.touch()
    try:
        git(top, "worktree", "add", "--detach", *FORCE, str(folder), found, guarded=True)
    except GitFailed as failed:
        if not holds(folder, found):
            shutil.rmtree(folder, ignore_errors=True)
            mark.unlink()
            raise StepmarkError(f"{revision} cannot be checked out to {folder}: {failed}.") from failed
    mark.unlink()


def unfinished(folder: Path) -> Path:
    """A file that is there while a checkout is made, and stays where that is killed."""
    return folder.with_name(f"{folder.name}.unfinished")


def holds(folder: Path, found: str) -> bool:
    """Whether a checkout is at a commit, with every file that git knows as it is there."""
    try:
        return commit(folder) == found and not differences(folder, "no")
    except GitFailed:
        return False


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other gates from making something in a folder at the same time.

    Raises:
        StepmarkError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        file_locks.lock(fd, wait=True)
        yield
    finally:
        file_locks.release(fd)


def kept(top: Path) -> Path:
    """The folder of what is kept, made where it is missing; git leaves it alone.

    Raises:
        StepmarkError: it cannot be made.
    """
    folder = top / KEPT
    ignored = folder / ".gitignore"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    if not ignored.exists():
        write_whole(ignored, "*\n")  # another gate may ask git at this moment
    return folder


def moved(folder: Path, top: Path | None, to: Path) -> Path:
    """Where a folder of the repository is in another checkout of it; itself where it is elsewhere."""
    if top is None or not folder.is_relative_to(top):
        return folder
    return to / folder.relative_to(top)


def has_modules(checkout: Path) -> bool:
    """Whether a checkout holds a module of Python, at any depth."""
    return any(not name.endswith(code_identity.LOCK) for name in code_identity.modules_in(checkout))
