"""The code of an arm: a separate checkout of a revision, or an existing folder.

Checkouts are kept in `.stepmark/checkouts` of the repository, which git ignores.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from suite.gate.arms.checkout_contents import FORCE, complete, is_work_tree
from suite.provenance import code_identity
from suite.provenance.git import GitFailed, GitRefused, NoRevision, commit, git
from suite.records import StepmarkError, file_locks
from suite.records.atomic_files import cannot_write, write_whole

KEPT = ".stepmark"
"""Folder in the repository for the gate's checkouts and environments."""
SHORT = 12
"""Digits of a commit's hash that name its checkout."""


@dataclass(frozen=True, slots=True)
class State:
    """The code in a folder, by git.

    Attributes:
        revision: hash of the commit; None if git gives none.
        tree: hash of the folder in the commit; None if files differ from it, or git ignores any of its modules.
        dirty: whether files differ from the commit, new ones included.
        diff_sha256: hash of the differences (`code_identity`); of all modules if git does not track the folder.
        reason: why git gives no commit.
    """

    revision: str | None = None
    tree: str | None = None
    dirty: bool | None = None
    diff_sha256: str | None = None
    reason: str | None = None


def top_of(folder: Path) -> Path | None:
    """The top folder of a folder's repository; None if git finds none."""
    with suppress(GitFailed):
        return Path(git(folder, "rev-parse", "--show-toplevel"))
    return None


def state_of(folder: Path, *, is_named: bool = True) -> State:
    """The state of a folder; untracked files that git does not ignore make it dirty.

    git says nothing of a folder that it ignores, so the state of that is the one of a folder without git.

    Args:
        folder: of the arm.
        is_named: whether the user named it. A folder that the user did not name need not be a project, so its modules
            are not searched for.
    """
    identity = code_identity.of_checkout(folder)
    if identity["revision"] is not None and not code_identity.is_known(folder):
        identity = {"revision": None, "reason": f"the repository that {folder} is in ignores it"}
    if identity["revision"] is None:
        return State(diff_sha256=code_identity.of_folder(folder) if is_named else None, reason=identity["reason"])
    dirty = bool(differences(folder, "normal")) or identity["dirty"]
    is_commit = not dirty and identity["diff_sha256"] is None and not code_identity.has_more_code(folder)
    tree = git(folder, "rev-parse", "HEAD:./") if is_commit else None
    return State(identity["revision"], tree, dirty, identity["diff_sha256"])


def differences(folder: Path, untracked: str) -> str:
    """The changed files of a checkout, as `git status` lists them.

    Args:
        folder: anywhere in the checkout.
        untracked: whether untracked files count: `normal`, or `no`.

    Raises:
        GitFailed: git refused.
    """
    return git(folder, "status", "--porcelain", f"--untracked-files={untracked}", "--ignore-submodules=none")


def existing(folder: str | None, otherwise: Path) -> Path:
    """The real path of a folder, or `otherwise` for None.

    Raises:
        StepmarkError: the folder does not exist.
    """
    path = Path(folder).resolve() if folder else otherwise
    if not path.is_dir():
        raise StepmarkError(f"there is no folder {path}; allowed after dir: a checkout; correct the path.")
    return path


def check_out(revision: str, here: Path) -> Path:
    """The checkout of a revision; made if it is missing.

    Raises:
        StepmarkError: the repository or revision does not exist, or the checkout was changed or cannot be made.
    """
    try:
        top = Path(git(here, "rev-parse", "--show-toplevel"))
        sha = commit(top, revision)
    except NoRevision as failed:
        raise StepmarkError(
            f"revision {revision!r} is not known in {top}; allowed: a commit, branch or tag of that repository; "
            f"{advice(top, revision)}."
        ) from failed
    except GitFailed as failed:
        raise StepmarkError(f"revision {revision!r} cannot be found: {failed}.") from failed
    folder = kept(top) / "checkouts" / sha[:SHORT]
    mark = unfinished(folder)
    with alone(folder.parent):
        if not folder.is_dir() or mark.exists():
            add(top, revision, sha, folder)
        elif not holds(folder, sha):
            raise StepmarkError(
                f"the checkout {folder} was changed; allowed: the files of its commit; remove the folder, and the gate "
                "makes it again."
            )
        try:
            complete(top, folder, revision)
        except StepmarkError:
            shutil.rmtree(folder)  # so that the next gate makes it again, with what the user fetches
            mark.unlink(missing_ok=True)
            raise
        mark.unlink(missing_ok=True)
    return folder


def advice(top: Path, revision: str) -> str:
    """The way to a revision that a repository does not know."""
    if is_shallow(top):
        return (
            "this clone is shallow: `git fetch --unshallow` fetches the rest; in CI give actions/checkout "
            "`fetch-depth: 0`, or set `GIT_DEPTH: 0` for GitLab"
        )
    with suppress(GitFailed):
        commit(top, f"origin/{revision}")
        return f"rev:origin/{revision} is there"
    return "fetch it, or correct the name"


def is_shallow(top: Path) -> bool:
    """Whether the clone is shallow, so that it lacks commits."""
    return git(top, "rev-parse", "--is-shallow-repository") == "true"


def add(top: Path, revision: str, sha: str, folder: Path) -> None:
    """Make a checkout, which counts as unfinished until its submodules are there.

    The files decide whether it succeeded, not git's exit status: git may fail for another reason, such as a hook.

    Raises:
        StepmarkError: the checkout is incomplete; the text has git's reason.
    """
    mark = unfinished(folder)
    shutil.rmtree(folder, ignore_errors=True)  # the process that began it was killed
    mark.touch()
    try:
        git(top, "worktree", "add", "--detach", *FORCE, str(folder), sha, guarded=True)
    except GitFailed as failed:
        if not holds(folder, sha):
            shutil.rmtree(folder, ignore_errors=True)
            mark.unlink()
            fetch = f"; `git lfs fetch origin {sha[:SHORT]}` fetches its files" if "lfs" in str(failed) else ""
            raise StepmarkError(f"{revision} cannot be checked out to {folder}: {failed}{fetch}.") from failed


def unfinished(folder: Path) -> Path:
    """The file that marks a checkout as unfinished, even after a kill."""
    return folder.with_name(f"{folder.name}.unfinished")


def holds(folder: Path, sha: str) -> bool:
    """Whether a folder is a checkout at a commit, with every tracked file unchanged.

    Raises:
        StepmarkError: git refuses to read it, such as that of another user.
    """
    try:
        return commit(folder) == sha and is_work_tree(folder) and not differences(folder, "no")
    except GitRefused as failed:
        raise StepmarkError(
            f"the checkout {folder} cannot be read: {failed}; remove the folder, and the gate makes it again."
        ) from failed
    except GitFailed:
        return False


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder, so that no other gate writes to it at the same time.

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
    """The folder `.stepmark`, which git ignores; made if it is missing.

    Raises:
        StepmarkError: the folder cannot be made.
    """
    folder = top / KEPT
    ignored = folder / ".gitignore"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    if not ignored.exists():
        write_whole(ignored, "*\n")  # in one piece: another gate may run git at this moment
    return folder


def moved(folder: Path, top: Path | None, to: Path) -> Path:
    """The folder's path in another checkout; unchanged outside the repository."""
    if top is None or not folder.is_relative_to(top):
        return folder
    return to / folder.relative_to(top)


def has_modules(checkout: Path) -> bool:
    """Whether a checkout contains a Python module at any depth."""
    return any(not name.endswith(code_identity.LOCK) for name in code_identity.modules_in(checkout))
