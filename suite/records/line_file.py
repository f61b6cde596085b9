"""Append-only files of JSON lines: a line is whole on the disk, or not there."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from suite.records import StepmarkError, file_locks
from suite.records.atomic_files import READABLE, cannot_write
from suite.records.decoding import WrongNumber, WrongValue, parse

NO_RECORD = "is no record of stepmark"
LONGEST_TEXT = 2**18
"""Characters of a text in a line: more than an environment variable may have, and no page or table shows more."""
DEEPEST = 32
"""Objects and lists within each other; a record has six, and more than some hundred exhaust a reader's stack."""
INFINITE = "a number beyond 1e308; allowed: smaller ones"
NO_LOCKS = "this file system has no locks: make sure yourself that nothing else writes to {folder}"

NUMBERS = (int, float)
Line = dict[str, Any]


class LineFile:
    """An append-only file; a line is on disk when `append` returns.

    Attributes:
        is_empty: whether it had no whole line when it was opened.
        is_alone: whether no other process can have opened it with `alone`.
    """

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        """Open for appending, as a new file where there is none.

        A torn last line, which a killed process left, is cut off by the first `append`.

        Args:
            path: of the file.
            alone: whether to keep out every other process that opens it so, until this one closes it or ends.

        Raises:
            StepmarkError: the file cannot be opened for writing, or another process keeps this one out.
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, READABLE)
        except OSError as error:
            raise cannot_write(path, error) from error
        self.is_alone = alone and self._keep_out_others()
        whole = path.read_bytes()
        self._size = whole.rfind(b"\n") + 1
        self._torn = self._size < len(whole)
        self.is_empty = self._size == 0

    @classmethod
    def begin(cls, path: Path, taken: str) -> Self:
        """Begin a file that has no line yet, and keep out every other process.

        A killed process may have left it empty.

        Raises:
            StepmarkError: `taken`, where it has lines; or it cannot be written, or another process keeps this one out.
        """
        is_new = True
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, READABLE))
        except FileExistsError:
            is_new = False
        except OSError as error:
            raise cannot_write(path, error) from error
        file = cls(path, alone=True)
        if not file.is_empty or not (is_new or file.is_alone):
            file.close()
            raise StepmarkError(taken)
        return file

    def _keep_out_others(self) -> bool:
        folder = self.path.parent
        try:
            has_locks = file_locks.lock(self._fd)
        except file_locks.HeldError as error:
            os.close(self._fd)
            raise StepmarkError(
                f"{folder} is being written by {error.holder}; wait until that ends, or choose another folder."
            ) from None
        if not self.path.exists() or not os.path.samestat(self.path.stat(), os.fstat(self._fd)):
            file_locks.release(self._fd)
            raise StepmarkError(f"{folder} was removed just now by another process; start the command again.")
        return has_locks

    def append(self, line: Line) -> None:
        """Write one line and wait until the disk has it.

        Raises:
            StepmarkError: the disk is full or gone; what had been written of the line is taken back.
        """
        text = json.dumps(line, allow_nan=False, ensure_ascii=False)
        left = memoryview(text.encode(errors="backslashreplace") + b"\n")  # bytes of a path that are no UTF-8: \udc80
        whole = len(left)
        try:
            if self._torn:
                os.ftruncate(self._fd, self._size)
                self._torn = False
            while left:
                left = left[os.write(self._fd, left) :]
            os.fsync(self._fd)
        except BaseException as error:  # an interruption, too, leaves no part of a line before the next one
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            if isinstance(error, OSError):
                raise cannot_write(self.path, error) from error
            raise
        self._size += whole

    def close(self) -> None:
        """Close the file; what was appended is on disk already."""
        file_locks.release(self._fd)


def read_lines(file: Path) -> tuple[list[Line], list[str]]:
    """The JSON objects of a file, and a warning about a torn last line.

    Raises:
        StepmarkError: the file cannot be read, a line before the last is no JSON object, or a line has a text that is
            too long, or values that lie too deep.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise StepmarkError(f"no record at {file}: {error.strerror or error}.") from error
    lines: list[Line] = []
    warnings: list[str] = []
    for number, (text, whole) in enumerate(split_lines(raw), 1):
        try:
            line = parse(text) if whole else None
        except WrongNumber as error:
            raise StepmarkError(f"{file} is no record of stepmark: line {number} has {error}.") from error
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict):
            if excess := excess_of(line):
                raise StepmarkError(f"{file} is no record of stepmark: line {number} has {excess}.")
            lines.append(line)
        elif not whole:
            warnings.append(f"{file.name}: the last line is torn, as a killed process leaves it, and was left out")
        else:
            raise StepmarkError(f"{file} is no record of stepmark: line {number} is not a JSON object.")
    return lines, warnings


def excess_of(line: Line) -> str:
    """A text that is too long, objects too deep, a number too large; empty without."""
    waiting: list[tuple[Any, int]] = [(line, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            return f"a text of {len(value):,} characters; allowed: up to {LONGEST_TEXT:,}"
        if isinstance(value, dict | list) and depth > DEEPEST:
            return f"more than {DEEPEST} objects or lists within each other; allowed: fewer"
        if isinstance(value, float) and math.isinf(value):
            return INFINITE
        if isinstance(value, dict):
            waiting += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif isinstance(value, list) and not all(type(inner) in NUMBERS for inner in value):
            waiting += [(inner, depth + 1) for inner in value]
        elif isinstance(value, list) and (math.inf in value or -math.inf in value):  # rounds may be a million
            return INFINITE
    return ""


def split_lines(raw: bytes) -> Iterator[tuple[bytes, bool]]:
    """Each line, and whether it is whole: only the last can lack its end."""
    *whole, rest = raw.split(b"\n")
    yield from ((line, True) for line in whole)
    if rest:
        yield rest, False


@contextlib.contextmanager
def named(file: Path, what: str, number: int) -> Iterator[None]:
    """Name the file and the line's number in the sentence about a fault.

    Raises:
        StepmarkError: the line lacks a key, or a value is not of its kind.
    """
    try:
        yield
    except KeyError as error:
        raise StepmarkError(f"{file} {what}: line {number} has no {error.args[0]}.") from error
    except WrongValue as error:
        raise StepmarkError(f"{file} {what}: in line {number}, {error}") from error
