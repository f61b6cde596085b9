"""Load of other processes is separate from this run's own."""

import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from suite.machine import containers, interference, procfs, sampler
from suite.machine.affinity import allowed_cores
from suite.machine.interference import Interference, difference, read_counters
from suite.records import Case, WorkerSettings
from suite.runner.launcher import Launcher
from tests.fakes.neighbours import BUSY, HUNGRY, neighbour, of_this_test

pytestmark = pytest.mark.alone

WINDOW_S = 1.0


def seen(seconds: float = WINDOW_S) -> Interference:
    """Interference within the next second."""
    before = read_counters()
    time.sleep(seconds)
    after = read_counters()
    assert before is not None
    assert after is not None
    return difference(before, after)


def test_a_busy_process_of_somebody_else_is_seen_and_named():
    with neighbour(BUSY) as pid:
        time.sleep(0.2)
        found = seen()
    (busy,) = (one for one in found.neighbours if one.pid == pid)
    assert busy.cores > 0.2, "the machine let it run"
    assert found.others_cores > 0.9 * busy.cores - 0.05
    assert busy.name.startswith("python")
    assert found.busiest == found.neighbours[0].name != ""


def test_cpu_time_of_this_run_s_processes_is_not_load_of_others():
    child = subprocess.Popen(of_this_test(BUSY))
    try:
        time.sleep(0.2)
        before = read_counters()
        time.sleep(WINDOW_S)
        after = read_counters()
    finally:
        child.kill()
        child.wait()
    assert after.own_cpu_s - before.own_cpu_s > 0.2, "the machine let it run"
    rest = after.busy_s - before.busy_s - (after.own_cpu_s - before.own_cpu_s)
    assert difference(before, after).others_cores == pytest.approx(max(0.0, rest) / WINDOW_S, abs=0.1)
    assert child.pid not in {one.pid for one in difference(before, after).neighbours}


@pytest.mark.slow
def test_cpu_time_of_this_run_s_processes_in_containers_is_not_load_of_others():
    """Their parents are an engine's processes, not this one."""
    with neighbour(BUSY) as pid:
        containers.OWN.add(pid)
        try:
            time.sleep(0.2)
            before = read_counters()
            time.sleep(WINDOW_S)
            after = read_counters()
        finally:
            containers.OWN.discard(pid)
    assert after.own_cpu_s - before.own_cpu_s > 0.2, "the machine let it run"
    assert pid not in {one.pid for one in difference(before, after).neighbours}


@pytest.mark.slow
def test_cpu_time_of_an_ended_child_is_not_load_of_others():
    before = read_counters()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.8: pass"], check=True)
    assert read_counters().own_cpu_s - before.own_cpu_s >= 0.75


@pytest.mark.slow
def test_cpu_time_of_a_killed_worker_s_children_is_not_load_of_others():
    """Loader workers die with their worker; the zygote adopts them."""
    with Launcher(WorkerSettings(threads=1)) as launcher:
        launcher.start()
        worker = launcher.fork(Case("seed_cnn", "sgd", "cpu", input="loader_w2"))
        worker.measure(seconds=1.0, steps_per_round=1, min_rounds=3)
        before = read_counters()
        worker.end()
        after = read_counters()
        assert after.own_cpu_s >= before.own_cpu_s
        children = subprocess.run(
            ["ps", "-o", "stat=", "--ppid", str(launcher._zygote.pid)], capture_output=True, text=True, check=False
        )
    assert children.stdout.split() == []


@pytest.mark.slow
def test_a_neighbour_that_takes_and_gives_back_memory_is_seen_by_its_faults_and_its_size():
    with neighbour(HUNGRY) as pid:
        time.sleep(0.5)
        hungry = seen()
    assert hungry.others_faults > 10_000
    largest = max(one.resident_bytes for one in hungry.neighbours if one.pid == pid)
    assert largest > 128 << 20


def test_every_metric_that_is_known_has_a_value():
    found = seen(0.1)
    assert all(len(one.values) == 1 and one.values[0] >= 0.0 for one in found.series())
    names = [one.metric.name for one in found.series()]
    assert len(set(names)) == len(names) >= 8  # heat and clock are not known on every machine


def test_shares_are_of_the_time_that_passed():
    before = replace(read_counters(), heat_events=0)
    after = replace(
        before,
        at_s=before.at_s + 2,
        total_s=before.total_s + 4,
        busy_s=before.busy_s + 1.5,
        stolen_s=before.stolen_s + 0.5,
        throttled_s=before.throttled_s + 0.3,
        cpu_waited_s=before.cpu_waited_s + 0.2,
        memory_waited_s=before.memory_waited_s + 0.1,
        heat_events=before.heat_events + 3,
        clock_hz=2.5e9,
        faults=before.faults + 900,
        own_cpu_s=before.own_cpu_s + 0.5,
        own_faults=before.own_faults + 100,
    )
    found = difference(before, after)
    assert found.others_cores == pytest.approx(0.5)
    assert found.stolen == pytest.approx(0.125)
    assert found.throttled == pytest.approx(0.15)
    assert found.cpu_pressure == pytest.approx(0.1)
    assert found.memory_pressure == pytest.approx(0.05)
    assert (found.heat_events, found.clock_hz) == (3, 2.5e9)
    assert found.others_faults == pytest.approx(400)
    assert found.busiest == ""


def test_a_quota_throttles_a_process_for_no_more_than_the_whole_time():
    """The kernel counts the time of each core."""
    before = read_counters()
    after = replace(before, at_s=before.at_s + 2, throttled_s=before.throttled_s + 7.0)
    assert difference(before, after).throttled == 1.0


def test_cores_keep_their_numbers_where_others_are_offline(monkeypatch, tmp_path):
    """As without the second thread of each core: the kernel lists cores 0 and 2 alone."""
    second = "cpu2 9000 0 1000 0 0 0 0 500 0 0"
    (tmp_path / "stat").write_text(f"cpu 0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 700 0 0 0 0 0 0\n{second}\nintr 1\n")
    for module in (interference, procfs):
        monkeypatch.setattr(module, "PROC", tmp_path)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    monkeypatch.setattr(interference, "allowed_cores", lambda: [2])
    assert interference.core_times() == pytest.approx([ticks / procfs.TICKS for ticks in (10_500, 10_000, 500)])
    monkeypatch.setattr(interference, "allowed_cores", lambda: [0, 1])
    assert interference.core_times() == pytest.approx([ticks / procfs.TICKS for ticks in (700, 0, 0)])
    assert sampler.busy_s() == pytest.approx([ticks / procfs.TICKS for ticks in (0, 0, 10_000)])


def test_a_machine_without_the_kernel_s_files_has_no_readings(monkeypatch, tmp_path):
    for module in (interference, procfs):
        monkeypatch.setattr(module, "PROC", tmp_path)
    assert read_counters() is None
    assert interference.waited_s("cpu") is None
    assert interference.faults() is None


def test_heat_events_are_those_of_the_allowed_cores(tmp_path):
    for core in (*allowed_cores(), 4095):
        file = tmp_path / f"cpu{core}" / "thermal_throttle" / "core_throttle_count"
        file.parent.mkdir(parents=True)
        file.write_text("7\n")
    assert interference.heat_events(tmp_path) == 7 * len(allowed_cores())
    assert interference.heat_events(tmp_path / "nowhere") is None
