"""A container without network, rights and a root that can be written: its limits are those of a run inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.records.store import read_run
from tests.docker import SCRIPTS
from tests.docker.this_machine import Podman

RUNS = """
import sys
from pathlib import Path
import inside
from engines import Engine
image, digest, reports, cpus, memory, *inner = sys.argv[1:]
limits = inside.Limits(cpus=cpus, memory=memory)
sys.exit(inside.run(Engine("podman", "podman", "?"), image, digest, Path(reports), limits, inner))
"""
LOOKS = """
import json, os, socket
from pathlib import Path

def fails(call):
    try:
        call()
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""

status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "uid": os.getuid(),
    "rights": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "gains_none": status["NoNewPrivs"].strip(),
    "devices": [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]],
    "connects": fails(lambda: socket.create_connection(("1.1.1.1", 443), timeout=2)),
    "refused": {name: fails(lambda: Path(name, "new").touch()) for name in ("/", "/etc", "/opt/stepmark", "/stepmark")},
    "allowed": {name: fails(lambda: Path(name, "new").touch()) for name in ("/tmp", "/stepmark/reports")},
}))
"""
HUNGRY = """
from suite.registry import STRUCTURES


@STRUCTURES.register("two_gib")
def two_gib(num_classes: int, image_size: int):
    import torch
    from torch import nn

    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))
    network.register_forward_pre_hook(lambda *_: torch.ones(2**29).sum() and None)
    return network


@STRUCTURES.register("small")
def small(num_classes: int, image_size: int):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))
"""
PROFILE = """
[limited]
plugins = ["hungry"]
structures = ["two_gib", "small"]
optimizers = ["sgd"]
executions = ["cpu"]
batch_sizes = [4]
image_sizes = [8]
passes = 1
case_seconds = 0.2
warmup_seconds = 0.2
"""


def run(image: str, reports: Path, *inner: str, cpus: str = "", memory: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command inside, as `make bench-image` does."""
    words = [sys.executable, "-c", RUNS, image, "sha256:0", str(reports), cpus, memory, *inner]
    variables = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    reports.parent.mkdir(exist_ok=True)
    return subprocess.run(
        words, cwd=reports.parent, env=variables, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.slow
def test_inside_there_is_no_network_no_right_and_nothing_to_write_but_reports(podman: Podman, tmp_path):
    done = run(podman.image("looks"), tmp_path / "reports", "python", "-c", LOOKS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["uid"] == (os.getuid() or 10001)
    assert (found["rights"], found["gains_none"], found["devices"]) == (0, "1", ["lo"])
    assert found["connects"] != ""
    assert set(found["refused"].values()) <= {"Read-only file system", "Permission denied"}
    assert set(found["allowed"].values()) == {""}
    assert (tmp_path / "reports" / "new").stat().st_uid == os.getuid()


@pytest.mark.slow
def test_a_case_that_needs_more_memory_than_the_container_has_fails_with_that_reason_and_the_run_goes_on(
    podman: Podman, tmp_path
):
    image = podman.image("limited", {"hungry.py": HUNGRY, "limited.toml": PROFILE})
    limits = {"cpus": "1.5", "memory": "1g"}
    tried = run(image, tmp_path / "tried", "true", **limits)
    if tried.returncode:
        pytest.skip(f"no limits of a container here: {tried.stderr.strip().splitlines()[-1]}")
    words = ("-m", "suite.cli", "run", "--profiles", "limited.toml", "--profile", "limited", "--threads", "1")
    quiet = ("--surveys", "none", "-p", "no:cacheprovider", "--record", "reports/run")
    done = run(image, tmp_path / "reports", "python", *words, *quiet, **limits)
    assert done.returncode == 1, done.stdout + done.stderr
    record = read_run(tmp_path / "reports" / "run")
    by_structure = {one.case.structure: one for one in record.cases}
    assert by_structure["small"].outcome == "measured"
    assert by_structure["two_gib"].outcome == "failed"
    assert "for want of memory: the limit is 1.000 GiB" in by_structure["two_gib"].reason
    container = record.header.environment["container"]
    assert (container["cpu_quota_cores"], container["memory_limit_bytes"]) == (1.5, 2**30)
    assert {path.name for path in tmp_path.iterdir()} == {"reports", "tried"}, "the engine leaves no file"
