"""Limits that are set outside are asked for, in processes that have them."""

import os
import subprocess
import sys

import pytest

from suite.machine import affinity
from suite.machine import threads as machine_threads
from suite.machine.affinity import allowed_cores
from suite.machine.threads import default_threads, granted_cores, refusal
from tests.conftest import Desk
from tests.machine.test_sampler import control_group  # noqa: F401 - a fixture

VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS"),
    "TORCHELASTIC_RUN_ID",
)
ASK = "from suite.machine.threads import default_threads; print(default_threads())"
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    **dict.fromkeys(("RANK", "LOCAL_RANK"), "0"),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), "2"),
    "GROUP_WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
}


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def default(*before: str, **variables: str) -> int:
    """The default of a process with these variables, started through the command `before`."""
    command = [*before, sys.executable, "-c", ASK]
    return int(subprocess.run(command, check=True, capture_output=True, env={**os.environ, **variables}).stdout)


@pytest.mark.parametrize(
    "variables",
    [
        {"OMP_THREAD_LIMIT": "1"},
        {"OMP_DYNAMIC": "TRUE"},
        {"OMP_MAX_ACTIVE_LEVELS": "0"},
        {"OMP_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "1,4"},
        {"MKL_NUM_THREADS": "1"},
    ],
    ids=lambda one: "-".join(one),
)
def test_a_variable_bounds_the_default(variables):
    assert default(**variables) == 1


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OMP_THREAD_LIMIT": "1000"},
        {"OMP_DYNAMIC": "false"},
        {"OMP_NUM_THREADS": "many"},
        {**TORCHRUN, "OMP_NUM_THREADS": "1"},  # which torchrun itself has set
    ],
    ids=str,
)
def test_a_variable_that_limits_nothing_leaves_the_default(variables):
    assert default(**variables) == default_threads()


@pytest.mark.skipif(len(allowed_cores()) < 2, reason="needs two cores")
def test_the_default_keeps_to_the_cores_that_the_process_was_given():
    assert default("taskset", "-c", str(allowed_cores()[-1])) == 1


@pytest.mark.parametrize(("siblings", "threads"), [(("0-1", "0-1", "2-3", "2-3"), 2), (("0", "1", "2", "3"), 4)])
def test_both_threads_of_a_core_are_one_thread_of_torch(monkeypatch, tmp_path, siblings, threads):
    for core, text in enumerate(siblings):
        (tmp_path / f"cpu{core}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{core}" / "topology" / "thread_siblings_list").write_text(f"{text}\n")
    monkeypatch.setattr(machine_threads, "CPUS", tmp_path)
    monkeypatch.setattr(affinity, "allowed_cores", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(machine_threads, "cpu_quota", lambda: None)
    monkeypatch.setattr(machine_threads, "cores_of", lambda **_: 64)
    assert default_threads() == threads


def test_the_default_keeps_to_a_quota(control_group):  # noqa: F811 - the fixture
    enter = f'echo $$ > {control_group[0] / "cgroup.procs"}; exec "$@"'
    assert default("sh", "-c", enter, "sh") == 1


def test_cores_and_threads_are_one_at_least():
    assert 1 <= default_threads() <= granted_cores() <= (os.cpu_count() or 1)


def test_more_threads_than_openmp_may_start_are_refused_with_what_to_change():
    assert refusal(4, {"OMP_THREAD_LIMIT": "2"}) == (
        "4 threads are asked for, and with OMP_THREAD_LIMIT=2 OpenMP may start no more than 2, so that torch would "
        "hang; ask for 2 (--threads 2), or unset OMP_THREAD_LIMIT"
    )
    assert refusal(2, {"OMP_THREAD_LIMIT": "2"}) == refusal(1, {"OMP_DYNAMIC": "true"}) == ""


@pytest.mark.slow
def test_a_run_with_a_limit_is_measured_by_default_and_refused_with_more_threads(desk: Desk, monkeypatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    done = desk.run("--profile", "tiny", "-k", "tiny-sgd", "--threads", "2", "--record", "refused")
    assert done.code == 2
    assert "2 threads are asked for, and with OMP_THREAD_LIMIT=1 OpenMP may start no more than 1" in done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert not (desk.folder / "refused").exists()
