"""A short gate from end to end: a commit that makes a network slower, found by real workers of both sides."""

import json
import math
import os
import subprocess
import sys
import time

import pytest

from suite.errors import ExitCode
from suite.machine.affinity import allowed_cores
from tests.fakes.repositories import repository, write
from tests.fakes.schemas import faults_of_verdict

LEVELS = '''
"""A small network."""
from torch import nn

from suite.registry import STRUCTURES

HIDDEN = {hidden}


@STRUCTURES.register("small", depth=2, connection="plain")
def small(num_classes, image_size):
    pixels = 3 * image_size**2
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, num_classes))
'''
LEAST_BUDGET_S = 34
STARTS_IN_BUDGET = 10
"""Starts of an interpreter with torch for which the budget has room. A block takes about two; three blocks suffice."""
OVERLOADED_S = 10.0
"""Start of an interpreter with torch where other processes keep all cores busy; it takes 3 s on two free cores. Most
blocks are disturbed there, and no gate can decide."""
PROFILE = """
[one]
plugins = ["levels"]
structures = ["small"]
optimizers = ["sgd"]
executions = ["cpu"]
batch_sizes = [32]
image_sizes = [16]
"""


@pytest.mark.alone
@pytest.mark.skipif(len(allowed_cores()) < 2, reason="each side needs a core")
def test_a_gate_of_a_commit_that_makes_a_layer_four_times_as_wide_ends_with_10_and_names_the_case(tmp_path):
    """Three blocks can show so much, and about five fit in the budget; a slower machine gets more time."""
    folder = repository(tmp_path / "own", {"levels.py": LEVELS.format(hidden=256), "one.toml": PROFILE})
    write(folder, {"levels.py": LEVELS.format(hidden=1024)})
    started_s = time.monotonic()
    subprocess.run([sys.executable, "-c", "import torch, torchvision"], check=True)
    taken_s = time.monotonic() - started_s
    if taken_s > OVERLOADED_S:
        pytest.skip(f"other processes keep the cores busy: an interpreter with torch took {taken_s:.0f} s to start")
    budget_s = max(LEAST_BUDGET_S, math.ceil(STARTS_IN_BUDGET * taken_s))
    arms = ("--baseline", "rev:HEAD", "--candidate", "dir:.", "--profiles", "one.toml", "--profile", "one")
    limits = ("--metric", "step_time", "--budget", f"{budget_s}s", "--alpha", "20%", "--out", "out")
    done = subprocess.run(
        [sys.executable, "-m", "suite.cli", "gate", *arms, *limits],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "GITHUB_ACTIONS": ""},
    )
    assert done.returncode == ExitCode.REGRESSION, done.stdout + done.stderr
    verdict = (folder / "out" / "verdict.json").read_text()
    assert faults_of_verdict(verdict) == []
    (case,) = json.loads(verdict)["cases"]
    assert (case["name"], case["verdict"]) == ("small-sgd-cpu-b32-i16", "regression")
    assert case["low"] > 0.1
    assert "regression: small-sgd-cpu-b32-i16 has regressed by" in done.stdout
