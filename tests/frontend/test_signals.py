"""A job that is cancelled: SIGTERM and SIGHUP end it as Ctrl-C does, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from suite.records.store import read_run
from tests.conftest import Desk, alive, awaited, processes_below

GONE_S = 5.0
"""Seconds in which every process of a run that has ended has ended, too."""

WITHIN = """
import os, signal, sys, time
from suite.frontend.signals import as_interruptions, exit_code_of

first, again = int(sys.argv[1]), int(sys.argv[2])
try:
    with as_interruptions():
        os.kill(os.getpid(), first)
        time.sleep(0.1)
        print("goes on")
except KeyboardInterrupt as error:
    print(error, flush=True)
    if again:
        os.kill(os.getpid(), again)
    sys.exit(exit_code_of(error))
"""


def within(first: int, again: int = 0, *before: str) -> tuple[str, int]:
    command = [*before, sys.executable, "-c", WITHIN, str(int(first)), str(int(again))]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout, done.returncode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_that_ends_is_an_interruption_with_the_exit_code_of_a_shell(number: int, code: int) -> None:
    assert within(number) == (f"ended by {signal.Signals(number).name}\n", code)


def test_a_second_signal_does_not_wait() -> None:
    assert within(signal.SIGHUP, signal.SIGTERM) == ("ended by SIGHUP\n", -signal.SIGTERM)


def test_a_hangup_that_nohup_ignores_stays_ignored() -> None:
    assert within(signal.SIGHUP, 0, "nohup") == ("goes on\n", 0)


@pytest.mark.nightly
def test_a_run_that_a_job_ends_is_resumable_and_leaves_no_process_and_no_file(desk: Desk, temporary: Path) -> None:
    """All processes of the job get the signal, workers first: no case counts as failed for it."""
    running = desk.start("--profile", "tiny", "--record", "here", "--abreast", "1", "--case-seconds", "1")
    journal = desk.folder / "here" / "visits.jsonl"
    awaited(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 1)
    awaited(lambda: len(processes_below(running.pid)) >= 2)
    below = processes_below(running.pid)
    for pid in (*reversed(below), running.pid):
        os.kill(pid, signal.SIGTERM)
    assert running.wait(timeout=180) == 143
    awaited(lambda: not any(map(alive, below)), within_s=GONE_S)
    assert list(temporary.glob("stepmark*")) == []
    run = read_run(desk.folder / "here")
    assert run.footer is None
    assert [record.reason for record in run.cases if record.outcome != "measured"] == []
    resumed = desk.run("--resume", "here")
    assert resumed.code == 0, resumed.out + resumed.err
    assert read_run(desk.folder / "here").missing == ()


def has_zygote(pid: int) -> bool:
    """Whether a process has started the one that imports torch."""
    with suppress(OSError):
        return any(b"zygote.py" in Path(f"/proc/{one}/cmdline").read_bytes() for one in processes_below(pid))
    return False


@pytest.mark.slow
@pytest.mark.parametrize("begun", [True, False], ids=["measuring", "starting"])
def test_a_run_that_ctrl_c_interrupts_ends_with_130_and_not_as_wrong_usage(desk: Desk, begun: bool) -> None:
    words = ("--profile", "tiny", "--record", "here", "--case-seconds", "5", "--target-precision", "0.001")
    with subprocess.Popen(
        desk.command(*words, command="stepmark run"),
        cwd=desk.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # what starts in the background ignores it
    ) as running:
        journal = desk.folder / "here" / "visits.jsonl"
        awaited(journal.exists if begun else lambda: has_zygote(running.pid))
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 130
    assert not begun or read_run(desk.folder / "here").footer is None


@pytest.mark.slow
def test_doctor_ends_with_its_processes(temporary: Path) -> None:
    command = [sys.executable, "-m", "suite.cli", "doctor"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            awaited(lambda: any(temporary.glob("stepmark_*")))
            below = processes_below(running.pid)
            running.send_signal(signal.SIGTERM)
            _, err = running.communicate(timeout=180)
        finally:
            running.kill()
    assert (running.returncode, err) == (143, "stepmark: ended by SIGTERM.\n")
    awaited(lambda: not any(map(alive, below)), within_s=GONE_S)
    assert list(temporary.glob("stepmark_*")) == []
