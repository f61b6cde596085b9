"""Two images are compared as two revisions are: their zygotes run in containers, and no container stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import context
from suite.gate.arms.arm import have_same_code, make_both_ready
from suite.gate.arms.spec import parse
from suite.machine import containers
from suite.machine.affinity import allowed_cores
from suite.machine.interference import read_counters
from suite.records import Case, WorkerSettings
from suite.registry import load_levels
from suite.runner.launcher import Launcher
from suite.runner.worker_handle import WorkerFailed
from tests.conftest import PROJECT
from tests.docker.this_machine import NAME, Podman

load_levels()
CASE = Case("seed_cnn", "sgd", "cpu", batch_size=4)
LOADED = Case("seed_cnn", "sgd", "cpu", input="loader_w2", batch_size=4)
needs_two_cores = pytest.mark.skipif(len(allowed_cores()) < 2, reason="both sides need a core of their own")
NETWORK = "    return nn.Sequential(nn.Flatten(), *linears([3 * image_size**2, *[width] * depth, num_classes]))\n"
SLOWER = """\
    import torch

    network = nn.Sequential(nn.Flatten(), *linears([3 * image_size**2, *[width] * depth, num_classes]))
    network.register_forward_pre_hook(lambda *_: [torch.ones(200, 200).sum() for _ in range(500)] and None)
    return network
"""


@pytest.fixture(scope="module")
def images(engine: Podman) -> tuple[str, str, str]:
    """An image, another name of it, and one in which `mlp_d2w128` is slower."""
    file = "suite/levels/structures/mlp.py"
    text = (PROJECT / file).read_text()
    assert NETWORK in text, f"{file} has another form: change NETWORK"
    first = engine.image("a")
    engine.said("tag", first, f"{NAME}:again")
    return first, f"{NAME}:again", engine.image("slower", {file: text.replace(NETWORK, SLOWER)})


def gate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suite.cli", "gate", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)


def launcher(image: str, folder: Path) -> Launcher:
    """A launcher whose zygote runs in a container of an image."""
    side, _ = make_both_ready(parse(f"image:{image}"), parse(f"image:{image}"), folder, folder)
    return Launcher(WorkerSettings(threads=1), origin=side.origin)


def until(seen, seconds: float = 60) -> bool:
    """Wait until something is so; whether it came to be."""
    deadline = time.monotonic() + seconds
    while not seen() and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(seen())


@pytest.mark.slow
def test_equal_images_are_the_same_code_and_others_are_not(podman, images, tmp_path):
    first, again, slower = (parse(f"image:{name}") for name in images)
    same = make_both_ready(first, again, tmp_path, tmp_path)
    other = make_both_ready(first, slower, tmp_path, tmp_path)
    assert have_same_code(same)
    assert not have_same_code(other)
    facts = same[0].facts
    digest = podman.said("image", "inspect", "--format", "{{.Id}}", images[0])
    assert facts["image"]["config_digest"] == f"sha256:{digest.removeprefix('sha256:')}"
    assert (facts["image"]["name"], facts["image"]["variant"], facts["code"]) == (images[0], "full", "/stepmark")
    assert facts["revision"] == context.git("rev-parse", "HEAD").strip()


@pytest.mark.slow
def test_workers_are_measured_in_a_container_whose_time_is_this_run_s(podman, images, temporary, tmp_path):
    before = read_counters()
    with launcher(images[0], tmp_path) as side:
        worker = side.fork(CASE)
        rounds = worker.measure(seconds=0.5, steps_per_round=1, min_rounds=3)
        (zygote,) = containers.OWN
        assert Path(f"/proc/{zygote}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
        assert os.sched_getaffinity(zygote) == set(allowed_cores())
        assert before is not None
        assert read_counters().own_cpu_s - before.own_cpu_s > 0.5
        assert len(rounds) >= 3
        with pytest.raises(WorkerFailed, match="nowhere"):
            side.fork(Case("nowhere", "sgd", "cpu"))
        side.fork(LOADED).measure(seconds=0.0, steps_per_round=1, min_rounds=3)
    assert not containers.OWN
    assert podman.said("ps", "--all", "--quiet") == ""
    assert list(temporary.glob("stepmark_*")) == []


STARTS = """
import sys, time
from pathlib import Path
from suite.gate.arms.arm import make_ready
from suite.gate.arms.spec import parse
from suite.records import Case, WorkerSettings
from suite.registry import load_levels
from suite.runner.launcher import Launcher
load_levels()
origin = make_ready(parse(sys.argv[1]), Path.cwd(), Path.cwd()).origin
launcher = Launcher(WorkerSettings(threads=1), origin=origin)
launcher.fork(Case("seed_cnn", "sgd", "cpu", batch_size=4))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_container_ends_though_its_gate_is_killed(podman, images, tmp_path):
    words = [sys.executable, "-c", STARTS, f"image:{images[0]}"]
    started = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    with started:
        assert started.stdout.readline() == "ready\n"
        assert len(podman.said("ps", "--quiet").splitlines()) == 1
        started.send_signal(signal.SIGKILL)
    assert until(lambda: podman.said("ps", "--all", "--quiet") == "")


@pytest.mark.slow
def test_a_gate_of_equal_images_is_identical_and_measures_nothing(podman, images, tmp_path):
    done = gate(tmp_path, "--baseline", f"image:{images[0]}", "--candidate", f"image:{images[1]}", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stdout
    assert "block" not in done.stdout


@pytest.mark.nightly
@needs_two_cores
def test_a_structure_that_is_slower_in_one_image_is_a_regression(podman, images, tmp_path):
    cases = "mlp_d2w128-sgd_momentum or seed_cnn-sgd_momentum"
    arms = ("--baseline", f"image:{images[0]}", "--candidate", f"image:{images[2]}")
    done = gate(tmp_path, *arms, "-k", cases, "--metric", "step_time", "--out", "out")
    assert done.returncode == 10, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    slower = {one["name"] for one in verdict["cases"] if one["verdict"] == "regression"}
    assert slower >= {"mlp_d2w128-sgd_momentum-cpu-b32"}
    assert "seed_cnn-sgd_momentum-cpu-b32" not in slower
    assert podman.said("ps", "--all", "--quiet") == ""


@pytest.mark.slow
def test_an_image_without_stepmark_is_refused_in_one_sentence(podman, images, tmp_path):
    other = podman.image("other", {"suite/zygote.py": None})
    done = gate(tmp_path, "--baseline", f"image:{images[0]}", "--candidate", f"image:{other}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"image {other} contains no Stepmark; allowed: " in done.stderr
