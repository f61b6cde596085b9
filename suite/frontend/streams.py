"""Standard streams that never raise: closed, on a full disk, a closed pipe, ASCII.

The exit code of a command is often its result, so a stream that refuses must not end the command.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STANDARD = (0, 1, 2)


class Stream(io.RawIOBase):
    """Writes to a descriptor until that refuses, and drops everything afterwards.

    Attributes:
        refusal: why it refused; None while it does not.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.refusal: OSError | None = None

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return os.isatty(self._fd)

    def write(self, data: object) -> int:
        """Write what the descriptor takes; how many bytes are done with."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]  # a buffer, as BufferedWriter gives it
        while self.refusal is None:
            try:
                return os.write(self._fd, view)
            except BlockingIOError:
                select.select([], [self._fd], [])
            except OSError as error:
                self.refusal = error
        return len(view)


def open_closed() -> None:
    """Open closed standard streams to /dev/null, here and for started programs.

    A file that is opened later would else get its number, and what is written to standard output with it.
    """
    for fd in STANDARD:
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


@contextmanager
def forgiving() -> Iterator[Stream]:
    """Let standard output and standard error never raise; yield the output's stream.

    Streams that somebody has replaced, such as a test, stay.
    """
    open_closed()
    before = sys.stdout, sys.stderr
    streams = [Stream(fd) for fd in (1, 2)]
    if before[0] is sys.__stdout__:
        sys.stdout = text_of(streams[0], before[0])
    if before[1] is sys.__stderr__:
        sys.stderr = text_of(streams[1], before[1])
    try:
        yield streams[0]
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def text_of(stream: Stream, before: io.TextIOBase | None) -> io.TextIOWrapper:
    """A text layer for a stream, in its encoding; other characters become escapes."""
    encoding = getattr(before, "encoding", None)
    return io.TextIOWrapper(
        io.BufferedWriter(stream), encoding, "backslashreplace", line_buffering=stream.isatty() or stream.fileno() == 2
    )
