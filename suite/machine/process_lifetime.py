"""Processes that end with the one that started them, by the kernel. No torch."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""`prctl` option: the signal that this process gets when its parent dies (linux/prctl.h)."""
PR_SET_CHILD_SUBREAPER = 36
"""`prctl` option: this process becomes the parent of orphans among its descendants."""

GUARD = str(Path(__file__).with_name("lifetime_guard.py"))


def die_with_parent(parent: int = 0) -> None:
    """Let the kernel end this process when its parent dies; else the closed link does.

    Args:
        parent: id of the process that forked this one, where it is known. It may have died before the kernel was asked,
            and this process then ends here.

    Source: prctl(2), PR_SET_PDEATHSIG (the parent is the thread that forked; a fork does not inherit the setting).
    """
    set_process_option(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants.

    Their use of cores then counts here, and none stays a zombie.

    Source: prctl(2), PR_SET_CHILD_SUBREAPER.
    """
    set_process_option(PR_SET_CHILD_SUBREAPER, 1)


def set_process_option(option: int, value: int) -> None:
    """Set one thing by `prctl`, where this system has it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value)


def run_guarded(
    command: Sequence[str], *, timeout_s: float | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a long program that ends with this process, and all that it has started.

    Where it takes longer than `timeout_s`, or this process is interrupted, all of that is ended too.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    ours, theirs = os.pipe()
    try:
        running = subprocess.Popen(
            [sys.executable, "-I", "-S", GUARD, str(ours), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            pass_fds=(ours,),
            start_new_session=True,
        )
    except OSError:
        os.close(theirs)
        raise
    finally:
        os.close(ours)
    with running:
        try:
            out, err = running.communicate(timeout=timeout_s)
        finally:
            os.close(theirs)  # where it still runs, its guard ends it
    return subprocess.CompletedProcess(command, running.returncode, out, err)
