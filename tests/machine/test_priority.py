"""Workers go before other processes where the machine allows, and where it was not asked for they do not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from suite.analysis.estimates import undisturbed
from suite.machine.priority import HIGHEST, current_priority
from suite.records import Case, WorkerSettings
from suite.runner.launcher import Launcher
from suite.runner.worker_handle import WorkerHandle
from tests.fakes.neighbours import BUSY, of_this_test

CASE = Case("seed_cnn", "sgd", "cpu", batch_size=16)


def is_allowed() -> bool:
    """Whether a process here may go before others; asked in one that ends, in a new session."""
    code = "from suite.machine import priority as p; p.raise_priority(); print(set(p.current_priority().values()))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True).stdout
    return said.strip() == str({HIGHEST})


allowed = pytest.mark.skipif(not is_allowed(), reason="needs the right to raise a priority")


@contextmanager
def worker(priority: str, threads: int = 1) -> Iterator[tuple[Launcher, WorkerHandle]]:
    with Launcher(WorkerSettings(threads=threads, priority=priority)) as launcher:
        yield launcher, launcher.fork(CASE)


@pytest.mark.slow
@allowed
def test_a_worker_of_high_priority_goes_before_others_and_its_zygote_says_so():
    with worker("high") as (launcher, forked):
        assert set(launcher.priority.values()) == {HIGHEST}
        assert os.getpriority(os.PRIO_PROCESS, forked._pid) == HIGHEST
        session = Path(f"/proc/{forked._pid}/autogroup")
        assert not session.exists() or session.read_text().split()[-1] == str(HIGHEST)


@pytest.mark.slow
def test_a_worker_of_normal_priority_shares_with_others():
    before = current_priority()
    with worker("normal") as (launcher, forked):
        assert launcher.priority["nice"] == before["nice"]
        assert os.getpriority(os.PRIO_PROCESS, forked._pid) == before["nice"]
    assert current_priority() == before, "the process that judges keeps its own"


@allowed
@pytest.mark.nightly
@pytest.mark.alone
def test_rounds_are_undisturbed_by_two_busy_processes_on_every_core():
    loads = [
        subprocess.Popen(of_this_test(BUSY), start_new_session=True) for _ in range(2 * len(os.sched_getaffinity(0)))
    ]
    try:
        shares = {priority: quiet_share(priority) for priority in ("high", "normal")}
    finally:
        for load in loads:
            load.kill()
            load.wait()
    assert shares["high"] > 0.8
    assert shares["normal"] < 0.5


def quiet_share(priority: str) -> float:
    """Share of the rounds in which the worker had the core that it asked for."""
    with worker(priority) as (_, forked):
        forked.measure(seconds=0.0, steps_per_round=1, min_rounds=5)
        rounds = forked.measure(seconds=0.5, steps_per_round=5, min_rounds=20)
        series = {one.metric.name: one.values for one in rounds.series}
    calm = undisturbed(series["cpu_time"], series["queue_time"])
    return sum(calm) / len(calm)


def test_a_machine_that_permits_no_higher_priority_stays_unchanged():
    """In a process without the right to, asking changes nothing and raises nothing."""
    code = "import os, suite.machine.priority as p; os.setuid(65534); p.raise_priority(); print(p.process_nice())"
    if os.getuid() == 0:  # another user is such a process already, and so are all the tests
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True)
        assert done.stdout.strip() == str(current_priority()["nice"]), done.stderr
