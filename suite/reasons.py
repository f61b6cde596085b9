"""Why something failed, in one line: whatever an error holds, a terminal, a record and a page have room for it."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable

LONGEST_REASON = 400
"""Characters of a reason; a message may hold a whole tensor or a compiler's output."""
TRACEBACK_VARIABLE = "STEPMARK_TRACEBACK"
"""Environment variable that shows where an unexpected error was raised."""
TRACEBACK_MARK = "Traceback (most recent call last):"
EXCEPTION_LINE = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning|Iteration)\w*(:|$)")
"""The line of a traceback that names the exception; its frames are indented."""


def cause(text: str) -> str:
    """The line of an error's message that says why: the last exception where it quotes a traceback, else the first.

    A DataLoader's worker, a rank and a child process send their traceback as the message of the error that is raised
    here, and the first line of that says no more than where it came from.
    """
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    if any(TRACEBACK_MARK in line for line in lines):
        named = [line for line in lines if EXCEPTION_LINE.match(line)]
        return bounded(named[-1]) if named else bounded(lines[-1].strip())
    return bounded(lines[0].strip()) if lines else ""


def bounded(text: str) -> str:
    """A text of at most `LONGEST_REASON` characters, its end marked where it was cut."""
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def one_line(error: BaseException) -> str:
    """An error's type and its cause, the type once."""
    name, text = type(error).__name__, cause(str(error))
    return text if text.startswith(f"{name}:") else f"{name}: {text}" if text else name


def unexpected(error: BaseException) -> str:
    """The sentence about an error that is no user's: what it was, and how to see where."""
    if os.environ.get(TRACEBACK_VARIABLE):
        return "".join(traceback.format_exception(error)).rstrip()
    return f"{one_line(error).rstrip('.')}; {TRACEBACK_VARIABLE}=1 shows where."


def attempted(make: Callable[[], object]) -> str:
    """What a by-product came to, as text, or why there is none; whatever it raises ends nothing."""
    try:
        return str(make())
    except Exception as error:  # noqa: BLE001 - the libraries that make it raise what they like
        return f"not made: {unexpected(error)}"
