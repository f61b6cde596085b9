"""A program that is run under a guard ends with whoever started it, and all that it has started ends too."""

import subprocess
import sys

import pytest

from suite.machine.process_lifetime import run_guarded
from tests.conftest import alive, awaited, processes_below

CHILDREN = "sh -c 'sleep 600 & sleep 600' & echo; sleep 600"


def test_a_guarded_program_gives_its_output_and_its_exit_code():
    done = run_guarded(["sh", "-c", "echo out; echo err >&2; exit 7"], env={"PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_a_guarded_program_that_a_signal_ends_has_the_exit_code_of_a_shell():
    assert run_guarded(["sh", "-c", "kill -TERM $$"]).returncode == 128 + 15


def test_a_guarded_program_that_is_not_there_is_named():
    done = run_guarded(["no-such-program"])
    assert (done.returncode, done.stderr) == (127, b"no-such-program: No such file or directory\n")


@pytest.mark.slow
def test_a_guarded_program_that_takes_too_long_ends_with_all_that_it_started(tmp_path):
    begun = tmp_path / "begun"
    with pytest.raises(subprocess.TimeoutExpired):
        run_guarded(["sh", "-c", f"sleep 600 & echo $$ $! > {begun}; sleep 600"], timeout_s=3)
    awaited(lambda: not any(alive(int(pid)) for pid in begun.read_text().split()))


def test_a_guarded_program_ends_with_its_starter_that_is_killed():
    code = f"from suite.machine.process_lifetime import run_guarded; run_guarded(['sh', '-c', {CHILDREN!r}])"
    with subprocess.Popen([sys.executable, "-c", code]) as starter:
        try:
            awaited(lambda: len(processes_below(starter.pid)) >= 6)
            below = processes_below(starter.pid)
        finally:
            starter.kill()
    awaited(lambda: not any(map(alive, below)))
