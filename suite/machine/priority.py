"""Scheduling priority: workers run before other processes, if that is allowed.

A process that takes a core from one thread of a step stops the threads that wait for it. Other processes are no part of
a step's cost, so workers run first (docs/decisions/0010).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from suite.machine.readings import optional

PRIORITIES = ("high", "normal")
HIGHEST = -20
"""The nice value of workers; a thread of nice 0 on the same core gets about a hundredth of it."""
SESSION = Path("/proc/self/autogroup")
"""Nice value of this process's session, on kernels that first share cores between sessions."""


def raise_priority() -> None:
    """Run this process and its future children before others, if that is allowed.

    A new session starts with the default value, and has to call this again.

    Source: Linux, sched(7), "The autogroup feature" and "The nice value and group scheduling".
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, HIGHEST)
    with suppress(OSError):
        SESSION.write_text(str(HIGHEST))


def current_priority() -> dict[str, int | None]:
    """Nice values of this process and, if the kernel has one, of its session."""
    session = session_nice()
    return {"nice": process_nice(), **({} if session is None else {"session_nice": session})}


@optional
def process_nice() -> int:
    """The nice value of this process."""
    return os.getpriority(os.PRIO_PROCESS, 0)


@optional
def session_nice() -> int | None:
    """The nice value of this process's session; None if it is in none.

    The file of such a process is empty: one outside of sessions, or one that a control group places.
    """
    words = SESSION.read_text().split()
    return int(words[-1]) if words else None
