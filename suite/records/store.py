"""Record files: one folder a run, one JSON line a case.

A line is on disk before the next case begins.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from suite.records import Case, Footer, Header, Run, RunRecord, StepmarkError, VisitResult
from suite.records.atomic_files import cannot_write
from suite.records.codec import (
    SCHEMA,
    decode_case,
    decode_footer,
    decode_header,
    decode_result,
    encode_case,
    encode_footer,
    encode_header,
    encode_result,
)
from suite.records.line_file import NO_LOCKS, NO_RECORD, LineFile, named, read_lines

RECORD_NAME = "record.jsonl"
JOURNAL_NAME = "visits.jsonl"
TAKEN = "{folder} holds a record already; choose another folder, or continue that run with --resume {folder}."


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
        taken = TAKEN.format(folder=folder)
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        opened: list[LineFile] = []
        try:
            opened.append(LineFile.begin(folder / RECORD_NAME, taken))
            (folder / JOURNAL_NAME).unlink(missing_ok=True)  # of a run whose record was taken away
            opened[0].append(encode_header(header))
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
        """Open an interrupted run to resume it, and keep out every other process.

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
        """Keep `facts` (time, environment) of resuming the run, for the footer."""
        self._journal.append({"kind": "resume", **facts})
        self._resumed = tuple(
            {key: value for key, value in line.items() if key != "kind"}
            for line in read_lines(self.folder / JOURNAL_NAME)[0]
            if line.get("kind") == "resume"
        )

    @property
    def note(self) -> str:
        """A warning about the folder; empty without one."""
        return "" if self._record.is_alone else NO_LOCKS.format(folder=self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def visit(self, case: Case, visited: VisitResult) -> None:
        """Keep a visit of an unfinished case. A failed visit ends its case instead."""
        if visited.visit is not None:
            self._journal.append(encode_result(case, visited))

    def case(self, record: RunRecord) -> None:
        """Write a case's line: its outcome, and all its rounds where it has some."""
        self._record.append(encode_case(record))

    def finish(self, footer: Footer) -> None:
        """Write the footer of a complete run, and delete the journal of visits."""
        self._record.append(encode_footer(replace(footer, resumed=(*footer.resumed, *self._resumed))))
        (self.folder / JOURNAL_NAME).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files; without `finish` the run counts as interrupted."""
        self._record.close()
        self._journal.close()


def check_free(folder: Path) -> None:
    """Check early that a record can probably be written to a folder.

    Nothing is made. `RunWriter.create` decides.

    Raises:
        StepmarkError: it holds a record already, or cannot be made or written.
    """
    file = folder / RECORD_NAME
    with contextlib.suppress(OSError), file.open("rb") as begun:
        if begun.readline().endswith(b"\n"):
            raise StepmarkError(TAKEN.format(folder=folder))
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise cannot_write(folder, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(nearest, os.W_OK | os.X_OK):
        why = errno.EROFS if os.statvfs(nearest).f_flag & os.ST_RDONLY else errno.EACCES
        raise cannot_write(folder, OSError(why, os.strerror(why)))


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
    with named(file, NO_RECORD, 1):
        header = decode_header(lines[0])
    cases: dict[str, RunRecord] = {}
    footer: Footer | None = None
    for number, line in enumerate(lines, 1):
        with named(file, NO_RECORD, number):
            if line.get("kind") == "case":
                case_id, record = decode_case(line)
                cases[case_id] = record
            elif line.get("kind") == "footer" and footer is None:
                footer = decode_footer(line)
    return Run(header, tuple(cases.values()), footer, tuple(warnings))


def read_visits(folder: Path) -> dict[str, list[VisitResult]]:
    """Visits of cases that were not finished when a run was interrupted, by case id.

    Raises:
        StepmarkError: the journal cannot be read, or a line of it is no visit.
    """
    visits: dict[str, list[VisitResult]] = {}
    file = folder / JOURNAL_NAME
    if file.exists():
        for number, line in enumerate(read_lines(file)[0], 1):
            if line.get("kind") == "visit":
                with named(file, "cannot be resumed", number):
                    case_id, visited = decode_result(line)
                    visits.setdefault(case_id, []).append(visited)
    return visits
