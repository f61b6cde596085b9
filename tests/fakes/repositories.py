"""Real repositories of git for tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

NAMED = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=trunk", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str, **variables: str) -> str:
    """Output of git, without variables that the tests' process has inherited."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *NAMED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**own, **variables})
    return done.stdout.strip()


def repository(folder: Path, *states: dict[str, str]) -> Path:
    """A repository with one commit for each state: path -> text of what that commit changes."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    for number, files in enumerate(states):
        write(folder, files)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", f"commit {number}")
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    """Files by their path within a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
