"""A run in progress: cases go in, outcomes come out.

Each outcome is on disk before the next case begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from suite.machine.readings import NOTES
from suite.matrix.cases import choice_of
from suite.matrix.profiles import OWN_PROFILES
from suite.matrix.refusals import refusal
from suite.measuring.instruments import instruments_of
from suite.provenance import environment
from suite.records import Case, Footer, Header, Run, RunRecord, StepmarkError, VisitResult
from suite.records.atomic_files import fresh_folder
from suite.records.compatibility import CODE, NOT_CODE, TO_RESUME, differences, not_known
from suite.records.store import RunWriter, check_free, read_run, read_visits
from suite.records.timestamps import for_file_name, now, seconds_since
from suite.runner.events import CaseDone, Event, VisitDone
from suite.runner.launcher import Launcher
from suite.runner.scheduler import Scheduler
from suite.runner.settings import Settings


class RunSession:
    """Measures planned cases and keeps their outcomes.

    A context that ends every process on leaving.

    Args:
        settings: what was asked for; with `resume`, what is there already is not measured again.
        cases: the cases that the run is to measure, in the order of the matrix.
        root: folder under which a new run's folder is made when none was asked for.

    Raises:
        StepmarkError: no zygote starts, the folder cannot be written, or the environment of a resumed run differs.
    """

    def __init__(self, settings: Settings, cases: Iterable[Case], root: Path) -> None:
        self.cases = {case.id: case for case in cases}
        self.planned = settings.resume.header.planned if settings.resume else tuple(self.cases)
        self.outcomes: dict[str, RunRecord] = {}
        self.changed: list[str] = []
        self._plugins = settings.profile.plugins
        self._launcher = Launcher(settings.workers, self._plugins)
        if not settings.resume:
            check_free(settings.folder or root)
        reopened = self._reopened(settings) if settings.resume else None
        try:
            self._launcher.start()
            facts = self.environment = self._facts(settings)
            self._writer = reopened or self._begin(settings, facts, root)
            if settings.resume:
                self._resume(settings.resume, facts)
        except BaseException:  # an interruption, too
            self._launcher.close()
            if reopened:
                reopened.close()
            raise
        visited = read_visits(self.folder) if settings.resume else None
        names = instruments_of(settings.plan, settings.workers)
        begun_s = begun_before(settings.resume, visited or {}) if settings.resume else 0.0
        self._scheduler = Scheduler(settings.plan, self._launcher, visited, instruments=names, begun_s=begun_s)

    @property
    def folder(self) -> Path:
        """The folder of the record."""
        return self._writer.folder

    @property
    def note(self) -> str:
        """A warning about the folder; empty without one."""
        return self._writer.note

    def _facts(self, settings: Settings) -> dict[str, Any]:
        launcher = self._launcher
        facts = environment.facts(
            settings.workers,
            settings.plan.order_seed,
            launcher.torch,
            launcher.priority,
            launcher.allocator,
            self._plugins,
        )
        return {**facts, **environment.code_of_run(self._plugins)}

    def _begin(self, settings: Settings, facts: dict[str, Any], root: Path) -> RunWriter:
        started = now()
        run_id = f"{for_file_name(started)}-{settings.profile.name}"
        header = Header(run_id, started, settings.plan, settings.workers, self.planned, selection_of(settings), facts)
        if settings.folder is not None:
            return RunWriter.create(settings.folder, header)
        with fresh_folder(root / run_id) as folder:
            return RunWriter.create(folder, header)

    def _reopened(self, settings: Settings) -> RunWriter:
        """The writer of a run to resume; its outcomes are read after it is locked."""
        if settings.folder is None:
            raise AssertionError("a resumed run has a folder")
        writer = RunWriter.reopen(settings.folder)
        run = read_run(settings.folder)
        if run.footer is not None:  # another process went on with it since the options were judged
            writer.close()
            raise StepmarkError(f"{settings.folder} is complete, finished at {run.footer.finished_at}.")
        self.outcomes = {record.case.id: record for record in run.cases}
        return writer

    def _resume(self, run: Run, facts: dict[str, Any]) -> None:
        before = run.header.environment
        code = differences(before, facts, CODE, ignore=NOT_CODE)
        if code:
            raise StepmarkError(
                f"{self.folder} cannot be resumed: the code has changed ({'; '.join(code)}); start a new run."
            )
        differing = differences(before, facts, TO_RESUME)
        if differing:
            raise StepmarkError(
                f"{self.folder} cannot be resumed here: the environment has changed ({'; '.join(differing)}); "
                "start a new run."
            )
        known = {"at": now(), "load": facts["load_before"]}
        unknown = not_known(before, (*CODE, *TO_RESUME))
        self._writer.resumed({**known, **({"not_compared": unknown} if unknown else {})})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def measure(self, cases: Iterable[Case], show: Callable[[Event], None]) -> Iterable[RunRecord]:
        """Measure what has no outcome yet; each outcome is on disk when it is yielded."""
        due = [case for case in cases if case.id not in self.outcomes]
        for case in due:
            reason = refusal(case)
            if reason:
                yield self._keep(RunRecord(case, "skipped", reason))
        for event in self._scheduler.run([case for case in due if case.id not in self.outcomes]):
            show(event)
            if isinstance(event, CaseDone):
                yield self._keep(event.record)
            elif isinstance(event, VisitDone):
                self._writer.visit(event.case, event.result)

    def _keep(self, record: RunRecord) -> RunRecord:
        self._writer.case(record)
        self.outcomes[record.case.id] = record
        return record

    @property
    def missing(self) -> list[str]:
        """Planned cases without an outcome; `-k` may select fewer of a resumed run."""
        return [case_id for case_id in self.planned if case_id not in self.outcomes]

    def finish(self) -> bool:
        """Write the footer if every planned case has an outcome; whether it was written."""
        if self.missing:
            return False
        counts = Counter(record.outcome for record in self.outcomes.values())
        self.changed = differences(self.environment, environment.code_of_run(self._plugins), CODE, ignore=NOT_CODE)
        after: dict[str, Any] = {"load_after": environment.load(), "not_read": dict(NOTES)}
        after |= {"code_changed": self.changed} if self.changed else {}
        self._writer.finish(Footer(now(), {name: counts[name] for name in ("measured", "skipped", "failed")}, after))
        return True

    def close(self) -> None:
        """End every process and close the files."""
        self._launcher.close()
        self._writer.close()


def begun_before(run: Run, visited: Mapping[str, Sequence[VisitResult]]) -> float:
    """Seconds since the start of an interrupted run, by the clock of the machine.

    At least those until the end of its last visit: a clock may have been set back.

    Args:
        run: as it was read.
        visited: visits to cases that it has not finished, by case id.
    """
    visits = [visit for record in run.cases if record.measurement for visit in record.measurement.visits]
    visits += [one.visit for found in visited.values() for one in found if one.visit]
    return max([seconds_since(run.header.started_at), *(visit.started_s + visit.seconds for visit in visits)])


def selection_of(settings: Settings) -> dict[str, Any]:
    """Facts that a second run needs to find the same cases."""
    profile = settings.profile
    return {
        "profile": profile.name,
        "profiles_file": None if profile.file == OWN_PROFILES else str(profile.file),
        "plugins": [one for one in profile.plugins if one not in profile.structures],
        **({"structures": list(profile.structures)} if profile.structures else {}),
        **choice_of(profile).facts,
        "shard": settings.shard,
    }
