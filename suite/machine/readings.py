"""Optional readings of the machine: a failed one has a stand-in and leaves a note.

A file that is not there is the usual case on some machines and leaves no note. Any other failure leaves one: a file of
nonsense, a refused right, a library that raises, or a fault of this code. Libraries raise anything here: psutil has
`TypeError` for a short line of `/proc/stat`, and `KeyError` for a memory table without a total.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D")
N = TypeVar("N", int, float)

NOTES: dict[str, str] = {}
"""Name of a reading -> how it failed first in this process."""
OWN_FAULTS = (NameError, AssertionError, ImportError)
"""Errors that no machine causes; they are raised. Others of this code's faults are seen by their notes."""
NOT_THERE = (FileNotFoundError, NotADirectoryError, ProcessLookupError)
NVML = "pynvml"
"""Module of the errors of NVIDIA's driver, which say that there is none, or that a device lacks a sensor."""
LONGEST_NOTE = 200
"""Characters: an error may quote a whole file."""


def known_or(name: str, read: Callable[[], T], stand_in: Callable[[], D]) -> T | D:
    """The result of a reading, or of its stand-in. A number has to be finite.

    Args:
        name: under which a failure is noted.
        read: the reading.
        stand_in: makes the value of a reading that fails, such as `list`.
    """
    try:
        found = read()
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError(f"{found} is not finite")
        return found
    except OWN_FAULTS:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a kernel's file or a library does: see above
        note(name, error)
        return stand_in()


def known(name: str, read: Callable[[], T]) -> T | None:
    """The result of a reading; None if it fails. Arguments as for `known_or`."""
    return known_or(name, read, nothing)


def optional_or(stand_in: Callable[[], D]) -> Callable[[Callable[P, T]], Callable[P, T | D]]:
    """A decorator of readings, by whose names failures are noted; see `known_or`."""

    def decorate(read: Callable[P, T]) -> Callable[P, T | D]:
        name = f"{read.__module__.rpartition('.')[2]}.{read.__qualname__}"

        @wraps(read)
        def reading(*args: P.args, **kwargs: P.kwargs) -> T | D:
            return known_or(name, lambda: read(*args, **kwargs), stand_in)

        return reading

    return decorate


def optional(read: Callable[P, T]) -> Callable[P, T | None]:
    """The reading, which gives None where it fails."""
    return optional_or(nothing)(read)


def positive(value: N) -> N:
    """A number that has to be above 0, such as a count of cores or a limit of memory.

    Raises:
        ValueError: it is not.
    """
    if value <= 0:
        raise ValueError(f"{value} is not above 0")
    return value


def nothing() -> None:
    """The stand-in of a reading without another one."""
    return


def note(name: str, error: Exception) -> None:
    """Keep how a reading failed, unless what it reads is not there or has ended."""
    if not isinstance(error, NOT_THERE) and type(error).__module__ != NVML:
        NOTES.setdefault(name, f"{type(error).__name__}: {error}"[:LONGEST_NOTE])
