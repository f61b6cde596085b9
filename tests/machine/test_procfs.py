"""Processes are read as the kernel writes of them."""

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.machine import procfs
from suite.machine.procfs import all_processes, descendants, parse_stat, read_process

PARENT = """
import os, subprocess, sys, threading
child = [sys.executable, "-c", "import time; print('there', flush=True); time.sleep(60)"]
thread = threading.Thread(target=subprocess.Popen, args=(child,))
thread.start()
thread.join()
os.wait()
"""


@given(name=st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=15))
def test_a_process_is_read_whatever_its_name(name):
    fields = "S 7 7 7 0 -1 4194304 11 12 13 14 150 250 35 45 20 0 3 0 999 4096 88 18446744073709551615"
    found = parse_stat(f"42 ({name}) {fields}")
    assert (found.pid, found.name, found.parent, found.started) == (42, name, 7, 999)
    ticks = os.sysconf("SC_CLK_TCK")
    assert (found.cpu_s, found.reaped_s) == (400 / ticks, 80 / ticks)
    assert (found.faults, found.reaped_faults) == (24, 26)
    assert found.resident_bytes == 88 * os.sysconf("SC_PAGE_SIZE")


def test_this_process_is_among_all_and_known_by_its_id():
    own = read_process(os.getpid())
    assert own is not None
    assert own.parent == os.getppid()
    assert own.resident_bytes > 2**20
    assert own.cpu_s > 0
    assert own.pid in {one.pid for one in all_processes()}


def test_a_process_that_has_ended_is_none():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert read_process(ended.pid) is None


@pytest.mark.parametrize("kernel_tells", [True, False])
def test_a_family_has_descendants_whichever_thread_started_them(monkeypatch, tmp_path, kernel_tells):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "there\n"
        if not kernel_tells:
            monkeypatch.setattr(procfs.Path, "exists", lambda _: False)
        members = descendants(parent.pid)
        assert members[0] == parent.pid
        assert len(members) == 2
        assert read_process(members[1]).parent == parent.pid
        assert set(members) < set(descendants(os.getpid()))
        os.kill(members[1], signal.SIGKILL)  # for which its parent waits
