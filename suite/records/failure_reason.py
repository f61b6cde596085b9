"""The reason of a failure, in one line of bounded length."""

from __future__ import annotations

import os
from collections.abc import Callable

LONGEST_REASON = 400
"""Characters of a reason; a message may hold a whole tensor or a compiler's output."""
TRACEBACK_VARIABLE = "STEPMARK_TRACEBACK"
"""Environment variable that shows where an unexpected error was raised."""
NOT_MADE = "not made: "
"""Beginning of the text in place of a by-product that was not made."""
TRACEBACK_MARK = "Traceback (most recent call last):"


def cause(text: str) -> str:
    """The line of an error's message that has the reason.

    It is the last exception where the message quotes a traceback, else the first line.

    A DataLoader's worker, a rank and a child process send their traceback as the message of the error that is raised
    here, and the first line of that says no more than where it came from.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    first = " ".join(line.strip() for line in lines[: 2 if lines[0].rstrip().endswith(":") else 1])
    return bounded(quoted(lines) or first)


def quoted(lines: list[str]) -> str:
    """The exception of the last traceback among lines; empty without one.

    It is the first line behind the traceback that is not indented.
    """
    marks = [number for number, line in enumerate(lines) if line.rstrip().endswith(TRACEBACK_MARK)]
    behind = lines[max(marks) + 1 :] if marks else []
    return next((line.rstrip() for line in behind if not line[0].isspace()), "")


def bounded(text: str) -> str:
    """A text of at most `LONGEST_REASON` characters, its end marked where it was cut."""
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def one_line(error: BaseException) -> str:
    """An error's type and its cause, or the exception of a quoted traceback."""
    text = cause(str(error))
    if TRACEBACK_MARK in str(error) and text:
        return text
    return bounded(f"{type(error).__name__}: {text}") if text else type(error).__name__


def unexpected(error: BaseException) -> str:
    """The sentence about an unexpected error, and how to see its place."""
    if os.environ.get(TRACEBACK_VARIABLE):
        import traceback  # not at the top: few errors are unexpected

        return "".join(traceback.format_exception(error)).rstrip()
    return f"{one_line(error).rstrip('.')}; {TRACEBACK_VARIABLE}=1 shows where."


def attempted(make: Callable[[], object]) -> str:
    """The text of a by-product, or why it was not made; no error passes."""
    try:
        return str(make())
    except Exception as error:  # noqa: BLE001 - the libraries that make it raise what they like
        return f"{NOT_MADE}{unexpected(error)}"
