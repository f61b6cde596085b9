"""The interpreter of an arm: this one, unless the arm names another, or has another lock than this one was made from.

Environments stand in `.stepmark/environments` of the repository, by the hash of their lock and the version of Python,
and are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite.gate.arms.checkouts import SHORT, alone, kept
from suite.machine.process_lifetime import run_guarded
from suite.provenance import git
from suite.records import StepmarkError
from suite.runner import import_witness

LOCK = "requirements.lock"
TORCH = re.compile(rb"torch\s*(==|@|\[)")
"""The beginning of a line that pins torch."""
OF_PIP = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST", "PIP_CERT"),
    *("PIP_CLIENT_CERT", "PIP_PROXY", "PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_CONFIG_FILE", "PIP_KEYRING_PROVIDER"),
    *("PIP_DEFAULT_TIMEOUT", "PIP_TIMEOUT", "PIP_RETRIES"),
)
"""Variables of pip that an environment is made with: where packages come from. Others say where they go, or which."""
FOREIGN = {"PYTHONHOME": ""}
"""Variables with which another interpreter than this one is started: none of this one's own library."""
PIP = ("pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-user", "-r")
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


def surroundings(python: str, projects: Sequence[str] = ()) -> dict[str, Any]:
    """What an interpreter has: where it searches modules, and what is installed in it (`suite.runner.import_witness`).

    Args:
        python: its path or name.
        projects: names of distributions that are the repository's.

    Raises:
        StepmarkError: it does not run.
    """
    if python == sys.executable:
        return import_witness.surroundings(projects)
    command = [found(python), "-P", import_witness.__file__, import_witness.SURROUNDINGS, *projects]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **FOREIGN}, check=False)
    try:
        known: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise StepmarkError(f"{python} is no Python that runs: {said}.") from None
    return known


def variables_for(python: str) -> dict[str, str]:
    """Variables that the processes of an interpreter need beside those of this process."""
    return FOREIGN if python != sys.executable and "PYTHONHOME" in os.environ else {}


def of_checkout(folder: Path, top: Path | None) -> tuple[str, str]:
    """The interpreter for a checkout, and what is to be said of its choice; the latter is usually empty.

    It is this one, or that of an environment made from the checkout's lock, where that differs from ours. A lock that
    is neither Stepmark's own nor pins torch is another program's: an environment of it measures nothing.

    Raises:
        StepmarkError: the environment cannot be made.
    """
    lock, ours = folder / LOCK, top / LOCK if top else None
    if ours is None or not lock.is_file() or not ours.is_file() or pins(lock) == pins(ours):
        return sys.executable, ""
    if not (folder / "suite" / "zygote.py").is_file() and not pins_torch(lock):
        return sys.executable, f"this interpreter, since {LOCK} differs but pins no torch"
    name = hashlib.sha256(pins(lock) + sys.version.encode()).hexdigest()[:SHORT]
    environment = kept(ours.parent) / "environments" / name
    with alone(environment.parent):
        ready = environment / ".ready"
        if not ready.exists():
            shutil.rmtree(environment, ignore_errors=True)
            make(environment, lock)
            ready.touch()
    return str(environment / "bin" / "python"), ""


def pins_torch(lock: Path) -> bool:
    """Whether a lock says which torch."""
    return any(TORCH.match(line) for line in pins(lock).splitlines())


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
        [sys.executable, "-I", "-m", "venv", str(environment)],
        [python, "-I", "-m", *PIP, str(lock)],
    ):
        try:
            done = run_guarded(command, timeout_s=LONGEST_S, env=bare())
        except subprocess.TimeoutExpired:
            raise StepmarkError(f"the environment of {lock} was not made within {LONGEST_S:.0f} s.") from None
        if done.returncode:
            lines = done.stderr.decode(errors="replace").splitlines()
            said = [one for one in lines if "ERROR" in one] or lines or ["nothing"]
            raise StepmarkError(f"the environment of {lock} cannot be made, pip said: {said[-1].strip()}")


def bare() -> dict[str, str]:
    """The environment of a program that makes an environment: nothing in it says where else to look, or to write."""
    redirecting = ("PYTHON", "PIP_", "VIRTUAL_ENV", "CONDA_", "UV_")
    kept_too = {name: value for name, value in os.environ.items() if name in OF_PIP}
    return {name: value for name, value in git.environment().items() if not name.startswith(redirecting)} | kept_too
