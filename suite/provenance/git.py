"""Calls of git in a named folder, whatever variables a hook or shell has set.

A hook of git has variables that name an index, a folder `.git` or a work tree. A git that inherits them works on those
and not on the folder that it is given. Our calls run no hook of the user's, start no monitor and write no index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from suite.machine.process_lifetime import run_guarded
from suite.records import StepmarkError

KEPT = (
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES"),
    *("GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_TERMINAL_PROMPT"),
)
"""Variables of git that stay: they say who the user is and how far git may look. All others named `GIT_*` go."""
OF_COMMAND = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_CONFIG_PARAMETERS")
"""Beginnings of the variables that hold settings of one command, as `git -c` and continuous integration make them."""
SAFE = "safe.directory"
"""The one setting of those that is kept: without it git refuses the folders of another user."""
OURS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "--no-optional-locks")
"""No hook, no monitor of files, no lock on the user's index that is not needed."""
NO_REPOSITORY = "not a git repository"
NO_REVISION = "Needed a single revision"
OWNERSHIP = "dubious ownership"


class GitFailed(StepmarkError):
    """git refused or failed. The text is a reason without a period, for a sentence."""


class NoGit(GitFailed):
    """There is no program git."""


class NoRepository(GitFailed):
    """The folder is in no repository."""


class NoRevision(GitFailed):
    """The repository has no such commit."""


class GitRefused(GitFailed):
    """git is there and does not want to, or cannot; the text has its last line."""


def git(folder: Path, *arguments: str, guarded: bool = False) -> str:
    """The output of a git command in a folder, without its last line break.

    One that may take long is `guarded`: it ends with this process.

    Raises:
        NoGit, NoRepository, NoRevision, GitRefused: which of these it is.
    """
    return raw(folder, *arguments, guarded=guarded).decode(errors="surrogateescape").removesuffix("\n")


def raw(folder: Path, *arguments: str, guarded: bool = False) -> bytes:
    """The bytes that git writes for a command in a folder; raises as `git` does."""
    program = shutil.which("git")
    if program is None:
        raise NoGit("there is no git on the PATH")
    if not folder.is_dir():
        raise NoRepository(f"there is no folder {folder}")
    command = [program, "-C", str(folder), *OURS, *arguments]
    try:
        if guarded:
            done = run_guarded(command, env=environment())
        else:
            done = subprocess.run(
                command, capture_output=True, env=environment(), stdin=subprocess.DEVNULL, check=False
            )
    except OSError as error:
        raise NoGit(f"git does not start: {error.strerror or error}") from error
    if done.returncode:
        raise failure(folder, done.stderr.decode(errors="replace"), done.returncode)
    return done.stdout


def commit(folder: Path, revision: str = "HEAD") -> str:
    """The hash of the commit that a revision names.

    Raises:
        NoRevision: there is none; other errors are those of `git`.
    """
    return git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")


def failure(folder: Path, said: str, status: int) -> GitFailed:
    """The error for what git wrote on standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reasons = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("fatal:", "error:"))]
    reason = next(iter(reversed(reasons or lines)), f"it ended with exit status {status} and said nothing").rstrip(".")
    if NO_REPOSITORY in reason:
        return NoRepository(f"{folder} is in no git repository")
    if NO_REVISION in reason:
        return NoRevision(f"there is no such commit in {folder}")
    if OWNERSHIP in said:
        allow = next((line for line in lines if line.startswith("git config")), f"git config --global --add {SAFE}")
        return GitRefused(f"git refused: {reason}; `{allow}` allows it")
    return GitRefused(f"git refused: {reason}")


def environment() -> dict[str, str]:
    """The environment of our calls: no variables of another place, English texts."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in KEPT}
    safe = safe_folders(tuple((name, os.environ[name]) for name in sorted(os.environ) if name.startswith(OF_COMMAND)))
    settings = {"GIT_CONFIG_COUNT": str(len(safe))} if safe else {}
    for number, folder in enumerate(safe):
        settings |= {f"GIT_CONFIG_KEY_{number}": SAFE, f"GIT_CONFIG_VALUE_{number}": folder}
    return {**own, **settings, "LC_ALL": "C", "LANGUAGE": "C"}


@cache
def safe_folders(variables: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Folders that `git -c` settings declare safe, as git reads those variables."""
    if not variables or shutil.which("git") is None:
        return ()
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", "/", "config", "--null", "--get-all", SAFE]
    done = subprocess.run(command, capture_output=True, env={**own, **alone, **dict(variables)}, check=False)
    return tuple(os.fsdecode(done.stdout).split("\0")[:-1])
