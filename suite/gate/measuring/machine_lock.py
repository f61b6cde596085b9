"""Gates on one machine take turns, block by block: two that measured at once would take the cores from each other.

The turn is a lock on a file in the folder for temporary files. The kernel gives it back when its holder ends, however
that ends. Containers with folders of their own do not know of each other.
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
NO_TURN = "{path} cannot be locked ({why}): this gate does not take turns with others, which would disturb it."
FOR_ALL = 0o644
"""Any user's gate may open the file; a lock needs no more than that."""
TRIES, TRY_S = 20, 0.01
"""How often, and after how many seconds each, opening is tried: a file that was just made is its maker's alone until it
is opened to all."""


@contextlib.contextmanager
def turn(tell: Callable[[str], object], warn: Callable[[str], object], folder: Path | None = None) -> Iterator[None]:
    """The machine's turn, for as long as the context lasts; waits while another process has it.

    Without it, where the file cannot be locked: a gate that measures while another does is better than none.

    Args:
        tell: is told that it waits, where it does.
        warn: is told why there is no turn, where there is none.
        folder: of the lock; the usual one for temporary files where left out.
    """
    path = (folder or Path(tempfile.gettempdir())) / NAME
    try:
        fd = taken(path, tell)
    except OSError as error:
        warn(NO_TURN.format(path=path, why=error.strerror or error))
        fd = -1
    try:
        yield
    finally:
        if fd >= 0:
            file_locks.release(fd)


def taken(path: Path, tell: Callable[[str], object]) -> int:
    """The locked file's descriptor, once nobody else has the lock.

    Raises:
        OSError: the file can be neither opened nor made, or has no locks.
    """
    while True:
        fd = opened(path)
        try:
            has_locks = file_locks.lock(fd)
        except file_locks.HeldError:
            tell(WAITS)
            has_locks = file_locks.lock(fd, wait=True)
        if not has_locks:
            file_locks.release(fd)
            raise OSError(None, "its file system has no locks")
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False)):
                return fd
        file_locks.release(fd)  # it was removed meanwhile, and others lock another file


def opened(path: Path) -> int:
    """A descriptor of the file, which is made where it is missing, for all users whatever the umask of this one.

    A file that is there is opened without leave to make one: the kernel refuses that for another user's file in a
    folder like /tmp.

    Raises:
        OSError: it can be neither opened nor made.

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
            with contextlib.suppress(OSError):  # another user's
                os.fchmod(fd, FOR_ALL)
            return fd
    return os.open(path, flags)
