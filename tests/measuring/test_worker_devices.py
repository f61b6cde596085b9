"""Workers of cases on the host's cores find no device; a stand-in that logs its starts takes the driver's place."""

import json
import subprocess
import sys

import pytest
import torch

from tests.conftest import PROJECT
from tests.fakes import drivers

pytestmark = [
    pytest.mark.skipif(drivers.COMPILER is None, reason="needs a C compiler"),
    pytest.mark.skipif(torch.version.cuda is None, reason="needs a torch that was built for CUDA"),
]
VISIT = """
from suite.records import Case, WorkerSettings
from suite.runner.launcher import Launcher
with Launcher(WorkerSettings(threads=1)) as launcher:
    worker = launcher.fork(Case("seed_cnn", "sgd", "cpu", batch_size=4))
    print(len(worker.measure(seconds=0.0, steps_per_round=1, min_rounds=2)))
"""
BACKWARD = """
import torch
torch.ones(1, requires_grad=True).sum().backward()
print(2)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "expected"),
    [(VISIT, {"1", "0"}), (BACKWARD, {"1"})],
    ids=["worker", "torch alone"],
)
def test_the_worker_of_a_case_on_the_host_sees_no_device(tmp_path, code, expected):
    """The driver shows one device to the process that asks for all, and none to the worker, whose autograd asks too."""
    log = tmp_path / "log"
    environment = drivers.environment(drivers.build(tmp_path), CUDA_LOG=str(log))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == 2
    assert set(log.read_text().split()) == expected
