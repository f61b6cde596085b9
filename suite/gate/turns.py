"""Gates on one machine take turns, block by block: two that measured at once would take the cores from each other.

The turn is a lock on a file in the folder for temporary files. The kernel gives it back when its holder ends, however
that ends. Containers with folders of their own do not know of each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

NAME = "stepmark-gate.turn"
WAITS = "another gate measures on this machine; they take turns, and both take longer"


@contextlib.contextmanager
def turn(tell: Callable[[str], None], folder: Path | None = None) -> Iterator[None]:
    """The machine's turn, for as long as the context lasts; waits while another process has it.

    Without it, where the file can be neither made nor opened: a gate that measures beside another is better than none.

    Args:
        tell: is told that it waits, where it does.
        folder: of the lock; the usual one for temporary files where left out.
    """
    path = (folder or Path(tempfile.gettempdir())) / NAME
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError:
        file = -1
    if file < 0:
        yield
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(WAITS)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
