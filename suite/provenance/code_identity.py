"""Identity of the measured code: commit, changes, lock and files of plug-ins.

Two measurements ran the same code if all of these are equal. A hash is SHA-256 in hexadecimal.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, all_suffixes
from itertools import islice
from pathlib import Path
from typing import Any

from suite.provenance.git import GitFailed, commit, git, raw

LOCK = "requirements.lock"
MOST_FILES = 20_000
"""Most modules of a folder without git that are hashed; a folder with more is no project."""
CODE = tuple(suffix for suffix in all_suffixes() if suffix not in BYTECODE_SUFFIXES)
"""Ends of the names of files that Python imports as they are written."""
ALL_CODE = tuple(all_suffixes())
"""The same with compiled files, which Python imports without their source."""
SUBMODULE, LINK = "160000", "120000"
"""Modes of git.

Source: git, Documentation/gitformat-index.txt, "Index entry".
"""
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
"""Files and folders at the top of an environment, which is no code of the project that it lies in."""
SKIPPED = "S"
"""Tag of a file of which a sparse checkout, or the user, says that it is not in the work tree."""


def of_checkout(folder: Path) -> dict[str, Any]:
    """The state of the checkout that a folder is in.

    Returns:
        `revision`, `branch`; `dirty`, whether a file that git knows differs from the commit; `diff_sha256`, hash of
        all differences, new modules included, None where there are none. Where git says nothing, all are None, and
        `reason` says why.
    """
    try:
        top = Path(git(folder, "rev-parse", "--show-toplevel"))
        revision = commit(top)
        known, new = changed_files(top)
        return {
            "revision": revision,
            "branch": git(top, "rev-parse", "--abbrev-ref", "HEAD"),
            "dirty": bool(known),
            "diff_sha256": hash_of(top, known + new),
        }
    except GitFailed as failed:
        return {"revision": None, "branch": None, "dirty": None, "diff_sha256": None, "reason": str(failed)}


def changed_files(top: Path) -> tuple[list[str], list[str]]:
    """Files that differ from the commit: tracked ones, and other modules.

    Paths start at the top of the checkout; that of a repository within it ends with `/`.

    Ignored files are no difference, except compiled modules next to others. Neither are other untracked files: results
    are among them.

    Raises:
        GitFailed: git refused.
    """
    known = raw(top, "diff", "HEAD", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    new = raw(top, "ls-files", "--others", "--exclude-standard", "-z")
    within = [name for name in submodules(top) if any(changed_files(top / name))]
    tracked = dict.fromkeys([*names(known), *hidden_changes(top), *within])
    return list(tracked), [name for name in names(new) if name.endswith((*CODE, LOCK, "/"))] + built_modules(top)


def hidden_changes(top: Path) -> list[str]:
    """Changed files that git was asked not to look at.

    `git update-index --assume-unchanged` and `--skip-worktree` ask for it.

    A file that a sparse checkout leaves out is no change.

    Raises:
        GitFailed: git refused.

    Source: git-ls-files(1), the tags of `-v`.
    """
    tagged = [(line[:1], line[2:]) for line in names(raw(top, "ls-files", "-v", "-z"))]
    flagged = {name: tag for tag, name in tagged if tag == SKIPPED or tag.islower()}
    there = [name for name in flagged if (top / name).is_file() and not (top / name).is_symlink()]
    gone = [name for name, tag in flagged.items() if tag.upper() != SKIPPED and not os.path.lexists(top / name)]
    if not there:
        return gone
    now = git(top, "hash-object", "--", *there).splitlines()
    committed = dict(blob_of(entry) for entry in names(raw(top, "ls-tree", "-r", "-z", "HEAD", "--", *there)))
    return gone + [name for name, blob in zip(there, now, strict=True) if committed.get(name) != blob]


def blob_of(entry: str) -> tuple[str, str]:
    """Path and hash of a file, from a line of `git ls-tree`."""
    about, _, name = entry.partition("\t")
    return name, about.split()[-1]


def submodules(top: Path) -> list[str]:
    """Paths of the submodules that are checked out.

    Raises:
        GitFailed: git refused.
    """
    return [name for name in tracked_as(SUBMODULE, top) if (top / name / ".git").exists()]


def tracked_as(mode: str, folder: Path) -> list[str]:
    """Paths of tracked files of a folder that have a mode of git.

    Raises:
        GitFailed: git refused.
    """
    entries = names(raw(folder, "ls-files", "--stage", "-z"))
    return [entry.partition("\t")[2] for entry in entries if entry.startswith(f"{mode} ")]


def built_modules(top: Path) -> list[str]:
    """Compiled modules that git ignores, from builds in place.

    Raises:
        GitFailed: git refused.
    """
    ignored = raw(top, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    return [name for name in names(ignored) if name.endswith(tuple(EXTENSION_SUFFIXES))]


def has_more_code(folder: Path) -> bool:
    """Whether a folder may run code or read files that its commit lacks.

    git ignores a module of it, a repository in it, or a file next to its modules, or a link leads out of its
    repository. Environments and the gate's own folder are no code of it.

    Raises:
        GitFailed: git refused.
    """
    listed = names(raw(folder, "ls-files", "--others", "--ignored", "--exclude-standard", "-z"))
    known = names(raw(folder, "ls-files", "-z"))
    packages = {os.path.dirname(name) for name in known if name.endswith(CODE)}  # noqa: PTH120 - texts of git
    foreign: dict[Path, bool] = {folder: False}
    for name in listed:
        path = folder / name
        is_code = name.endswith((*ALL_CODE, "/")) or (
            os.path.dirname(name) in packages and not path.name.startswith(".")  # noqa: PTH120
        )
        if is_code and not is_foreign(path.parent, foreign):
            return True
    top = Path(git(folder, "rev-parse", "--show-toplevel")).resolve()
    if any(not (folder / name).resolve().is_relative_to(top) for name in tracked_as(LINK, folder)):
        return True
    return any(has_more_code(folder / name) for name in submodules(folder))


def is_foreign(folder: Path, known: dict[Path, bool]) -> bool:
    """Whether a folder is in an environment or a hidden folder; `known` grows."""
    if folder not in known:
        own = folder.name.startswith((".", "__")) or any((folder / mark).exists() for mark in ENVIRONMENT_MARKS)
        known[folder] = own or is_foreign(folder.parent, known)
    return known[folder]


def is_known(folder: Path) -> bool:
    """Whether the repository of a folder has a file of it that it does not ignore.

    Raises:
        GitFailed: git refused.
    """
    if Path(git(folder, "rev-parse", "--show-toplevel")).resolve() == folder.resolve():
        return True
    return bool(raw(folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "."))


def of_folder(folder: Path) -> str | None:
    """Hash of all modules in a folder without git.

    Returns:
        None for no modules, or more than `MOST_FILES`.
    """
    found = list(islice(modules_in(folder), MOST_FILES + 1))
    return None if len(found) > MOST_FILES else hash_of(folder, found)


def modules_in(folder: Path) -> Iterator[str]:
    """Paths of modules and locks in a folder and below.

    Virtual environments and hidden folders are skipped.
    """
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        within = Path(where).relative_to(folder)
        yield from (str(within / name) for name in files if name.endswith((*CODE, LOCK)))


def names(listed: bytes) -> list[str]:
    """Names that end with a null byte each."""
    return os.fsdecode(listed).split("\0")[:-1]


def hash_of(top: Path, files: Sequence[str]) -> str | None:
    """Hash of the names and the present contents of files; None where there are none."""
    if not files:
        return None
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(os.fsencode(f"{name}\0{content_mark(top / name)}\0"))
    return total.hexdigest()


def content_mark(path: Path) -> str:
    """A hash of a file, the target of a link, or the state of a submodule."""
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_dir():
        inner = of_checkout(path)
        return f"submodule {inner['revision']} {inner['diff_sha256']}"
    return of_file(path) or "not there"


def of_file(path: Path) -> str | None:
    """Hash of a file's contents; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def of_lock(folder: Path) -> str | None:
    """Hash of the lock in a folder; None where there is none."""
    return of_file(folder / LOCK)
