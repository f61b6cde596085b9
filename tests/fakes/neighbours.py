"""Processes that are no part of a run: their parent is gone, as that of somebody else's process is."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BUSY = "while True: pass"
HUNGRY = """
import mmap
page = mmap.PAGESIZE
held = bytearray(b"x") * (512 << 20)
while True:
    with mmap.mmap(-1, 512 << 20) as block:
        block[::page] = held[::page]
        held[:] = block
"""
"""Holds half a GiB, and takes as much again, writes to it, copies it and gives it back, for ever."""
WATCH = """
import os, threading, time
def watch():
    while os.path.exists("/proc/{pid}"):
        time.sleep(0.5)
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
"""
"""Ends a process once another is gone: a test that is killed ends nothing itself."""
START_S = 5.0


def of_this_test(code: str) -> list[str]:
    """The command line of a Python process that runs `code`, at most as long as this process lives."""
    return [sys.executable, "-c", WATCH.format(pid=os.getpid()) + code]


@contextmanager
def neighbour(code: str, *, before: str = "") -> Iterator[int]:
    """A Python process of nobody's that runs `code`, as long as the context lasts; its id. The shell runs `before`."""
    command = f"{before} {shlex.join(of_this_test(code))} >/dev/null 2>&1 & echo $!"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, start_new_session=True)
    pid = int(done.stdout)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + START_S
        while running(pid) and time.monotonic() < deadline:
            time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether a process still computes: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
