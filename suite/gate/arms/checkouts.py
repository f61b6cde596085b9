"""The code of an arm: a revision in a checkout of its own, kept for the next time, or a folder that is there.

Checkouts stand in `.stepmark/checkouts` of the repository, which git is told to leave alone.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from suite.records import StepmarkError

KEPT = ".stepmark"
"""Folder, in the repository, of what the gate keeps: checkouts and environments."""
SHORT = 12
"""Digits of a commit's hash that name its checkout."""


@dataclass(frozen=True, slots=True)
class State:
    """What a folder holds: a commit's hash, the hash of its tree, and whether files differ from it; None without git.

    The tree is None where they differ: what is there then has no name.
    """

    revision: str | None = None
    tree: str | None = None
    dirty: bool | None = None


def git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where it fails, or there is none."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def top_of(folder: Path) -> Path | None:
    """The repository's top folder; None outside of one."""
    top = git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else None


def state_of(folder: Path) -> State:
    """What is in a folder, by git. Files that git does not know, but does not ignore either, count as a difference."""
    revision = git(folder, "rev-parse", "HEAD")
    if revision is None:
        return State()
    dirty = bool(git(folder, "status", "--porcelain"))
    return State(revision, None if dirty else git(folder, "rev-parse", "HEAD^{tree}"), dirty)


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
    top = top_of(here)
    if top is None:
        raise StepmarkError(f"{here} is in no git repository, so that revision {revision!r} cannot be found.")
    commit = git(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if commit is None:
        raise StepmarkError(
            f"revision {revision!r} is not known in {top}; allowed: a commit, branch or tag that is there."
        )
    folder = kept(top) / "checkouts" / commit[:SHORT]
    if folder.is_dir():
        changed = git(folder, "status", "--porcelain", "--untracked-files=no")
        if git(folder, "rev-parse", "HEAD") != commit or changed:
            raise StepmarkError(f"the checkout {folder} was changed; remove it, and it is made anew.")
        return folder
    git(top, "worktree", "prune")
    if git(top, "worktree", "add", "--detach", "--force", str(folder), commit) is None:
        raise StepmarkError(
            f"git cannot check {revision} out to {folder}; is the disk full, or the folder not writable?"
        )
    return folder


def kept(top: Path) -> Path:
    """The folder of what is kept, made where it is missing; git leaves it alone.

    Raises:
        StepmarkError: it cannot be made.
    """
    folder = top / KEPT
    try:
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
    except OSError as error:
        raise StepmarkError(f"cannot write {folder}: {error.strerror or error}.") from error
    return folder


def moved(folder: Path, top: Path | None, to: Path) -> Path:
    """Where a folder of the repository is in another checkout of it; itself where it is elsewhere."""
    if top is None or not folder.is_relative_to(top):
        return folder
    return to / folder.relative_to(top)


def has_modules(checkout: Path, moved: Path) -> bool:
    """Whether a checkout holds modules or packages of Python, at its top or in a folder of its own below."""
    within = {folder for folder in (checkout, moved) if folder.is_relative_to(checkout)}
    return any(any(folder.glob(pattern)) for folder in within for pattern in ("*.py", "*/__init__.py"))
