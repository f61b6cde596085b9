"""`stepmark gate` for real: processes of both sides, started, measured, killed and ended."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from suite.gate.arms.arm import make_ready
from suite.gate.arms.spec import parse
from suite.gate.measuring.block import BlockPlan, GateSetup, can_be_concurrent, halves_of, measure_block
from suite.gate.measuring.memory import measure_memory
from suite.gate.measuring.pair import OneFailed, measure
from suite.gate.options import METRICS
from suite.gate.record.paired_rounds import ratio_of
from suite.gate.record.store import read_gate
from suite.gate.record.values import CasePair
from suite.machine.affinity import allowed_cores
from suite.machine.cuda import cuda_devices
from suite.records import Case, WorkerSettings
from suite.registry import load_levels
from tests.conftest import PROJECT, processes_below

load_levels()
CASE = Case("seed_cnn", "sgd", "cpu", batch_size=8)
CHANGES = PROJECT / "docs" / "studies" / "gate"
ARMS = ("--baseline", "env:SIDE=a", "--candidate", "env:SIDE=b")
needs_two_cores = pytest.mark.skipif(len(allowed_cores()) < 2, reason="both sides need a core of their own")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "suite.cli", "gate", *arguments]


def gate(folder: Path, *arguments: str, timeout_s: float = 300, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **variables},
    )


def of_tiny(*arguments: str) -> tuple[str, ...]:
    return ("--profiles", "profiles.toml", "--profile", "tiny", "-k", "tiny-sgd or tinier-sgd", *arguments)


@pytest.mark.parametrize(
    "concurrent", [pytest.param(True, marks=needs_two_cores), False], ids=["concurrent", "alternating"]
)
@pytest.mark.slow
def test_a_block_measures_both_sides_with_as_many_rounds_in_either_order(concurrent, tmp_path):
    side = make_ready(parse("env:SIDE=a"), tmp_path, tmp_path)
    setting = GateSetup((side, side), WorkerSettings(threads=1), ())
    mode = "concurrent" if concurrent else "alternating"
    rows = [(CasePair(CASE.id, CASE, CASE, concurrent), (mode,))]
    block = measure_block(setting, BlockPlan(0, "comparison", rows, 0.2, seed=1))
    told = block.results[CASE.id][mode]
    assert told.reason == ""
    paired = told.paired
    rounds = [len(series.values) for side in (paired.baseline, paired.candidate) for series in side]
    assert len(set(rounds)) == 1
    assert rounds[0] % len(paired.orders) == 0
    assert abs(2 * sum(paired.orders) - len(paired.orders)) <= 1
    assert ratio_of(paired).taken == len(paired.orders)


@needs_two_cores
@pytest.mark.parametrize("place", [0, 1], ids=["baseline", "candidate"])
@pytest.mark.slow
def test_a_worker_that_is_killed_while_both_are_measured_together_is_lost_and_the_other_does_not_wait(place, tmp_path):
    side = make_ready(parse("env:SIDE=a"), tmp_path, tmp_path)
    setting, chance = GateSetup((side, side), WorkerSettings(threads=1, case_timeout=20.0), ()), random.Random(1)
    with contextlib.ExitStack() as stack:
        launchers = [stack.enter_context(launcher) for launcher in setting.launchers("comparison", chance)]
        first, second = (launcher.fork(CASE) for launcher in launchers)
        killed = threading.Timer(2.0, os.kill, ((first, second)[place]._pid, signal.SIGKILL))
        killed.start()
        with pytest.raises(OneFailed, match="SIGKILL") as failed:
            measure((first, second), "concurrent", 60.0, halves_of(1, chance), chance)
        killed.join()
    assert (failed.value.place, failed.value.lost) == (place, True)


@pytest.mark.gpu
@pytest.mark.skipif(cuda_devices() < 1, reason="needs a GPU")
def test_sides_that_share_a_device_take_turns_and_their_memory_is_that_of_the_device(tmp_path):
    case = Case("seed_cnn", "sgd", "cuda")
    assert not can_be_concurrent((case, case), threads=1)
    side = make_ready(parse("env:SIDE=a"), tmp_path, tmp_path)
    setting = GateSetup((side, side), WorkerSettings(threads=1), ())
    row = CasePair(case.id, case, case, concurrent=False)
    block = measure_block(setting, BlockPlan(0, "comparison", [(row, ("alternating",))], 0.5, seed=1))
    told = block.results[case.id]["alternating"]
    assert told.reason == ""
    assert abs(ratio_of(told.paired).log_ratio) < 0.2
    found = measure_memory(setting, [row], 0, seed=1).found[case.id]
    assert found[0] == found[1], "torch's allocator hands out as much each time"


def test_two_workers_of_one_block_have_memory_laid_out_by_chance(tmp_path):
    """Fresh processes, not forks of one: their environments differ in length, their hash seed is the same."""
    side = make_ready(parse("env:SIDE=a"), tmp_path, tmp_path)
    chance = random.Random(3)
    launchers = GateSetup((side, side), WorkerSettings(), ()).launchers("comparison", chance)
    own = [dict(launcher._origin.variables) for launcher in launchers]
    assert own[0]["PYTHONHASHSEED"] == own[1]["PYTHONHASHSEED"]
    assert own[0]["STEPMARK_PADDING"] != own[1]["STEPMARK_PADDING"]
    assert own[0]["SIDE"] == "a"


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_a_block_of_its_case_and_leaves_no_orphan(desk):
    started = subprocess.Popen(
        command(*ARMS, *of_tiny("--budget", "60s", "--out", "out")),
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    kill_a_worker(started, desk.folder / "out" / "gate.jsonl")
    below = processes_below(started.pid)
    out, err = started.communicate(timeout=300)
    assert started.returncode in (0, 11), err
    assert [pid for pid in below if is_running(pid)] == []
    read = read_gate(desk.folder / "out")
    assert read.finished
    reasons = [told.reason for block in read.blocks for by_mode in block.results.values() for told in by_mode.values()]
    assert any("SIGKILL" in reason for reason in reasons)
    assert "Traceback" not in out + err
    verdict = json.loads((desk.folder / "out" / "verdict.json").read_text())
    assert verdict["exit_code"] == started.returncode
    assert verdict["lost_blocks"] == 1
    assert "lost: a worker was killed in 1 block" in out
    assert {one["metric"] for one in verdict["cases"]} == set(METRICS)
    assert ElementTree.parse(desk.folder / "out" / "junit.xml").getroot() is not None  # noqa: S314 - our own
    assert (desk.folder / "out" / "gate.html").read_text().startswith("<!doctype html>")


def kill_a_worker(started: subprocess.Popen[str], ledger: Path) -> None:
    """Once blocks are measured: end a process that was forked by one of the two that import torch."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and started.poll() is None:
        if ledger.exists() and b'"kind": "memory"' in ledger.read_bytes():
            direct = [pid for pid in processes_below(started.pid) if parent(pid) == started.pid]
            workers = [pid for zygote in direct for pid in processes_below(zygote) if leads_a_session(pid)]
            for pid in workers[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    return
        time.sleep(0.02)
    raise AssertionError("no worker was seen")


def leads_a_session(pid: int) -> bool:
    """Whether a process is a worker, and not what its zygote forks to try something."""
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return False


def parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return -1


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended by SIGTERM")]
)
@pytest.mark.slow
def test_a_gate_that_is_interrupted_says_how_to_go_on_and_leaves_neither_a_verdict_nor_a_process(
    desk, temporary, number, code, said
):
    started = subprocess.Popen(
        command(*ARMS, *of_tiny("--out", "out")),
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # what starts in the background ignores it
    )
    assert "2 cases" in started.stdout.readline()
    below = processes_below(started.pid)
    started.send_signal(number)
    _, err = started.communicate(timeout=60)
    assert (started.returncode, err) == (code, f"stepmark: {said}; `stepmark gate --resume out` continues.\n")
    assert [pid for pid in below if is_running(pid)] == []
    assert [path.name for path in (desk.folder / "out").iterdir()] == ["gate.jsonl"]
    assert list(temporary.glob("stepmark_*")) == []
    assert not read_gate(desk.folder / "out").finished
    with (desk.folder / "my_levels.py").open("a") as levels:
        levels.write("# another file\n")
    done = gate(desk.folder, "--resume", "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the code or environment has changed: arms.baseline.identity.plugins.my_levels: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "found"),
    [
        (("--candidate", "dir:."), 2, "--baseline is missing"),
        (("--baseline", "main", "--candidate", "dir:."), 2, "arm 'main' has the unknown part 'main'"),
        (("--baseline", "rev:nowhere", "--candidate", "dir:."), 2, "nowhere"),
        ((*ARMS, "--metric", "speed"), 2, "--metric has 'speed'"),
        ((*ARMS, "--budget", "soon"), 2, "--budget is 'soon'"),
        ((*ARMS, "--budget", "45s"), 2, "but showing a regression of any size takes 7; allowed: --budget "),
        ((*ARMS, "--margin", "1%"), 2, "--margin is 1%"),
        ((*ARMS, "--profile", "none"), 2, "profile 'none' is not in"),
        ((*ARMS, "-k", "nothing"), 2, "no case of profile"),
        ((*ARMS, "--threads", "0"), 2, "--threads is '0'"),
        (("--resume", "gone"), 2, "gone"),
        ((*ARMS, "-k", "cuda", "--profile", "smoke"), 12, "no case in common"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_arguments_of_a_gate_are_refused_in_one_sentence(arguments, code, found, tmp_path, monkeypatch, capsys):
    from suite.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["gate", *arguments]) == code
    said = capsys.readouterr().err
    assert found in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_arm_whose_code_does_not_start_is_named(desk):
    """Its plug-in imports in the process that judges, and not with the variable that this arm sets."""
    (desk.folder / "my_levels.py").write_text(
        (desk.folder / "my_levels.py").read_text()
        + '\nif "BROKEN" in os.environ:\n    raise ValueError("broken here")\n'
    )
    done = gate(desk.folder, "--baseline", "env:SIDE=a", "--candidate", "env:BROKEN=1", *of_tiny("--out", "out"))
    assert done.returncode == 2
    assert done.stderr.startswith("stepmark: the candidate cannot be measured: plug-in 'my_levels' does not import")
    assert done.stderr.count("\n") == 1
    assert not (desk.folder / "out").exists()


@pytest.mark.slow
def test_arms_that_speak_another_protocol_are_not_comparable(desk):
    other = desk.folder / "other"
    shutil.copytree(PROJECT / "suite", other / "suite", ignore=shutil.ignore_patterns("__pycache__"))
    protocol = other / "suite" / "protocol.py"
    text = protocol.read_text()
    protocol.write_text(text.replace("\nVERSION = ", "\nVERSION = 10"))
    done = gate(desk.folder, "--baseline", "dir:other", "--candidate", "env:SIDE=b", *of_tiny())
    assert done.returncode == 12
    assert "speaks protocol 10" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.nightly
@needs_two_cores
def test_a_gate_that_is_killed_goes_on_and_finds_the_slower_case(desk):
    """A slowdown by an arm's plug-in, the gate killed after some blocks, then resumed in GitHub's CI."""
    (desk.folder / "changes.py").write_text((CHANGES / "changes.py").read_text())
    (desk.folder / "own.toml").write_text(
        '[own]\nplugins = ["changes"]\nstructures = ["seed_cnn"]\noptimizers = ["sgd", "adam"]\n'
        'executions = ["cpu"]\nbatch_sizes = [8]\n'
    )
    arms = ("--baseline", "env:WORK=*=0", "--candidate", "env:WORK=seed_cnn-adam-cpu-b8=600")
    own = (*arms, "--profiles", "own.toml", "--profile", "own", "--out", "out")
    started = subprocess.Popen(command(*own), cwd=desk.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ledger = desk.folder / "out" / "gate.jsonl"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not (
        ledger.exists() and ledger.read_text().count('"kind": "comparison"') > 2
    ):
        time.sleep(0.2)
    below = processes_below(started.pid)
    started.kill()
    started.wait()
    summary = desk.folder / "summary.md"
    measured = len(read_gate(desk.folder / "out").blocks)
    done = gate(desk.folder, "--resume", "out", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary), timeout_s=600)
    assert done.returncode == 10, done.stderr
    assert [pid for pid in below if is_running(pid)] == []
    assert len(read_gate(desk.folder / "out").blocks) > measured
    assert "::error" in done.stdout
    assert "seed_cnn-adam-cpu-b8" in summary.read_text()
    again = gate(desk.folder, "--resume", "out")
    assert (again.returncode, "nothing to resume" in again.stderr) == (2, True)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("change", "metric"), [(f"HUNGRIER=*={8 * 2**20}", "peak_memory"), ("SYNCHRONISING=*=1", "host_reads")]
)
def test_a_larger_peak_and_a_read_of_the_loss_in_one_arm_are_regressions(desk, change, metric):
    (desk.folder / "changes.py").write_text((CHANGES / "changes.py").read_text())
    (desk.folder / "own.toml").write_text(
        '[own]\nplugins = ["changes"]\nstructures = ["seed_cnn"]\noptimizers = ["sgd"]\nexecutions = ["cpu"]\n'
    )
    arms = ("--baseline", "env:SIDE=a", "--candidate", f"env:{change}")
    own = ("--profiles", "own.toml", "--profile", "own", "--metric", "peak_memory,host_reads", "--out", "out")
    done = gate(desk.folder, *arms, *own)
    assert done.returncode == 10, done.stderr
    verdict = json.loads((desk.folder / "out" / "verdict.json").read_text())
    assert [one["metric"] for one in verdict["cases"] if one["verdict"] == "regression"] == [metric]
