"""The doctor names what disturbs a measurement, and nothing else."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from suite.doctor.gpu_checks import check_devices
from suite.doctor.load_checks import check_load, check_other_load, check_pressure, check_steal
from suite.doctor.setup_checks import (
    SETUP_CHECKS,
    check_governor,
    check_huge_pages,
    check_shared_memory,
    check_siblings,
    check_turbo,
)
from suite.machine.affinity import allowed_cores
from suite.machine.interference import Interference, difference, read_counters
from tests.conftest import PROJECT
from tests.fakes.neighbours import BUSY, neighbour
from tests.machine.test_sampler import control_group  # noqa: F401 - a fixture

CORES = "devices/system/cpu"


def written(root: Path, **files: str) -> Path:
    """A folder such as the kernel's, with files by their paths; each core that this process may use has its own."""
    for name, text in files.items():
        for core in allowed_cores():
            file = root / name.replace("CORE", f"cpu{core}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text.replace('CORE', str(core))}\n")
    return root


@pytest.mark.parametrize(
    ("check", "file", "text", "state"),
    [
        (check_governor, f"{CORES}/CORE/cpufreq/scaling_governor", "performance", "fine"),
        (check_governor, f"{CORES}/CORE/cpufreq/scaling_governor", "powersave", "disturbs"),
        (check_turbo, f"{CORES}/intel_pstate/no_turbo", "1", "fine"),
        (check_turbo, f"{CORES}/intel_pstate/no_turbo", "0", "disturbs"),
        (check_turbo, f"{CORES}/cpufreq/boost", "0", "fine"),
        (check_turbo, f"{CORES}/cpufreq/boost", "1", "disturbs"),
        (check_huge_pages, "kernel/mm/transparent_hugepage/enabled", "always [madvise] never", "fine"),
        (check_huge_pages, "kernel/mm/transparent_hugepage/enabled", "[always] madvise never", "disturbs"),
        (check_siblings, f"{CORES}/CORE/topology/thread_siblings_list", "CORE", "fine"),
        (check_siblings, f"{CORES}/CORE/topology/thread_siblings_list", "0-1", "disturbs"),
    ],
)
def test_settings_of_the_machine_are_read_from_its_kernel(tmp_path, check, file, text, state):
    if state == "disturbs" and check is check_siblings and len(allowed_cores()) < 2:
        pytest.skip("needs two cores")
    finding = check(written(tmp_path, **{file: text}))
    assert finding.state == state
    assert bool(finding.advice) == (state == "disturbs")


@pytest.mark.parametrize("check", [check_governor, check_turbo, check_huge_pages, check_siblings])
def test_a_missing_reading_of_the_machine_is_unknown(tmp_path, check):
    assert check(tmp_path).state == "unknown"


def test_the_advice_about_threads_keeps_one_permitted_thread_of_each_core(tmp_path, monkeypatch):
    siblings = {1: "0-1", 2: "2-3", 3: "2-3", 8: "8"}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(siblings))
    for core, threads in siblings.items():
        file = tmp_path / CORES / f"cpu{core}" / "topology" / "thread_siblings_list"
        file.parent.mkdir(parents=True)
        file.write_text(f"{threads}\n")
    finding = check_siblings(tmp_path)
    assert finding.found == "this process may use several threads of 1 physical core: threads 2-3"
    assert finding.advice == "run under taskset -c 1,2,8, or with --threads 3"


def test_little_shared_memory_disturbs_and_none_is_unknown(tmp_path):
    assert check_shared_memory(tmp_path / "nowhere").state == "unknown"
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not permitted here")
    try:
        finding = check_shared_memory(small)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert (finding.state, finding.found.split(" at ")[0]) == ("disturbs", "64.0 MiB")
    assert "--shm-size" in finding.advice


@pytest.mark.parametrize("check", SETUP_CHECKS, ids=lambda check: check.__name__)
def test_every_check_comes_to_something_on_this_machine(check):
    finding = check()
    assert finding.found
    assert bool(finding.advice) == (finding.state == "disturbs")


@pytest.mark.alone
def test_a_busy_process_is_named():
    with neighbour(BUSY) as pid:
        before = read_counters()
        time.sleep(1.0)
        finding = check_other_load(difference(before, read_counters()))
    assert finding.state == "disturbs"
    assert f"process {pid})" in finding.found


def test_steal_and_load_are_given_as_shares():
    quiet = Interference(0.01, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, ())
    assert check_other_load(quiet).state == check_steal(quiet).state == "fine"
    assert check_steal(replace(quiet, stolen=0.25)).found.startswith("the hypervisor gives 25.0 % of the time")


def test_load_by_processes_that_are_not_visible_is_named_without_them():
    seen = Interference(float(len(allowed_cores())), 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, ())
    finding = check_other_load(seen)
    assert finding.found == "other processes use 100 % of the cores that this process may use"
    assert finding.advice == "stop other processes and containers, or wait"


def test_pressure_is_that_of_the_last_ten_seconds(tmp_path):
    file = tmp_path / "cpu"
    file.write_text("some avg10=12.50 avg60=0.07 avg300=1.37 total=6\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    assert check_pressure(file).found == "for 12 % of the last ten seconds a process waited for a core"
    file.write_text("some avg10=0.10 avg60=0.07 avg300=1.37 total=6\n")
    assert check_pressure(file).state == "fine"
    assert check_pressure(tmp_path / "nowhere").found == "the kernel has no /proc/pressure/cpu"


IN_A_GROUP = """
import json, threading
from dataclasses import asdict
from suite.doctor.setup_checks import check_quota
from suite.doctor.load_checks import check_load
def busy():
    while True: pass
threading.Thread(target=busy, daemon=True).start()
print(json.dumps([asdict(one) for one in (check_quota(), *check_load())]))
"""


@pytest.mark.slow
@pytest.mark.alone
def test_a_quota_is_named_and_so_is_its_being_used_up(control_group):  # noqa: F811 - the fixture
    join = f"from pathlib import Path; Path({str(control_group[0] / 'cgroup.procs')!r}).write_text('0')\n"
    command = [sys.executable, "-c", join + IN_A_GROUP]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["CPU quota"]["state"] == "disturbs"
    assert found["CPU quota"]["found"].startswith("0.5 cores' worth")
    assert found["throttling"]["state"] == "disturbs"


def test_a_machine_without_a_driver_has_one_finding_about_devices():
    found = list(check_devices())
    if any(one.name.startswith("GPU") for one in found):
        pytest.skip("a driver is here")
    assert [one.name for one in found] == ["NVIDIA devices"]
    assert found[0].state == "fine"


@pytest.mark.slow
def test_checks_of_the_load_run_in_this_order():
    assert [one.name for one in check_load()] == ["other load", "steal", "CPU pressure", "throttling"]


@pytest.mark.nightly
@pytest.mark.parametrize("arguments", [[], ["--format", "json"]], ids=["table", "json"])
def test_the_command_prints_every_check_and_measures_the_noise_floor(arguments):
    before = {file: file.read_text() for file in Path("/sys/devices/system/cpu/cpu0/cpufreq").glob("*_governor")}
    done = subprocess.run(
        [sys.executable, "-m", "suite.cli", "doctor", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert before == {file: file.read_text() for file in before}
    if arguments:
        names = [json.loads(line)["name"] for line in done.stdout.splitlines()]
        assert names[-2:] == ["allocator", "noise floor"]
    else:
        assert "identical cases differ by" in done.stdout
        assert done.stdout.splitlines()[-1].endswith("measurements here; nothing was changed")
