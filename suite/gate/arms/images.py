"""An image of an arm: the engine that has it, and the Stepmark that it contains.

The image is found by its name once, and started by the digest of its configuration from then on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.machine.containers import ENGINES, Container
from suite.records import StepmarkError
from suite.runner import container_entry

LONGEST_S = 120.0
"""Most seconds for starting a container."""


@dataclass(frozen=True, slots=True)
class Found:
    """An image that contains Stepmark.

    Attributes:
        python: path of its interpreter.
        version: of that interpreter, in full.
        suite: its folder of the package `suite`.
        path: folders in which its interpreter searches modules, that of `suite` first.
        facts: what its build wrote down, by `docker/image.py`; empty for an image of another recipe.
        commit: of its files, in the form of `code_identity.of_checkout`; empty if unknown.
    """

    container: Container
    python: str
    version: str
    suite: Path
    path: tuple[str, ...]
    facts: dict[str, Any]
    commit: dict[str, Any]


def find(name: str) -> Found:
    """An image and what it contains, asked for in a container of it.

    Args:
        name: as the user wrote it.

    Raises:
        StepmarkError: no engine has it, its containers do not start, or it contains no Stepmark.
    """
    container = container_of(name)
    command = [*container.run("--interactive"), "python", "-P", "-", container_entry.FACTS]
    program = Path(container_entry.__file__).read_text(encoding="utf-8")
    try:
        done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        raise StepmarkError(
            f"a container of image {name} took more than {LONGEST_S:.0f} s to start; allowed: less; check that "
            f"`{container.engine} run` works."
        ) from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1].strip()
        raise StepmarkError(
            f"a container of image {name} does not run Python: {reason}; allowed: an image in which {container.engine} "
            "runs `python`, 3.11 or later."
        ) from None
    if said["suite"] is None:
        raise StepmarkError(f"image {name} contains no Stepmark; allowed: one such as `make image` builds.")
    return Found(
        container,
        said["python"],
        said["version"],
        Path(said["suite"]),
        tuple(said["path"]),
        said["image"],
        said["commit"],
    )


def container_of(name: str) -> Container:
    """The engine that has an image, and the digest of its configuration.

    Raises:
        StepmarkError: no engine has it.
    """
    asked = []
    for engine in ENGINES:
        program = shutil.which(engine)
        if program is None:
            asked.append(f"{engine} is not installed")
            continue
        command = [program, "image", "inspect", "--format", "{{.Id}}", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Container(engine, program, f"sha256:{done.stdout.strip().removeprefix('sha256:')}")
        asked.append(f"{engine} says: {(done.stderr.strip().splitlines() or ['nothing'])[-1].strip()}")
    raise StepmarkError(
        f"there is no image {name}: {'; '.join(asked)}; allowed: an image of podman or Docker on this machine; "
        "build or pull it before."
    )
