"""Real containers: images that are made in a second, and podman's storage for the tests alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.docker import this_machine
from tests.docker.this_machine import Podman


@pytest.fixture(scope="session")
def engine() -> Iterator[Podman]:
    """Podman with a storage that is removed afterwards; a test that needs it is skipped where no container starts.

    Where `CONTAINERS_MUST_START=1` promises containers, such a test fails instead.
    """
    with this_machine.podman() as found:
        if isinstance(found, str):
            missing = pytest.fail if os.environ.get("CONTAINERS_MUST_START") == "1" else pytest.skip
            missing(f"no container starts here: {found}")
        yield found


@pytest.fixture
def podman(engine: Podman, monkeypatch: pytest.MonkeyPatch) -> Podman:
    """That podman, for the commands of a test and all that they start."""
    for name, value in engine.variables.items():
        monkeypatch.setenv(name, value)
    return engine
