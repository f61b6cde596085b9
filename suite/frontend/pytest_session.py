"""The state of a pytest session that measures cases, and the lines of its summary."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from suite.analysis.settings_in_effect import unmet_settings
from suite.matrix.cases import cases_of, matrix_of
from suite.matrix.selection import shard
from suite.provenance.installation import CASES_FOLDER
from suite.records import Case, Run, StepmarkError
from suite.records.failure_reason import NOT_MADE, attempted
from suite.records.store import RunWriter, read_run
from suite.runner.session import RunSession
from suite.runner.settings import Settings, fitted_to_devices


@dataclass(slots=True)
class Bench:
    """A session's settings and cases, and its run once that has begun.

    Attributes:
        cases: by id; pytest selects among them.
        records: folder in which a new run gets a folder; relative to the one that pytest runs in.
        run: None until the first case is due.
        page: path of the page, or the reason why there is none.
        is_complete: whether every case has an outcome.
        signal_code: exit code if a signal ended the session; else 0.
    """

    settings: Settings
    cases: dict[str, Case]
    records: Path
    run: RunSession | None = None
    page: str = ""
    is_complete: bool = False
    signal_code: int = 0


def bench_for(settings: Settings, records: Path) -> Bench:
    """A bench with the cases of a profile, of a shard of it, or of an interrupted run.

    Args:
        settings: as resolved.
        records: as `Bench` has it.

    Raises:
        StepmarkError: the profile no longer has a case that an interrupted run still owes.
    """
    if settings.resume is not None:
        planned = set(settings.resume.header.planned)
        cases = [case for case in matrix_of(settings.profile) if case.id in planned]
        refuse_vanished(settings, settings.resume, cases)
    else:
        cases = cases_of(settings.profile)
        if settings.shard is not None:
            cases = shard(cases, settings.shard)
        settings = fitted_to_devices(settings, cases)
    return Bench(settings, {case.id: case for case in cases}, records)


def refuse_vanished(settings: Settings, run: Run, cases: list[Case]) -> None:
    """Raise if a planned case without an outcome is not among these."""
    known = {case.id for case in (*cases, *(record.case for record in run.cases))}
    vanished = [case_id for case_id in run.header.planned if case_id not in known]
    if vanished and settings.folder:
        with RunWriter.reopen(settings.folder):  # another process that still writes the run is the first reason
            raise StepmarkError(
                f"{settings.folder} cannot be resumed: profile {settings.profile.name!r} no longer has "
                f"{len(vanished)} of its cases, such as {vanished[0]}; restore the profile, or start a new run."
            )


def summary_lines(bench: Bench, run: RunSession, *, has_colours: bool) -> Iterator[str]:
    """Results, paths, settings without effect, and the command that continues."""
    table = attempted(lambda: "\n".join(results(run.folder, has_colours=has_colours)))
    yield from [f"results {table}"] if table.startswith(NOT_MADE) else table.splitlines()
    yield ""
    yield f"record  {from_here(run.folder / 'record.jsonl')}"
    yield f"report  {bench.page}"
    yield from (f"note    {text}" for text in unmet_settings(run.environment))
    if run.changed:
        yield f"note    the code changed or was committed during the run ({'; '.join(run.changed)}); measure again"
    if not bench.is_complete:
        yield f"interrupted: {len(run.missing)} cases have no outcome; continue with: {resume_command(run.folder)}"


def results(folder: Path, *, has_colours: bool) -> Iterator[str]:
    """The lines that `stepmark show` prints of a record."""
    from suite.frontend.result_table import result_lines, width_here  # after measuring: it loads rich and numpy

    return result_lines(read_run(folder), width=width_here(), has_colours=has_colours)


def from_here(path: Path) -> Path:
    """A path as one types it in the current folder; unchanged outside of it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def resume_command(folder: Path) -> str:
    """The shell command that continues an interrupted run from the present folder."""
    start = ["pytest", "cases"] if Path("cases").resolve() == CASES_FOLDER else ["stepmark", "run"]
    return shlex.join([*start, "--resume", str(folder)])
