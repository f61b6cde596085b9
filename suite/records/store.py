"""Append-only record files: one folder a run, one JSON line a case, on disk before the next case begins."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from suite.records import Case, Footer, Header, Run, RunRecord, StepmarkError, Visited, file_locks
from suite.records.atomic_files import READABLE, cannot_write
from suite.records.codec import (
    SCHEMA,
    Line,
    packed_case,
    packed_visit,
    unpacked_case,
    unpacked_footer,
    unpacked_header,
    unpacked_visit,
)
from suite.records.decoding import TooLarge, WrongValue, parsed

RECORD_NAME = "record.jsonl"
JOURNAL_NAME = "visits.jsonl"


NO_LOCKS = "this file system has no locks: make sure yourself that nothing else writes to {folder}"


class LineFile:
    """A file of JSON lines that is only appended to; a line is on disk when `append` returns, or not there at all.

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
        """A file that nobody has begun yet, kept from every other process; one that was killed may have left it empty.

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
            raise StepmarkError(f"{folder} was taken away just now by another process; try again.")
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


class RunWriter:
    """Writes one run's folder while it is measured."""

    def __init__(self, folder: Path, record: LineFile, journal: LineFile) -> None:
        self.folder = folder
        self._record = record
        self._journal = journal
        self._resumed: tuple[dict[str, Any], ...] = ()

    @classmethod
    def create(cls, folder: Path, header: Header) -> Self:
        """Make the folder and write the header; where that fails nothing is left behind.

        Raises:
            StepmarkError: the folder holds a record already, or cannot be written.
        """
        taken = f"{folder} holds a record already; choose another folder, or go on with it through --resume {folder}."
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        opened: list[LineFile] = []
        try:
            opened.append(LineFile.begin(folder / RECORD_NAME, taken))
            (folder / JOURNAL_NAME).unlink(missing_ok=True)  # of a run whose record was taken away
            opened[0].append({"kind": "header", "schema": SCHEMA, **asdict(header)})
            opened.append(LineFile(folder / JOURNAL_NAME))
            return cls(folder, *opened)
        except StepmarkError:
            for file in reversed(opened):  # the record, and with it the lock, last
                file.path.unlink(missing_ok=True)
                file.close()
            for path in made:
                with contextlib.suppress(OSError):
                    path.rmdir()
            raise

    @classmethod
    def reopen(cls, folder: Path) -> Self:
        """Open an interrupted run to go on with it, kept from every other process from then on.

        Raises:
            StepmarkError: another process still writes it, or it cannot be written.
        """
        record = LineFile(folder / RECORD_NAME, alone=True)
        try:
            return cls(folder, record, LineFile(folder / JOURNAL_NAME))
        except StepmarkError:
            record.close()
            raise

    def resumed(self, facts: dict[str, Any]) -> None:
        """Keep `facts` (when, environment) of going on with the run; the footer will have them."""
        self._journal.append({"kind": "resume", **facts})
        self._resumed = tuple(
            {key: value for key, value in line.items() if key != "kind"}
            for line in read_lines(self.folder / JOURNAL_NAME)[0]
            if line.get("kind") == "resume"
        )

    @property
    def note(self) -> str:
        """What a user should know of the folder; empty where there is nothing."""
        return "" if self._record.is_alone else NO_LOCKS.format(folder=self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def visit(self, case: Case, visited: Visited) -> None:
        """Keep a visit of a case that owes more of them. A failed visit ends its case instead."""
        if visited.visit is not None:
            self._journal.append({"kind": "visit", "id": case.id, **packed_visit(visited)})

    def case(self, record: RunRecord) -> None:
        """Write a case's line: its outcome, and all its rounds where it has some."""
        self._record.append(packed_case(record))

    def finish(self, footer: Footer) -> None:
        """Write the footer: the run is complete, and its journal of visits no longer needed."""
        line = asdict(footer)
        self._record.append({"kind": "footer", **line, "resumed": [*line["resumed"], *self._resumed]})
        (self.folder / JOURNAL_NAME).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files; without `finish` the run counts as interrupted."""
        self._record.close()
        self._journal.close()


def read_run(path: Path) -> Run:
    """Read a record: a run's folder or its `record.jsonl`.

    Raises:
        StepmarkError: there is none, it is no record, or its schema is newer than this version.
    """
    file = path / RECORD_NAME if path.is_dir() else path
    lines, warnings = read_lines(file)
    if not lines or lines[0].get("kind") != "header" or "schema" not in lines[0]:
        raise StepmarkError(f"{file} is no record of stepmark: its first line is not a header.")
    schema = lines[0]["schema"]
    if type(schema) is not int or schema not in range(1, SCHEMA + 1):
        raise StepmarkError(f"{file} has record schema {schema}; this version of stepmark reads schemas 1 to {SCHEMA}.")
    try:
        header = unpacked_header(lines[0])
        cases = {line["id"]: unpacked_case(line) for line in lines if line.get("kind") == "case"}
        footer = next((unpacked_footer(line) for line in lines if line.get("kind") == "footer"), None)
    except KeyError as error:
        raise StepmarkError(f"{file} is no record of stepmark: a line has no {error.args[0]}.") from error
    except WrongValue as error:
        raise StepmarkError(f"{file} is no record of stepmark: {error}") from error
    return Run(header, tuple(cases.values()), footer, tuple(warnings))


def read_visits(folder: Path) -> dict[str, list[Visited]]:
    """Visits of cases that were not finished when a run was interrupted, by case id."""
    visits: dict[str, list[Visited]] = {}
    file = folder / JOURNAL_NAME
    if file.exists():
        for line in read_lines(file)[0]:
            if line.get("kind") == "visit":
                try:
                    visits.setdefault(line["id"], []).append(unpacked_visit(line))
                except KeyError as error:
                    raise StepmarkError(f"{file} cannot be gone on with: a line has no {error.args[0]}.") from error
                except WrongValue as error:
                    raise StepmarkError(f"{file} cannot be gone on with: {error}") from error
    return visits


def read_lines(file: Path) -> tuple[list[Line], list[str]]:
    """The JSON objects of a file, and a warning where its last line is torn and was left out.

    Raises:
        StepmarkError: the file cannot be read, or a line before the last is no JSON object.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise StepmarkError(f"no record at {file}: {error.strerror or error}.") from error
    lines: list[Line] = []
    warnings: list[str] = []
    for number, (text, whole) in enumerate(split_lines(raw), 1):
        try:
            line = parsed(text) if whole else None
        except TooLarge as error:
            raise StepmarkError(f"{file} is no record of stepmark: line {number} has {error}.") from error
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict):
            lines.append(line)
        elif not whole:
            warnings.append(f"{file.name}: the last line is torn, as a killed process leaves it, and was left out")
        else:
            raise StepmarkError(f"{file} is no record of stepmark: line {number} is not a JSON object.")
    return lines, warnings


def split_lines(raw: bytes) -> Iterator[tuple[bytes, bool]]:
    """Each line, and whether it is whole: only the last can lack its end."""
    *whole, rest = raw.split(b"\n")
    yield from ((line, True) for line in whole)
    if rest:
        yield rest, False
