"""Locks on open files and folders.

The kernel releases a lock when its holder ends, however that ends.

A lock is advice: who reads does not ask for it. A file system need not have locks; what is done then is the caller's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

LOCKS = Path("/proc/locks")
"""Source: proc_locks(5). Number, class, kind, access, process, device with inode, first and last byte."""

_held: set[int] = set()


class HeldError(Exception):
    """Another process holds the lock.

    `pid` is its id; 0 where that is unknown, as in another container.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pid = pid

    @property
    def holder(self) -> str:
        """The holder, as a sentence names it."""
        return f"process {self.pid}" if self.pid else "another process"


def lock(fd: int, *, wait: bool = False) -> bool:
    """Take the lock of an open file or folder until `release`.

    A child that this process forks does not keep it: a lock would else outlive its holder in the child.

    Args:
        fd: its descriptor.
        wait: whether to wait for another holder.

    Returns:
        Whether there is such a lock; False where the file system has none.

    Raises:
        HeldError: another process holds it, and `wait` is False.

    Source: flock(2).
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise HeldError(holder(fd)) from None
    except OSError:
        return False
    _held.add(fd)
    return True


def release(fd: int) -> None:
    """Close the file or folder, and give back its lock where it has one."""
    _held.discard(fd)
    os.close(fd)


def holder(fd: int) -> int:
    """The process that holds the lock of an open file; 0 if unknown."""
    status = os.fstat(fd)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError, ValueError):
        for line in LOCKS.read_text().splitlines():
            words = line.split()
            if words[1:2] == ["FLOCK"] and words[5:6] == [place]:
                return max(0, int(words[4]))
    return 0


def _let_go() -> None:
    """In a forked child, close all files that the parent has locked.

    Their descriptors then lead to the null device.
    """
    if _held:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in _held:
            os.dup2(nowhere, fd, inheritable=False)
        os.close(nowhere)
        _held.clear()


os.register_at_fork(after_in_child=_let_go)
