"""Where a worker puts its temporary files, so that they can be taken away after it: it is ended by a signal."""

from __future__ import annotations

import os
import shutil
import tempfile

LONGEST = 56
"""Bytes of a path in which the sockets of a worker's own children find room: the address of a socket has 107, and
`/stepmark-xxxxxxxx/pymp-xxxxxxxx/listener-xxxxxxxx` takes 51 of them. A loader worker hangs on a longer one.

Source: unix(7), Pathname sockets.
"""
SHORT = "/tmp"  # noqa: S108 - the folder within it is made for this user alone


def folder() -> str:
    """A new folder, within the usual one for temporary files unless the path of that is too long."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="stepmark-", dir=usual if len(os.fsencode(usual)) <= LONGEST else SHORT)


def remove(path: str) -> None:
    """Take a folder away with all that is in it, as far as this process may."""
    shutil.rmtree(path, ignore_errors=True)
