"""SIGTERM and SIGHUP as interruptions, so that a cancelled CI job cleans up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)
SHELL_BASE = 128
"""A shell's exit code for a process that a signal ended is this plus the signal's number."""


class Terminated(KeyboardInterrupt):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = SHELL_BASE + number


def exit_code_of(error: KeyboardInterrupt) -> int:
    """The exit code of a shell: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return error.exit_code if isinstance(error, Terminated) else SHELL_BASE + signal.SIGINT


@contextmanager
def as_interruptions() -> Iterator[None]:
    """Raise `Terminated` at the first SIGTERM or SIGHUP; the next ends the process.

    A signal that is ignored (`nohup`) or handled elsewhere stays so. Outside of the main thread all signals stay.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]

    def interrupt(number: int, _: FrameType | None) -> None:
        give_back()
        raise Terminated(number)

    def give_back() -> None:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)

    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        give_back()
