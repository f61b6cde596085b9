"""Whether this process can be forked.

A child has none of its parent's threads, and waits for ever for one that it needs.
"""

from __future__ import annotations

import os
import sys
import warnings
from time import monotonic, sleep

from suite.machine.affinity import thread_ids

ENDING_S = 0.5
"""Seconds in which a thread that is about to end may do so."""


def left_by_fork(pool: int = 0) -> str:
    """The obstacle to a fork, as in "has 2 threads running"; empty for none.

    Libraries that are made for it, such as OpenBLAS, end their threads before a fork and start them anew: a child that
    ends at once shows which threads stay.

    Args:
        pool: threads of torch's own pool, which sleep until they are used and are no obstacle.
    """
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        return "a CUDA device open"
    if others() > pool:
        fork_once()
        deadline = monotonic() + ENDING_S
        while others() > pool and monotonic() < deadline:
            sleep(0.01)
    count = others()
    return f"{count} thread{'s' if count > 1 else ''} running" if count > pool else ""


def others() -> int:
    """Threads of this process but for the main one."""
    return len(thread_ids()) - 1


def fork_once() -> None:
    """Fork a child that ends at once, and wait for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, that there are threads
        child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
