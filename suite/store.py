"""Append-only record files: one folder a run, one JSON line a case, on disk before the next case begins."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from suite.records import Case, Footer, Header, Run, RunRecord, StepmarkError, Visited
from suite.schema import (
    SCHEMA,
    Line,
    packed_case,
    packed_visit,
    unpacked_case,
    unpacked_footer,
    unpacked_header,
    unpacked_visit,
)

RECORD_NAME = "record.jsonl"
JOURNAL_NAME = "visits.jsonl"


class LineFile:
    """A file of JSON lines that is only appended to; a line is on disk when `append` returns, or not there at all."""

    def __init__(self, path: Path) -> None:
        """Open for appending; a torn last line, which a killed process left, is cut off.

        Raises:
            StepmarkError: the file cannot be opened for writing.
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        whole = path.read_bytes()
        self._size = whole.rfind(b"\n") + 1
        if self._size < len(whole):
            os.ftruncate(self._fd, self._size)

    def append(self, line: Line) -> None:
        """Write one line and wait until the disk has it.

        Raises:
            StepmarkError: the disk is full or gone; what had been written of the line is taken back.
        """
        text = json.dumps(line, allow_nan=False, ensure_ascii=False)
        left = memoryview(text.encode(errors="backslashreplace") + b"\n")  # bytes of a path that are no UTF-8: \udc80
        whole = len(left)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
            os.fsync(self._fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise cannot_write(self.path, error) from error
        self._size += whole

    def close(self) -> None:
        """Close the file; what was appended is on disk already."""
        os.close(self._fd)


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
        if (folder / RECORD_NAME).exists():
            raise StepmarkError(
                f"{folder} holds a record already; choose another folder, or go on with it through --resume {folder}."
            )
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        (folder / JOURNAL_NAME).unlink(missing_ok=True)  # of a run whose record was taken away
        opened: list[LineFile] = []
        try:
            opened.append(LineFile(folder / RECORD_NAME))
            opened[0].append({"kind": "header", "schema": SCHEMA, **asdict(header)})
            opened.append(LineFile(folder / JOURNAL_NAME))
            return cls(folder, *opened)
        except StepmarkError:
            for file in opened:
                file.close()
            for name in (RECORD_NAME, JOURNAL_NAME):
                (folder / name).unlink(missing_ok=True)
            for path in made:
                with contextlib.suppress(OSError):
                    path.rmdir()
            raise

    @classmethod
    def resume(cls, folder: Path, facts: dict[str, Any]) -> Self:
        """Open an interrupted run to go on with it; `facts` (when, environment) are kept with its footer."""
        writer = cls(folder, LineFile(folder / RECORD_NAME), LineFile(folder / JOURNAL_NAME))
        writer._journal.append({"kind": "resume", **facts})
        writer._resumed = tuple(
            {key: value for key, value in line.items() if key != "kind"}
            for line in read_lines(folder / JOURNAL_NAME)[0]
            if line.get("kind") == "resume"
        )
        return writer

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
    if schema not in range(1, SCHEMA + 1):
        raise StepmarkError(f"{file} has record schema {schema}; this version of stepmark reads schemas 1 to {SCHEMA}.")
    try:
        header = unpacked_header(lines[0])
        cases = {line["id"]: unpacked_case(line) for line in lines if line.get("kind") == "case"}
        footer = next((unpacked_footer(line) for line in lines if line.get("kind") == "footer"), None)
    except (KeyError, TypeError, ValueError) as error:
        raise StepmarkError(f"{file} is no record of stepmark: {type(error).__name__}: {error}.") from error
    return Run(header, tuple(cases.values()), footer, tuple(warnings))


def read_visits(folder: Path) -> dict[str, list[Visited]]:
    """Visits of cases that were not finished when a run was interrupted, by case id."""
    visits: dict[str, list[Visited]] = {}
    if (folder / JOURNAL_NAME).exists():
        for line in read_lines(folder / JOURNAL_NAME)[0]:
            if line.get("kind") == "visit":
                visits.setdefault(line["id"], []).append(unpacked_visit(line))
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
            line = json.loads(text) if whole else None
        except ValueError:
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


def cannot_write(path: Path, error: OSError) -> StepmarkError:
    """The sentence about a disk that refuses."""
    return StepmarkError(f"cannot write {path}: {error.strerror or error}.")
