"""The interpreter of an arm: this one, unless the arm names another, or has another lock than this one was made from.

Environments stand in `.stepmark/environments` of the repository, by the hash of their lock, and are kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from suite.gate.arms.checkouts import SHORT, kept
from suite.records import StepmarkError

LOCK = "requirements.lock"
PATH = "import json, sys; print(json.dumps([one for one in sys.path if one]))"
LONGEST_S = 1800.0
"""Seconds for an environment to be made: torch has to be fetched."""


def found(python: str) -> str:
    """An interpreter by its path or name.

    Raises:
        StepmarkError: there is none.
    """
    path = shutil.which(python)
    if path is None:
        raise StepmarkError(f"there is no interpreter {python!r}; allowed: the path of one that has torch.")
    return path


def path_of(python: str) -> list[str]:
    """Folders in which an interpreter searches modules.

    Raises:
        StepmarkError: it does not run.
    """
    if python == sys.executable:
        return [one for one in sys.path if one]
    done = subprocess.run([found(python), "-P", "-c", PATH], capture_output=True, text=True, check=False)
    try:
        return [str(one) for one in json.loads(done.stdout)]
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise StepmarkError(f"{python} is no Python that runs: {said}.") from None


def of_checkout(folder: Path, top: Path | None) -> str:
    """The interpreter for a checkout: this one, or that of an environment made from its own lock where that is another.

    Raises:
        StepmarkError: the environment cannot be made.
    """
    lock, ours = folder / LOCK, top / LOCK if top else None
    if ours is None or not lock.is_file() or not ours.is_file() or pins(lock) == pins(ours):
        return sys.executable
    environment = kept(ours.parent) / "environments" / hashlib.sha256(pins(lock)).hexdigest()[:SHORT]
    ready = environment / ".ready"
    if not ready.exists():
        shutil.rmtree(environment, ignore_errors=True)
        make(environment, lock)
        ready.touch()
    return str(environment / "bin" / "python")


def pins(lock: Path) -> bytes:
    """What a lock asks for, without its comments."""
    lines = (line.strip() for line in lock.read_bytes().splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"#"))


def make(environment: Path, lock: Path) -> None:
    """Make an environment from a lock.

    Raises:
        StepmarkError: with the last line of what pip said.
    """
    python = str(environment / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(lock)],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            raise StepmarkError(f"the environment of {lock} was not made within {LONGEST_S:.0f} s.") from None
        if done.returncode:
            said = (
                [one for one in done.stderr.splitlines() if "ERROR" in one] or done.stderr.splitlines() or ["nothing"]
            )
            raise StepmarkError(f"the environment of {lock} cannot be made, pip said: {said[-1].strip()}")
