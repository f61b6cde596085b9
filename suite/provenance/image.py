"""Facts about the container image that this process runs in.

The image's build writes what it is made of into a file. Only who starts a container knows the image's name and digest,
and passes them as variables; `make bench-image` does so.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from suite.machine.readings import optional

FACTS = Path("/etc/stepmark-image.json")
"""The file that `docker/install.sh` puts into an image."""
COMMIT = "commit.json"
"""The commit of the project's files in an image, in their folder: another checkout mounted there hides it."""
VARIABLES = {"name": "STEPMARK_IMAGE", "config_digest": "STEPMARK_IMAGE_DIGEST"}
"""Fact -> variable that passes it."""


def image() -> dict[str, Any] | None:
    """The image's name, digest, base and hashes; None outside of Stepmark's images."""
    written = facts()
    if written is None:
        return None
    return {**{fact: os.environ.get(variable) for fact, variable in VARIABLES.items()}, **written}


@optional
def facts() -> dict[str, Any]:
    """Facts that the image's build wrote."""
    return read_object(FACTS)


@optional
def commit_of(project: Path) -> dict[str, Any]:
    """The commit of an image's files, in the form of `code_identity.of_checkout`."""
    found = read_object(project / COMMIT)
    return {key: found[key] for key in ("revision", "branch", "dirty", "diff_sha256")}


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object of a file.

    Raises:
        ValueError: it contains something else.
    """
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{file} contains no object")
    return found
