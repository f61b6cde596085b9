"""Any process may be killed at any instant; what was measured stays, the run can be completed, nothing is left over."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from suite import report
from suite.records.codec import encode_visit
from suite.records.store import read_run
from tests.conftest import GOLDEN, Desk, alive, awaited, children, processes_below

RANDOM_KILLS = int(os.environ.get("KILLS", "50"))
SEED = int(os.environ.get("SEED", "1"))
PLANNED = 4
COMPLETE = GOLDEN / "record_schema_5"
GONE_WITHIN_S = 5.0
"""Seconds within which nothing of a killed process may be left."""


def zygotes_of(pytest_pid: int) -> list[int]:
    return children(pytest_pid)


def workers_of(pytest_pid: int) -> list[int]:
    return [worker for zygote in zygotes_of(pytest_pid) for worker in children(zygote)]


def itself(pytest_pid: int) -> list[int]:
    return [pytest_pid]


TARGETS: dict[str, Callable[[int], list[int]]] = {
    "worker": workers_of,
    "zygote": zygotes_of,
    "pytest": itself,
    "stepmark run": itself,
}
"""Who is killed -> its ids, from that of the process that was started: `stepmark run`, or pytest for all others."""
KEPT_BY_NOBODY = ("pytest", "stepmark run")
"""Those whose death ends the run."""


def kill_one(running: subprocess.Popen[bytes], record: Path, target: str, delay_s: float) -> list[int] | None:
    """Kill a target with SIGKILL `delay_s` after the record was begun, or as soon as there is one after that.

    Returns:
        The processes that pytest had by then; None where the run was over before anything could be killed.
    """
    deadline = time.monotonic() + 180
    await_record(running, record, deadline)
    time.sleep(delay_s)
    while running.poll() is None and time.monotonic() < deadline + delay_s:
        below = processes_below(running.pid)
        for victim in TARGETS[target](running.pid):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                return below
    return None


def await_record(running: subprocess.Popen[bytes], record: Path, deadline: float) -> None:
    """Wait until a run has begun its record, or has ended."""
    while not record.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def length_s(desk: Desk, folder: str, surveys: str) -> float:
    """Seconds from the beginning of a record to the end of its run, which nobody kills."""
    running = start(desk, folder, "pytest", surveys)
    await_record(running, desk.folder / folder / "record.jsonl", time.monotonic() + 180)
    begun = time.monotonic()
    assert running.wait(timeout=600) == 0
    return time.monotonic() - begun


def start(desk: Desk, folder: str, target: str, surveys: str) -> subprocess.Popen[bytes]:
    """Start a run that measures one case at a time, so that some are finished while others are not."""
    own = ("--profile", "tiny", "--passes", "2", "--record", folder, "--abreast", "1", "--surveys", surveys)
    return desk.start(*own, command="stepmark run" if target == "stepmark run" else "pytest")


def assert_gone(pids: list[int], folder: Path) -> None:
    """None of the processes runs any more, and none that began in a folder, give or take what the kernel needs."""
    awaited(lambda: not any(map(alive, pids)) and not began_in(folder), GONE_WITHIN_S)


def began_in(folder: Path) -> list[int]:
    """The processes whose working folder it is."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder and alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def survive(desk: Desk, folder: str, target: str, delay_s: float, surveys: str = "none") -> int | None:
    """Kill once, then check every promise; how many cases had been finished, None where the kill came too late."""
    running = start(desk, folder, target, surveys)
    below = kill_one(running, desk.folder / folder / "record.jsonl", target, delay_s)
    code = running.wait(timeout=600)
    if below is None:
        return None
    assert_gone(below, desk.folder)
    assert code == (-signal.SIGKILL if target in KEPT_BY_NOBODY else 0), "a lost worker or zygote is replaced"
    interrupted = read_run(desk.folder / folder)
    finished = {record.case.id: record for record in interrupted.cases}
    assert len(report.render(interrupted)) > 10_000
    if interrupted.footer is None:
        resumed = desk.run("--resume", folder, timeout_s=600)
        assert resumed.code == 0, resumed.out + resumed.err
    complete = read_run(desk.folder / folder)
    assert complete.footer is not None
    assert {record.case.id for record in complete.cases} == set(complete.header.planned)
    kinds = [json.loads(line) for line in (desk.folder / folder / "record.jsonl").read_bytes().splitlines()]
    assert sorted(line["kind"] for line in kinds) == ["case"] * PLANNED + ["footer", "header"], "nothing is there twice"
    visits = [[visit.index for visit in record.measurement.visits] for record in complete.cases if record.measurement]
    assert visits == [[0, 1]] * PLANNED
    assert all(record.outcome == "measured" for record in complete.cases)
    for record in complete.cases:
        assert finished.get(record.case.id, record) == record
    return len(finished)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("worker", marks=pytest.mark.slow),
        pytest.param("zygote", marks=pytest.mark.nightly),
        pytest.param("stepmark run", marks=pytest.mark.slow),
    ],
)
def test_a_killed_process_loses_no_finished_case_and_leaves_no_file(desk: Desk, temporary: Path, target: str) -> None:
    assert survive(desk, "here", target, delay_s=0.5) is not None
    assert list(temporary.glob("stepmark*")) == []


@pytest.mark.nightly
def test_a_worker_killed_once_is_replaced_and_said_so(desk: Desk) -> None:
    running = desk.start("--profile", "tiny", "--passes", "2", "--record", "here", "--case-seconds", "2")
    assert kill_one(running, desk.folder / "here" / "record.jsonl", "worker", 1.5)
    assert running.wait(timeout=600) == 0
    warnings = [
        warning
        for record in read_run(desk.folder / "here").cases
        if record.measurement
        for warning in record.measurement.warnings
    ]
    assert any("was repeated: the worker was killed by signal 9" in warning for warning in warnings)


@pytest.mark.nightly
def test_a_resumed_run_repeats_no_visit(desk: Desk) -> None:
    running = desk.start("--profile", "tiny", "--passes", "2", "--record", "here", "--case-seconds", "2")
    journal = desk.folder / "here" / "visits.jsonl"
    deadline = time.monotonic() + 180
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.kill()
    running.wait(timeout=300)
    kept = journal.read_bytes().count(b'"kind": "visit"')
    assert kept >= 2
    resumed = desk.run("--resume", "here")
    assert resumed.code == 0, resumed.out + resumed.err
    run = read_run(desk.folder / "here")
    assert run.footer is not None
    assert len(run.footer.resumed) == 1
    for record in run.cases:
        assert record.measurement is not None
        assert [visit.index for visit in record.measurement.visits] == [0, 1]


@pytest.mark.nightly
def test_a_run_killed_while_a_case_goes_through_its_surveys_repeats_them_and_no_visit(desk: Desk) -> None:
    running = desk.start("--profile", "tiny", "--passes", "2", "-k", "tiny-sgd", "--surveys", "all", "--record", "here")
    journal = desk.folder / "here" / "visits.jsonl"
    deadline = time.monotonic() + 180
    while not (journal.exists() and journal.read_bytes().count(b'"kind": "visit"') == 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    running.kill()
    running.wait(timeout=300)
    kept = {json.dumps(visit) for line in journal.read_text().splitlines() if (visit := json.loads(line).get("visit"))}
    assert read_run(desk.folder / "here").cases == (), "the surveys take longer than that"
    resumed = desk.run("--resume", "here")
    assert resumed.code == 0, resumed.out + resumed.err
    (record,) = read_run(desk.folder / "here").cases
    assert record.measurement is not None
    assert {json.dumps(encode_visit(visit)) for visit in record.measurement.visits} == kept
    assert record.measurement.instrument_values("memory_peak_steady")
    assert record.measurement.instrument_values("flops_forward")


def test_a_complete_run_is_not_resumed(desk: Desk) -> None:
    shutil.copytree(COMPLETE, desk.folder / "here")
    before = (desk.folder / "here" / "record.jsonl").read_bytes()
    resumed = desk.run("--resume", "here")
    assert resumed.code == 2
    assert "here is complete, finished at" in resumed.err
    assert (desk.folder / "here" / "record.jsonl").read_bytes() == before


@pytest.mark.slow
def test_a_zygote_killed_while_it_imports_torch_is_started_again(desk: Desk) -> None:
    running = desk.start("--profile", "tiny", "-k", "tiny-sgd", "--record", "here")
    deadline = time.monotonic() + 180
    while not zygote_process(running.pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(zygote_process(running.pid), signal.SIGKILL)
    assert running.wait(timeout=600) == 0
    assert read_run(desk.folder / "here").footer is not None


def zygote_process(pytest_pid: int) -> int:
    """The child of pytest that runs `zygote.py`; 0 where there is none yet."""
    for pid in children(pytest_pid):
        with suppress(OSError):
            if b"zygote.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return 0


@pytest.mark.nightly
def test_fifty_kills_at_random_moments_lose_nothing(desk: Desk, temporary: Path) -> None:
    chosen = random.Random(SEED)
    longest_s = {surveys: length_s(desk, f"whole-{surveys}", surveys) for surveys in ("all", "none")}
    finished: dict[str, list[int]] = {target: [] for target in TARGETS}
    for number in range(4 * RANDOM_KILLS):
        target = list(TARGETS)[number % len(TARGETS)]
        surveys = chosen.choice(list(longest_s))
        delay_s = chosen.uniform(0, longest_s[surveys])
        found = survive(desk, f"run{number}", target, delay_s, surveys)
        print(f"{target} after {delay_s:.2f} s: {'too late' if found is None else f'{found} of {PLANNED} finished'}")
        if found is not None:
            finished[target].append(found)
            assert list(temporary.glob("stepmark*")) == []
        if sum(map(len, finished.values())) == RANDOM_KILLS:
            break
    assert sum(map(len, finished.values())) == RANDOM_KILLS
    print({target: len(counts) for target, counts in finished.items()})
    between = [count for target in KEPT_BY_NOBODY for count in finished[target] if 0 < count < PLANNED]
    assert between, "no kill came between two finished cases"
