"""Temporary folders of workers, which are removed after a worker was killed.

The process that starts the worker locks its folder. A folder whose lock is free has no owner any more: it was left by a
process that was killed, and the next one to start a worker removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from suite.records import file_locks

PREFIX = "stepmark_"
"""Of a folder's name. Versions that did not lock their folders named them `stepmark-`, and those are left alone."""
LONGEST = 56
"""Bytes of a path in which the sockets of a worker's own children find room: the address of a socket has 107, and
`/stepmark_xxxxxxxx/pymp-xxxxxxxx/listener-xxxxxxxx` takes 51 of them. A loader worker hangs on a longer one.

Source: unix(7), Pathname sockets.
"""
SHORT = "/tmp"  # noqa: S108 - the folder within it is made for this user alone

_locked: dict[str, int] = {}
"""Path of a folder of this process -> the descriptor that holds its lock."""


def temp_root() -> str:
    """The usual folder for temporary files, unless its path is too long."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= LONGEST else SHORT


def create() -> str:
    """A new folder, locked by this process."""
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX, dir=temp_root())
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            file_locks.lock(fd)
        except file_locks.HeldError:  # by a process that takes it for one without an owner
            os.close(fd)
            continue
        if Path(path).exists():  # that process has not removed it
            _locked[path] = fd
            return path
        file_locks.release(fd)


def remove(path: str) -> None:
    """Remove a folder with all that is in it, as far as this process may."""
    shutil.rmtree(path, ignore_errors=True)
    fd = _locked.pop(path, None)
    if fd is not None:
        file_locks.release(fd)


def remove_ownerless() -> None:
    """Remove this user's folders whose owner was killed."""
    for path in Path(temp_root()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            remove_if_free(path)


def remove_if_free(path: Path) -> None:
    """Remove a folder of this user whose lock is free.

    Raises:
        OSError: it is gone already, or is no folder.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(fd).st_uid == os.geteuid() and file_locks.lock(fd):
            shutil.rmtree(path, ignore_errors=True)
    except file_locks.HeldError:
        pass
    finally:
        file_locks.release(fd)
