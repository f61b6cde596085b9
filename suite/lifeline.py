"""Ties a process to the one that forked it, and orphans to this one, by the kernel. Imports no torch."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1
"""`prctl` option: the signal that this process gets when its parent dies (linux/prctl.h)."""
PR_SET_CHILD_SUBREAPER = 36
"""Likewise: this process becomes the parent of its descendants whose own has died."""


def die_with_parent(parent: int = 0) -> None:
    """Ask the kernel to end this process when its parent dies; where it cannot, the closed link ends it.

    Args:
        parent: id of the process that forked this one, where it is known. It may have died before the kernel was asked,
            and this process then ends here.

    Source: prctl(2), PR_SET_PDEATHSIG (the parent is the thread that forked; a fork does not inherit the setting).
    """
    ask(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own dies, so that what they used is counted here and none stays a zombie.

    Source: prctl(2), PR_SET_CHILD_SUBREAPER.
    """
    ask(PR_SET_CHILD_SUBREAPER, 1)


def ask(option: int, value: int) -> None:
    """Set one thing by `prctl`, where this system has it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value)
