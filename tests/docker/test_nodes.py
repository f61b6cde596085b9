"""Two containers on one private network train together; a killed one fails its cases, and the run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite.records import RunRecord
from suite.records.store import read_run
from tests.docker import SCRIPTS
from tests.docker.this_machine import Podman
from tests.fakes.nodes import PROFILE

pytestmark = pytest.mark.nightly
OPTIONS = ("--profiles=nodes.toml", "--profile=nodes", "--record=reports/run", "--threads=1", "--surveys=none")


@pytest.fixture
def has_networks(podman: Podman) -> None:
    """Skip where the engine makes no network, or a container on it does not start."""
    made = podman.call("network", "create", "--internal", "tried")
    if made.returncode:
        pytest.skip(f"no network of containers here: {made.stderr.strip().splitlines()[-1]}")
    tried = podman.run("--network", "tried", podman.image("tried"), "true")
    podman.said("network", "rm", "tried")
    if tried.returncode:
        pytest.skip(f"no network of containers here: {tried.stderr.strip().splitlines()[-1]}")


def start(podman: Podman, reports: Path, seconds: float, *options: str) -> subprocess.Popen[str]:
    """Start `docker/nodes.py`."""
    profile = PROFILE.format(structures="", seconds=seconds).replace("my_levels", "mine")
    image = podman.image("nodes", {"nodes.toml": profile})
    words = [sys.executable, str(SCRIPTS / "nodes.py"), "--engine", "podman", "--image", image]
    return subprocess.Popen(
        [*words, "--reports", str(reports), "--", *OPTIONS, *options],
        env={**os.environ, **podman.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcomes(reports: Path) -> dict[str, RunRecord]:
    """Record of each case, by its id."""
    return {record.case.id: record for record in read_run(reports / "run").cases}


@pytest.mark.usefixtures("has_networks")
def test_two_containers_share_the_batches_of_a_distributed_case(podman, tmp_path):
    with start(podman, tmp_path, 0.2) as started:
        said = started.communicate(timeout=300)[0]
    assert started.returncode == 0, said
    found = outcomes(tmp_path)
    assert {record.outcome for record in found.values()} == {"measured"}
    together = found["seed_cnn-adam-distributed-b8-i8"].attributes["execution"]
    assert (together["ranks"], together["nodes"], together["backend"]) == (2, 2, "gloo")
    assert podman.said("ps", "--all", "--quiet") == ""
    assert "stepmark-" not in podman.said("network", "ls", "--format", "{{.Name}}")


@pytest.mark.usefixtures("has_networks")
def test_a_container_that_is_killed_fails_its_cases_with_a_reason_and_the_run_goes_on(podman, tmp_path):
    with start(podman, tmp_path, 6.0, "--case-timeout=20", "--target-precision=0.01") as started:
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("visits.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.1)
        podman.said("kill", f"stepmark-{started.pid}-1")
        said = started.communicate(timeout=600)[0]
    assert started.returncode == 1, said
    found = outcomes(tmp_path)
    failed = {record.case.execution: record.reason for record in found.values() if record.outcome == "failed"}
    assert set(failed) == {"distributed"}
    assert "rank 1" in failed["distributed"] or "no answer" in failed["distributed"]
    assert {record.outcome for record in found.values() if record.case.execution == "cpu"} == {"measured"}
