"""The interpreter of an arm: the current one, a named one, or one for its lock.

The gate makes an environment if the arm's lock differs from the current one. It keeps environments in
`.stepmark/environments` of the repository, named by the hash of their lock and the version of Python.
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
"""Variables that pip keeps: they set the source of packages. Others would set the target, or which packages."""
FOREIGN = {"PYTHONHOME": ""}
"""Variables for any interpreter but the current one, so that it does not use the current one's library."""
PIP = ("pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-user", "-r")
LONGEST_S = 1800.0
"""Most seconds for making an environment, which includes the download of torch."""


def path_of(python: str) -> str:
    """The path of an interpreter, by its path or name.

    Raises:
        StepmarkError: the interpreter does not exist.
    """
    path = shutil.which(python)
    if path is None:
        raise StepmarkError(
            f"there is no interpreter {python!r}; allowed: the path of one that has torch; correct python:."
        )
    return str(Path.cwd() / path)  # a side may start in another folder


def surroundings(python: str, projects: Sequence[str] = ()) -> dict[str, Any]:
    """The search path and packages of an interpreter (`suite.runner.import_witness`).

    Args:
        python: its path or name.
        projects: names of the repository's distributions.

    Raises:
        StepmarkError: the interpreter does not run.
    """
    if python == sys.executable:
        return import_witness.surroundings(projects)
    command = [path_of(python), "-P", import_witness.__file__, import_witness.SURROUNDINGS, *projects]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **FOREIGN}, check=False)
    try:
        known: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        error = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise StepmarkError(
            f"{python} does not run as Python: {error}; allowed: an interpreter that has torch; correct python:."
        ) from None
    return known


def variables_for(python: str) -> dict[str, str]:
    """Variables that an interpreter needs in addition to those of this process."""
    return FOREIGN if python != sys.executable and "PYTHONHOME" in os.environ else {}


def of_checkout(folder: Path, top: Path | None) -> tuple[str, str]:
    """The interpreter for a checkout, and a remark on the choice, usually empty.

    If the checkout's lock differs from the current one, the gate makes an environment from it; otherwise it takes the
    current interpreter. It ignores the lock of another program that does not pin torch.

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
    """Whether a lock pins torch."""
    return any(TORCH.match(line) for line in pins(lock).splitlines())


def pins(lock: Path) -> bytes:
    """The lines of a lock, without comments."""
    lines = (line.strip() for line in lock.read_bytes().splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"#"))


def make(environment: Path, lock: Path) -> None:
    """Make an environment from a lock.

    Raises:
        StepmarkError: a command failed or timed out; the text has pip's last error.
    """
    python = str(environment / "bin" / "python")
    for command in (
        [sys.executable, "-I", "-m", "venv", str(environment)],
        [python, "-I", "-m", *PIP, str(lock)],
    ):
        try:
            done = run_guarded(command, timeout_s=LONGEST_S, env=bare())
        except subprocess.TimeoutExpired:
            raise StepmarkError(
                f"making the environment of {lock} timed out; allowed: {LONGEST_S:.0f} s; check the network and the "
                "package index, or name an interpreter with python:."
            ) from None
        if done.returncode:
            lines = done.stderr.decode(errors="replace").splitlines()
            errors = [line for line in lines if "ERROR" in line] or lines or ["no output"]
            raise StepmarkError(
                f"the environment of {lock} cannot be made; correct the lock, or name an interpreter with python:; "
                f"pip said: {errors[-1].strip()}"
            )


def bare() -> dict[str, str]:
    """Variables for venv and pip, without those that redirect what they read or write."""
    redirecting = ("PYTHON", "PIP_", "VIRTUAL_ENV", "CONDA_", "UV_")
    kept_too = {name: value for name, value in os.environ.items() if name in OF_PIP}
    return {name: value for name, value in git.environment().items() if not name.startswith(redirecting)} | kept_too
