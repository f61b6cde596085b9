"""Contents of a checkout that git leaves out: submodules, and files in Git LFS.

Submodules are checked out from the user's clones of them, without a network. Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from suite.provenance.git import GitFailed, NoRevision, commit, git
from suite.records import StepmarkError

FORCE = ("--force", "--force")
"""Twice, to override a lock: git locks a checkout while making it, and a killed git leaves the lock."""
SUBMODULE = "160000"
"""Mode of a submodule in a tree of git."""
POINTER = b"version https://git-lfs.github.com/spec/"
"""Beginning of a file that stands for one in Git LFS.

Source: git-lfs, specification, "The Pointer".
"""
LARGEST_POINTER = 1024
"""Bytes; a pointer is smaller."""
WITH_LFS = ":(attr:filter=lfs)"
"""The files of Git LFS, as a pathspec of git."""


def complete(top: Path, folder: Path, revision: str) -> None:
    """Check out the submodules of a checkout, and refuse pointers of Git LFS.

    Args:
        top: the user's work tree.
        folder: the checkout.
        revision: as the user named it.

    Raises:
        StepmarkError: the user's clone lacks a commit of a submodule, or a file that the work tree has is a pointer.
    """
    for path, sha in submodules_of(folder):
        own, place = top / path, folder / path
        if not is_work_tree(own):  # the user works without it
            continue
        if not is_work_tree(place):
            add_submodule(own, place, sha, revision)
        complete(own, place, revision)
    refuse_pointers(top, folder, revision)


def submodules_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Path and commit of each submodule of a checkout's commit."""
    if not (folder / ".gitmodules").is_file():
        return
    for entry in git(folder, "ls-tree", "-r", "-z", "HEAD").split("\0"):
        mode, _, rest = entry.partition(" ")
        if mode == SUBMODULE:
            about, _, path = rest.partition("\t")
            yield path, about.split()[-1]


def is_work_tree(folder: Path) -> bool:
    """Whether a folder is the top of a work tree; an empty submodule is none."""
    if not folder.is_dir():
        return False
    with suppress(GitFailed):
        return Path(git(folder, "rev-parse", "--show-toplevel")).resolve() == folder.resolve()
    return False


def add_submodule(own: Path, place: Path, sha: str, revision: str) -> None:
    """Check out a commit of the user's submodule.

    Raises:
        StepmarkError: the user's clone does not have it, or git refused.
    """
    try:
        git(own, "worktree", "add", "--detach", *FORCE, str(place), commit(own, sha), guarded=True)
    except NoRevision as failed:
        raise StepmarkError(
            f"{revision} has commit {sha[:12]} of submodule {own}, which that clone does not have; "
            f"`git -C {own} fetch origin {sha}` fetches it."
        ) from failed
    except GitFailed as failed:
        raise StepmarkError(f"submodule {own} of {revision} cannot be checked out to {place}: {failed}.") from failed


def refuse_pointers(top: Path, folder: Path, revision: str) -> None:
    """Refuse a checkout with pointers of Git LFS where the work tree has files.

    Raises:
        StepmarkError: the number of pointers, one of them, and the commands that fetch the files.
    """
    listed = git(folder, "ls-files", "-z", "--", WITH_LFS).split("\0")
    pointers = [name for name in listed if name and is_pointer(folder / name) and not is_pointer(top / name)]
    if pointers:
        raise StepmarkError(
            f"{len(pointers)} {'file' if len(pointers) == 1 else 'files'} of {revision}, such as {pointers[0]}, came "
            "as pointers of Git LFS; allowed: the files themselves, as in the work tree; "
            f"`git lfs install && git lfs fetch origin {commit(folder)[:12]}` fetches them, then start the gate again."
        )


def is_pointer(path: Path) -> bool:
    """Whether a file is a pointer of Git LFS."""
    with suppress(OSError):
        if path.stat().st_size < LARGEST_POINTER:
            return path.read_bytes().startswith(POINTER)
    return False
