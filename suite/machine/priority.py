"""How the kernel shares cores between a worker and everything else: ahead of it, where the machine allows.

A step whose threads wait for each other is stopped by a process that takes a core from one of them. What runs beside a
measurement is no part of what a step costs, so that workers go first where they may (docs/decisions/0010).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from suite.machine.readings import optional

PRIORITIES = ("high", "normal")
HIGHEST = -20
"""The nice value of what goes first; a thread of nice 0 beside it gets some hundredth of the core."""
SESSION = Path("/proc/self/autogroup")
"""Where the kernel shares cores between sessions first, the nice value of this process's session."""


def raise_priority() -> None:
    """Let this process, and what it starts from now on, go before others; quietly not, where that is not allowed.

    A new session has a value of its own: it asks again.

    Source: Linux, sched(7), "The autogroup feature" and "The nice value and group scheduling".
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, HIGHEST)
    with suppress(OSError):
        SESSION.write_text(str(HIGHEST))


def current_priority() -> dict[str, int | None]:
    """The nice value of this process, None where it is unknown, and of its session where the kernel has such."""
    session = session_nice()
    return {"nice": process_nice(), **({} if session is None else {"session_nice": session})}


@optional
def process_nice() -> int:
    """The nice value of this process."""
    return os.getpriority(os.PRIO_PROCESS, 0)


@optional
def session_nice() -> int | None:
    """The nice value of this process's session; None where the kernel groups this process with no session.

    The file of such a process is empty: one outside of sessions, or one that a control group places.
    """
    words = SESSION.read_text().split()
    return int(words[-1]) if words else None
