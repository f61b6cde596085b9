"""Each reading of the machine is optional: whatever it does, a run goes on, and its record says null and why."""

import importlib
import inspect
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import psutil
import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.machine import cgroups, interference, procfs, sampler
from suite.machine import readings as optional
from suite.machine.interference import CounterSnapshot, difference
from suite.machine.readings import OWN_FAULTS, known, known_or
from suite.records.store import read_run
from tests.conftest import FAKES, PROJECT, Desk

FAULTY = FAKES / "faulty_machine"
MODULES = (
    "machine.affinity",
    "machine.cgroups",
    "machine.accelerators",
    "machine.cuda",
    "machine.device_facts",
    "machine.interference",
    "machine.nvml",
    "machine.priority",
    "machine.procfs",
    "machine.sampler",
    "provenance.environment",
)
ONE = ["--profile", "tiny", "--passes", "1", "-k", "tinier and adam"]
ERRORS = [
    PermissionError(13, "refused"),
    OSError(5, "broken"),
    ValueError("no number"),
    NotImplementedError("can't find current frequency file"),
    RuntimeError("cannot tell"),
    KeyError("MemTotal"),
    TypeError("'NoneType' object is not subscriptable"),
    psutil.AccessDenied(1),
    pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN),
]


def raising(error):
    def read():
        raise error

    return read


def readings():
    """Every reading that its module marks as optional and that can be asked without arguments."""
    for name in MODULES:
        module = importlib.import_module(f"suite.{name}")
        for one in vars(module).values():
            if inspect.isfunction(one) and hasattr(one, "__wrapped__") and one.__module__ == module.__name__:
                needed = [each for each in inspect.signature(one).parameters.values() if each.default is each.empty]
                if not needed:
                    yield pytest.param(one, id=f"{name}.{one.__name__}")


@pytest.fixture(autouse=True)
def notes(monkeypatch):
    """Notes of this test alone."""
    monkeypatch.setattr(optional, "NOTES", {})
    return optional.NOTES


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_reading_that_raises_is_unknown_and_leaves_a_note(notes, error):
    assert known("load", raising(error)) is None
    assert known_or("cores", raising(error), list) == []
    expected = {} if isinstance(error, pynvml.NVMLError) else {"load", "cores"}
    assert set(notes) == set(expected)
    assert all(text.startswith(type(error).__name__) for text in notes.values())


@pytest.mark.parametrize("error", [FileNotFoundError(2, "no such file"), ProcessLookupError(3, "ended")])
def test_a_missing_file_of_the_kernel_leaves_no_note(notes, error):
    assert known("pressure", raising(error)) is None
    assert notes == {}


@pytest.mark.parametrize("fault", OWN_FAULTS)
def test_a_fault_of_this_code_is_raised(fault):
    with pytest.raises(fault):
        known("load", raising(fault("misspelt")))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_unknown(value):
    assert known("clock", lambda: value) is None


@pytest.mark.parametrize("read", list(readings()))
def test_every_reading_works_on_this_machine(notes, read):
    """A fault in a reading itself would else be taken for the machine's."""
    read()
    assert notes == {}


OF_GROUP = ("group/memory.max", "group/memory.events", "group/cpu.stat")


@given(st.binary(max_size=200))
def test_files_of_any_content_give_unknown_or_a_number_of_sense(content):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("stat", "vmstat", "pressure/cpu", "cgroup", "group/cpu.max", *OF_GROUP):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(content)
        with pytest.MonkeyPatch.context() as patch:
            for module in (interference, procfs):
                patch.setattr(module, "PROC", root)
            patch.setattr(cgroups, "MEMBERSHIP", root / "cgroup")
            patch.setattr(cgroups, "groups", lambda _: iter([root / "group"]))
            numbers = [interference.waited_s("cpu"), interference.faults(), cgroups.cpu_quota(), cgroups.memory_limit()]
            numbers += [cgroups.throttled_s(), cgroups.oom_kills(), cgroups.memory_room(), sampler.package_j(root)]
            assert procfs.read_process(1) is None
            cgroups.lines_of_membership()
    assert all(one is None or math.isfinite(one) for one in numbers)
    assert all(one is None or one > 0 for one in numbers[2:4])


@pytest.mark.parametrize("name", [one.name for one in fields(CounterSnapshot) if one.name != "at_s"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_counter_unknown_at_either_look_leaves_its_metrics_out_and_no_others(name, place):
    whole = replace(interference.read_counters(), heat_events=0, clock_hz=1e9, others={})
    looks = {"before": whole, "after": replace(whole, at_s=whole.at_s + 1)}
    every = len(difference(**looks).series())
    looks[place] = replace(looks[place], **{name: None})
    lost = every - len(difference(**looks).series())
    assert lost <= 2
    assert lost >= 1 or (name, place) == ("clock_hz", "before")


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param("raise", marks=pytest.mark.slow),
        *(pytest.param(faults, marks=pytest.mark.nightly) for faults in ("nothing", "nonsense")),
    ],
)
def test_a_run_on_a_machine_of_which_nothing_can_be_read_is_measured(desk: Desk, monkeypatch, faults):
    monkeypatch.setenv("FAULTS", faults)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTY), *filter(None, [os.environ.get("PYTHONPATH")])]))
    done = desk.run(*ONE, "--record", "run")
    assert done.code == 0, done.out + done.err
    run = read_run(desk.folder / "run")
    assert run.footer is not None
    assert [one.outcome for one in run.cases] == ["measured"]
    environment = {**run.header.environment, **run.footer.environment}
    assert environment["load_after"]["load_1min"] is None
    assert environment["machine"]["memory_bytes"] is None
    assert {"environment.load_1min", "environment.memory_bytes"} <= environment["not_read"].keys()
    assert (desk.folder / "run" / "report.html").exists()


@pytest.mark.parametrize("faults", ["raise", "nothing", "nonsense"])
def test_the_doctor_says_of_each_check_what_could_not_be_read(faults):
    code = (
        "from itertools import islice; from suite.doctor import SETUP_CHECKS, examine, load_checks;"
        "load_checks.WINDOW_S = 0.1;"
        "[print(one.state, one.name, one.found) for one in islice(examine(), len(SETUP_CHECKS) + 2)]"
    )
    variables = {**os.environ, "FAULTS": faults, "PYTHONPATH": os.pathsep.join([str(FAULTY), str(PROJECT)])}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for check in ("memory could not be read", "clock governor", "turbo", "other load the kernel's counters"):
        assert f"unknown {check}" in done.stdout


def private(commands: str, *arguments: str) -> list[str]:
    """A command that runs in a new mount namespace once these commands have changed its files."""
    return ["unshare", "-m", "sh", "-ec", f'{commands}\nexec "$@"', "sh", *arguments]


def has_namespaces() -> bool:
    """Whether this user may have a mount namespace and change `/proc` in it."""
    command = private("mount -o remount,ro,bind /proc", "true")
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


own_mounts = pytest.mark.skipif(not has_namespaces(), reason="needs the right to mount")
READ_ONLY = "mount -o remount,ro,bind /proc"
CORES = """
mount -t tmpfs none /sys/devices/system/cpu
mkdir -p /sys/devices/system/cpu/cpufreq/policy0 /sys/devices/system/cpu/cpufreq/policy1
for policy in /sys/devices/system/cpu/cpufreq/policy?; do
    echo 800000 > $policy/scaling_min_freq; echo 3000000 > $policy/scaling_max_freq
done
grep -v 'cpu MHz' /proc/cpuinfo > cpuinfo; mount --bind cpuinfo /proc/cpuinfo
"""
UNKNOWN_CLOCK = (
    CORES
    + "for policy in /sys/devices/system/cpu/cpufreq/policy?; do echo '<unknown>' > $policy/scaling_cur_freq; done"
)


@own_mounts
@pytest.mark.parametrize(
    ("commands", "note"),
    [
        pytest.param(f"{UNKNOWN_CLOCK}\n{READ_ONLY}", "<unknown>", id="clock unknown, /proc read-only"),
        pytest.param(CORES, "NotImplementedError", id="no present clock"),
    ],
)
@pytest.mark.slow
def test_a_run_is_measured_though_the_kernel_s_files_are_odd(desk: Desk, commands, note):
    command = private(commands, *desk.command(*ONE, "--record", "run"))
    done = subprocess.run(command, cwd=desk.folder, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_run(desk.folder / "run")
    assert run.footer is not None
    assert note in run.footer.environment["not_read"]["interference.clock_hz"]
    assert run.cases[0].measurement.visit_values("core_clock") == ()
