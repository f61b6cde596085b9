"""Readings of processes from outside, against their own."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from suite.machine.cgroups import ROOT, cpu_quota, groups, memory_limit
from suite.machine.sampler import Observation, Sample, Sampler, Totals, package_j
from suite.measuring.instruments.utilization import host_energy
from tests.conftest import PROJECT

pytestmark = pytest.mark.alone
WATCHED = """
import json, os, sys, time
from suite.machine.sampler import Sampler
from suite.measuring.instruments.utilization import utilization, totals, timelines
from suite.machine.cgroups import cpu_quota, memory_limit, throttled_s
WORK
def busy(until_s):
    while time.perf_counter() < until_s:
        pass
with Sampler(0.05) as sampler:
    child = os.fork() if CHILD else -1
    if child == 0:
        busy(time.perf_counter() + SECONDS + 0.5)
        os._exit(0)
    held_s, started_s, own_s = throttled_s(), time.perf_counter(), time.process_time()
    sampler.go()
    work(started_s + SECONDS)
    seen = sampler.stop()
    samples = seen.samples
    told = {
        "utilization": utilization(samples),
        "cores": [one.values[0] for one in timelines(samples, started_s)[1:2]],
        "own_share": (time.process_time() - own_s) / (time.perf_counter() - started_s),
        "samples": len(samples),
        "resident": max(one.resident_bytes for one in samples),
        "throttled_s": throttled_s() - held_s,
        "quota": cpu_quota(),
        "limit": memory_limit(),
        "written": seen.after.written_bytes - seen.before.written_bytes,
        "at_s": [one.at_s - started_s for one in samples],
    }
print(json.dumps(told))
"""
BUSY = "work = lambda until_s: busy(until_s)"
ASLEEP = "work = lambda until_s: time.sleep(until_s - time.perf_counter())"


def watched(work: str, *, child: bool = False, seconds: float = 1.0, into: Path | None = None):
    """Samples that a fresh process takes of itself, in a control group if one is given."""
    code = WATCHED.replace("WORK", work).replace("CHILD", str(child)).replace("SECONDS", str(seconds))
    if into is not None:
        code = f"from pathlib import Path; Path({str(into / 'cgroup.procs')!r}).write_text('0')\n" + code
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CORES = len(os.sched_getaffinity(0))


def test_a_busy_loop_on_one_core_is_that_part_of_the_machine():
    told = watched(BUSY)
    assert told["utilization"] == pytest.approx(told["own_share"] / CORES, abs=0.03)
    assert told["own_share"] > 0.5, "the machine let it run"


@pytest.mark.slow
def test_a_process_that_sleeps_uses_nothing():
    assert watched(ASLEEP)["utilization"] < 0.03


@pytest.mark.slow
def test_children_count():
    told = watched(ASLEEP, child=True)
    assert 0.5 / CORES < told["utilization"] < 1.03 / CORES


def test_samples_come_at_the_interval_by_the_clock_of_the_process_that_works():
    at_s = watched(ASLEEP)["at_s"]
    assert len(at_s) >= 15, "of 21 that fit"
    assert at_s == sorted(at_s)
    assert 0 <= at_s[0] < 0.3
    assert at_s[-1] >= 1.0


@pytest.mark.slow
def test_memory_is_seen_while_it_is_held():
    held = "def work(until_s):\n    block = b'x' * (200 << 20); time.sleep(0.6)"
    seen = watched(held)["resident"] - watched(ASLEEP)["resident"]
    assert seen == pytest.approx(200 << 20, rel=0.05)


def test_writing_to_storage_is_seen(tmp_path):
    write = f"f = open({str(tmp_path / 'f')!r}, 'wb'); f.write(b'x' * (8 << 20)); f.close(); time.sleep(0.3)"
    written = f"def work(until_s):\n    {write}"
    assert watched(written)["written"] >= 8 << 20


@pytest.fixture
def control_group():
    """A new group that grants half a core and 3 GiB, in the version of this machine."""
    folders = [path for path in (ROOT / "cpu", ROOT / "memory") if path.is_dir()] or [ROOT]
    mine = [next(groups(path.name if path != ROOT else "cpu"), path) / f"stepmark-{os.getpid()}" for path in folders]
    try:
        for path in mine:
            path.mkdir()
        limits = {"cpu.max": "50000 100000", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"}
        limits |= {"memory.max": str(3 << 30), "memory.limit_in_bytes": str(3 << 30)}
        for path in mine:
            for name, value in limits.items():
                if (path / name).exists():
                    (path / name).write_text(value)
    except OSError as error:
        for path in mine:
            if path.is_dir():
                path.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield mine
    for path in mine:
        path.rmdir()


@pytest.mark.slow
def test_a_quota_of_the_control_group_is_what_is_granted(control_group):
    """Half a core, all of it used, is everything; the host has more."""
    told = watched(BUSY, into=control_group[0], seconds=2.0)
    assert told["quota"] == 0.5
    assert told["own_share"] == pytest.approx(0.5, abs=0.06)
    assert told["utilization"] == pytest.approx(told["own_share"] / 0.5, abs=0.06)
    assert told["throttled_s"] > 0.3


def test_a_limit_of_memory_is_the_control_group_s(control_group):
    assert watched(ASLEEP, into=control_group[-1], seconds=0.1)["limit"] == 3 << 30


def test_this_process_reads_its_own_limits():
    assert cpu_quota() is None or cpu_quota() > 0
    assert memory_limit() is None or memory_limit() > 0


def test_energy_of_the_processors_is_the_sum_of_their_packages(tmp_path):
    assert package_j(tmp_path) is None
    for number, drawn_uj in enumerate((1_500_000, 2_000_000)):
        folder = tmp_path / f"intel-rapl:{number}"
        (folder / f"intel-rapl:{number}:0").mkdir(parents=True)
        (folder / "energy_uj").write_text(f"{drawn_uj}\n")
        (folder / f"intel-rapl:{number}:0" / "energy_uj").write_text("77\n")
    assert package_j(tmp_path) == 3.5


def test_energy_of_the_platform_is_none_of_a_package_of_processors(tmp_path):
    """A portable machine has a domain of all that it draws, in which the package is counted again."""
    for number, name, drawn_uj in ((0, "package-0", 1_500_000), (1, "psys", 9_000_000), (10, "package-1", 500_000)):
        folder = tmp_path / f"intel-rapl:{number}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{drawn_uj}\n")
    assert package_j(tmp_path) == 2.0


def test_time_of_a_child_that_has_ended_is_not_taken_back():
    busy = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.4: pass"]
    with Sampler(0.05) as sampler:
        sampler.go()
        subprocess.run(busy, check=True)
        samples = sampler.stop().samples
    spent_s = [after.cpu_s - before.cpu_s for before, after in pairwise(samples)]
    assert sum(spent_s) >= 0.3
    assert min(spent_s) >= -0.05, "a tick or two of the kernel's clock"


def test_energy_of_the_host_is_left_out_where_its_counter_began_anew():
    def seen(first_j: float | None, last_j: float | None) -> Observation:
        before, after = (Totals(0, 0, 0, 0, [], drawn_j) for drawn_j in (first_j, last_j))
        return Observation([Sample(0.0, 0, 0), Sample(1.0, 0, 0)], before, after)

    assert host_energy(seen(10.0, 14.0), steps=2)[0].values == (2.0,)
    assert host_energy(seen(10.0, 3.0), steps=2) == ()
    assert host_energy(seen(None, 10.0), steps=2) == ()
