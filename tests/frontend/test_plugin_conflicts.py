"""Each spelling by which pytest-xdist would run cases side by side ends with one sentence and measures nothing."""

import importlib.util
import os
import subprocess

import pytest

from suite.frontend.plugin_conflicts import refusal
from tests.conftest import Desk

xdist = pytest.mark.skipif(
    importlib.util.find_spec("xdist") is None,
    reason="pytest-xdist is not installed: pip install --target DIR pytest-xdist, then PYTHONPATH=DIR",
)
SENTENCE = "runs cases at the same time, so that they would slow each other; leave it out, or add -n 0."
SPELLINGS = ["-n 2", "--numprocesses=1", "--tx 2*popen --dist load", "--dist=each --tx popen", "-d --tx popen"]


def tried(desk: Desk, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A run of the tiny profile with these words and variables more, and with pytest-xdist if it is installed."""
    variables = {**os.environ, **variables}
    command = desk.command("--profile", "tiny", *words)
    return subprocess.run(command, cwd=desk.folder, env=variables, capture_output=True, text=True, check=False)


def assert_refused(desk: Desk, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert SENTENCE in done.stdout + done.stderr
    assert not (desk.folder / "reports").exists()


@xdist
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_spelling_of_xdist_is_refused(desk: Desk, spelling: str) -> None:
    assert_refused(desk, tried(desk, *spelling.split()))


@xdist
def test_xdist_by_a_variable_is_refused(desk: Desk) -> None:
    assert_refused(desk, tried(desk, PYTEST_ADDOPTS="--dist loadscope --tx 2*popen"))


def test_a_run_that_a_worker_of_xdist_starts_is_refused(desk: Desk) -> None:
    assert_refused(desk, tried(desk, PYTEST_XDIST_WORKER="gw0"))


@xdist
@pytest.mark.slow
def test_a_worker_of_xdist_measures_no_case_that_the_controller_does_not_know_of(desk: Desk) -> None:
    """The controller collects nothing; a test of the user's own that replays cases is first seen by a worker."""
    (desk.folder / "test_mine.py").write_text(
        "import pytest\n"
        "from suite.plugin import case, case_id, replay, replay_clock\n"
        "@pytest.mark.benchmark(timer=replay_clock)\n"
        "def test_mine(case, replay):\n"
        "    replay(case)\n"
    )
    command = [*desk.command()[:3], "test_mine.py", "--tx", "2*popen", "--dist", "load"]
    done = subprocess.run(command, cwd=desk.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "1 error" in done.stdout
    assert not (desk.folder / "reports").exists()


@xdist
def test_xdist_that_is_switched_off_is_no_obstacle(desk: Desk) -> None:
    done = tried(desk, "-n", "2", "--dist", "load", "-n", "0", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "is_worker", "said"),
    [
        ({}, False, ""),
        ({"dist": "no"}, False, ""),
        ({"numprocesses": 0, "dist": "no"}, False, ""),
        ({"dist": "worksteal"}, False, "--dist worksteal runs"),
        ({"dist": "no"}, True, "pytest-xdist (PYTEST_XDIST_WORKER) runs"),
        ({"forked": True}, False, "--forked would replay"),
        ({"benchmark_skip": None}, False, "the cases need pytest-benchmark"),
    ],
)
def test_options_of_other_plug_ins_are_judged_by_their_effect(monkeypatch, options, is_worker, said):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    found = refusal({"benchmark_skip": False, **options}.get, is_worker=is_worker)
    assert found.startswith(said)
    assert bool(found) == bool(said)
