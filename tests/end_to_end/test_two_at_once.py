"""Two processes that want the same thing at the same time: each gets one, or one of them is refused."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from suite.gate.arms.checkouts import check_out
from suite.gate.planning import resume
from suite.gate.record.store import GateWriter
from suite.records import StepmarkError
from suite.records.atomic_files import write_whole
from suite.records.store import JOURNAL_NAME, RECORD_NAME, RunWriter, read_run
from tests.conftest import alive, awaited, processes_below
from tests.fakes.fake_sides import planned
from tests.fakes.made_runs import quick_run

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b")
PROCESSES, ROUNDS = 4, 20
TOGETHER = """
import multiprocessing, os, sys
from pathlib import Path
from suite.records.atomic_files import fresh_folder
from suite.gate.arms.checkouts import check_out, kept
from suite.records import StepmarkError
from suite.records.store import RunWriter
from tests.fakes.made_runs import quick_run

HEADER = quick_run().header
ROOT = Path(sys.argv[1])

def once(number):
{body}

def work(barrier):
    for number in range({rounds}):
        barrier.wait(60)
        once(number)

context = multiprocessing.get_context("fork")
barrier = context.Barrier({processes})
processes = [context.Process(target=work, args=(barrier,)) for _ in range({processes})]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(any(process.exitcode for process in processes))
"""
WRITER = """
import os, sys, time
from pathlib import Path
from suite.records.store import RunWriter
from tests.fakes.made_runs import quick_run

writer = RunWriter.create(Path(sys.argv[1]), quick_run().header)
if not (sys.argv[2:] and os.fork()):
    print(os.getpid(), flush=True)
time.sleep(600)
"""

REPLACER = """
import sys
from pathlib import Path
from suite.records.atomic_files import write_whole

for letter in "bcdefghij":
    write_whole(Path(sys.argv[1]), letter * 10**6)
"""


def let_loose(folder: Path, body: str, rounds: int = ROUNDS) -> str:
    """Lines that several processes print, which do the same `rounds` times, each time at once."""
    code = TOGETHER.format(body=textwrap.indent(textwrap.dedent(body), "    "), rounds=rounds, processes=PROCESSES)
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_runs_begun_in_the_same_second_have_a_folder_each(tmp_path):
    let_loose(
        tmp_path,
        """
        with fresh_folder(ROOT / "runs" / f"2026-{number}-quick") as folder:
            RunWriter.create(folder, HEADER).close()
        """,
    )
    records = list(tmp_path.glob(f"runs/*/{RECORD_NAME}"))
    assert len(records) == PROCESSES * ROUNDS
    assert {record.read_bytes().count(b"\n") for record in records} == {1}


def test_one_of_several_runs_in_a_folder_goes_on_and_the_others_are_refused(tmp_path):
    said = let_loose(
        tmp_path,
        """
        try:
            writer = RunWriter.create(ROOT / str(number), HEADER)
        except StepmarkError as error:
            os.write(1, f"{error}\\n".encode())
        """,
    ).splitlines()
    records = list(tmp_path.glob(f"*/{RECORD_NAME}"))
    assert (len(records), len(said)) == (ROUNDS, (PROCESSES - 1) * ROUNDS)
    assert {record.read_bytes().count(b"\n") for record in records} == {1}
    assert {"holds a record already" in line or "is being written by" in line for line in said} == {True}


def test_gates_that_need_the_same_checkout_at_once_share_it(tmp_path):
    for arguments in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run(["git", "-C", str(tmp_path), *IDENTITY, *arguments], check=True)
    let_loose(tmp_path, "assert check_out('HEAD', ROOT).is_dir()", rounds=1)
    status = subprocess.run(["git", "-C", str(tmp_path), "status", "--porcelain"], capture_output=True, check=True)
    assert status.stdout == b""


def test_git_ends_with_a_gate_that_is_killed_and_its_half_made_checkout_is_made_anew(tmp_path):
    (tmp_path / "file").write_text("here")
    (tmp_path / ".gitattributes").write_text("file filter=slow")
    slow = ("config", "filter.slow.smudge", "sleep 600; cat")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first"), slow):
        subprocess.run(["git", "-C", str(tmp_path), *IDENTITY, *arguments], check=True)
    code = "import sys; from pathlib import Path; from suite.gate.arms.checkouts import check_out; "
    code += "check_out('HEAD', Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as gate:
        try:
            awaited(lambda: "sleep" in map(name_of, processes_below(gate.pid)))
            below = processes_below(gate.pid)
        finally:
            gate.kill()
    awaited(lambda: not any(map(alive, below)))
    subprocess.run(["git", "-C", str(tmp_path), "config", "filter.slow.smudge", "cat"], check=True)
    assert (check_out("HEAD", tmp_path) / "file").read_text() == "here"


def test_a_reader_finds_the_old_page_or_the_new_one(tmp_path):
    page = tmp_path / "page.html"
    link = tmp_path / "link.html"
    link.symlink_to(page)
    write_whole(page, "a" * 10**6)
    with subprocess.Popen([sys.executable, "-c", REPLACER, str(link)]) as writer:
        while writer.poll() is None:
            text = page.read_text()
            assert len(text) == 10**6
            assert len(set(text)) == 1
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "page.html"]


def test_a_device_that_is_written_to_stays_one():
    write_whole(Path(os.devnull), "text")
    assert not Path(os.devnull).is_file()


@pytest.fixture
def written(tmp_path):
    """A run's folder that another process writes, and that process."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "run")], stdout=subprocess.PIPE)
    assert int(process.stdout.readline()) == process.pid
    yield tmp_path / "run", process
    process.kill()
    process.communicate()


def name_of(pid: int) -> str:
    """The name of a process; empty where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_run_that_is_being_measured_is_read_but_neither_resumed_nor_begun_again(written):
    folder, process = written
    before = contents(folder)
    own = ["-p", "no:cacheprovider", "--resume", str(folder)]
    command = [sys.executable, "-m", "suite.cli", "run", *own]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    said = f"{folder} is being written by process {process.pid}; wait until that ends, or choose another folder."
    assert (done.returncode, said in done.stdout + done.stderr) == (2, True), done.stdout + done.stderr
    with pytest.raises(StepmarkError, match=f"process {process.pid}"):
        RunWriter.create(folder, quick_run().header)
    assert contents(folder) == before
    assert read_run(folder).footer is None
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=180)
    RunWriter.reopen(folder).close()


def test_a_gate_that_is_being_measured_is_not_resumed(tmp_path):
    folder = tmp_path / "gate"
    GateWriter.create(folder, planned()).close()
    before = contents(folder)
    with GateWriter(folder), pytest.raises(StepmarkError, match=f"is being written by process {os.getpid()}"):
        resume(folder)
    assert contents(folder) == before


def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "run"), "fork"], stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    process.kill()
    process.wait(timeout=180)
    os.kill(child, 0)
    RunWriter.reopen(tmp_path / "run").close()
    os.kill(child, signal.SIGKILL)
    process.communicate()


def test_a_file_system_without_locks_is_written_to_and_said_so(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with RunWriter.create(tmp_path / "run", quick_run().header) as writer:
        assert (
            writer.note
            == f"this file system has no locks: make sure yourself that nothing else writes to {tmp_path}/run"
        )
    with pytest.raises(StepmarkError, match="holds a record already"):
        RunWriter.create(tmp_path / "run", quick_run().header)


def test_a_record_that_was_left_without_a_line_is_begun_again(tmp_path):
    (tmp_path / RECORD_NAME).write_text('{"kind": "hea')
    (tmp_path / JOURNAL_NAME).write_text("old\n")
    with RunWriter.create(tmp_path, quick_run().header):
        assert read_run(tmp_path).cases == ()
    assert (tmp_path / JOURNAL_NAME).read_bytes() == b""
