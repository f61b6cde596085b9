"""The lock with which the gates of one machine take turns, block by block.

Two gates that measure at the same time would take cores from each other. The turn is a lock on a file in the folder for
temporary files. The kernel releases it when its process ends, even if killed. Containers with separate temporary
folders do not share the lock.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from suite.records import file_locks

NAME = "stepmark-gate.turn"
WAITS = "another gate measures on this machine; they take turns, and both take longer"
NO_TURN = (
    "{path} cannot be locked ({why}): this gate does not take turns with others, which would disturb it; run one gate "
    "at a time, or set TMPDIR of all gates to one folder with locks."
)
FOR_ALL = 0o644
"""Mode of the file: any user's gate may open it for reading, and a lock needs no more."""
TRIES, TRY_S = 20, 0.01
"""Attempts to open the file, and seconds between them. Until its maker sets the mode, others cannot open a new file."""


@contextlib.contextmanager
def turn(report: Callable[[str], object], warn: Callable[[str], object], folder: Path | None = None) -> Iterator[None]:
    """Hold the machine's turn during the context; wait while another process has it.

    If the file cannot be locked, the gate measures without the lock: a disturbed gate is better than none.

    Args:
        report: receives the text that the gate waits, if it does.
        warn: receives the reason if the file cannot be locked.
        folder: of the lock; by default the folder for temporary files.
    """
    path = (folder or Path(tempfile.gettempdir())) / NAME
    try:
        fd = acquire(path, report)
    except OSError as error:
        warn(NO_TURN.format(path=path, why=error.strerror or error))
        fd = -1
    try:
        yield
    finally:
        if fd >= 0:
            file_locks.release(fd)


def acquire(path: Path, report: Callable[[str], object]) -> int:
    """Lock the file, once no other process has the lock; return its descriptor.

    Raises:
        OSError: the file can be neither opened nor made, or has no locks.
    """
    while True:
        fd = open_file(path)
        try:
            has_locks = file_locks.lock(fd)
        except file_locks.HeldError:
            report(WAITS)
            has_locks = file_locks.lock(fd, wait=True)
        if not has_locks:
            file_locks.release(fd)
            raise OSError(None, "its file system has no locks")
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False)):
                return fd
        file_locks.release(fd)  # the file was removed before it was locked: other gates lock its successor


def open_file(path: Path) -> int:
    """Open the file, or make it readable for all users; return its descriptor.

    The mode does not depend on the umask. An existing file is opened without `O_CREAT`, because the kernel refuses that
    flag for another user's file in a folder like /tmp.

    Raises:
        OSError: the file can be neither opened nor made.

    Source: Linux, Documentation/admin-guide/sysctl/fs.rst, protected_regular.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    for _ in range(TRIES):
        with contextlib.suppress(FileExistsError):
            try:
                fd = os.open(path, flags)
            except FileNotFoundError:
                fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, FOR_ALL)
            except PermissionError:
                time.sleep(TRY_S)
                continue
            with contextlib.suppress(OSError):  # another user's file
                os.fchmod(fd, FOR_ALL)
            return fd
    return os.open(path, flags)
