"""Starts the processes that measure, and ends them. Imports no torch.

One zygote at a time, started when the first worker is wanted and anew for each pass; it forks a worker for each visit.
"""

from __future__ import annotations

import json
import math
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from suite.machine import temp_dirs, threads
from suite.protocol import VERSION, Closed, Ended, Forked, Link, Ready
from suite.records import Case, NotComparableError, Series, StepmarkError, WorkerSettings
from suite.records.codec import encode_levels
from suite.records.decoding import WrongValue, convert_known
from suite.runner.code_origin import HERE, Origin
from suite.runner.import_watch import Watch
from suite.runner.worker_handle import ZYGOTE_LOST, WorkerHandle, WorkerLost, last_line
from suite.runner.zygote_process import Here, InContainer, ZygoteProcess, variables_of

ZYGOTE_START_S = 120.0
"""Seconds for a zygote to import torch; a cold disk takes some ten."""
ZYGOTE_ANSWER_S = 60.0
"""Seconds for the zygote to fork a worker, or to reap one that was sent SIGKILL; both take some ten milliseconds."""
T = TypeVar("T")


class Launcher:
    """Forks workers from a zygote, which is started on demand.

    Args:
        settings: of its workers.
        plugins: modules that add levels, imported in the zygote before anything is looked up.
        origin: whose code it is.

    Attributes:
        reports_levels: whether the zygote goes on after a plug-in that does not import, and reports it and all levels.
    """

    def __init__(self, settings: WorkerSettings, plugins: tuple[str, ...] = (), origin: Origin = HERE) -> None:
        self.reports_levels = False
        self.torch: dict[str, Any] = {}
        self.priority: dict[str, int | None] = {}
        self.allocator: str | None = None
        self.not_loaded: dict[str, str] = {}
        self.levels: dict[str, tuple[str, ...]] | None = None
        self._settings = settings
        self._plugins = plugins
        self._origin = origin
        self._stderr: IO[bytes] | None = None
        self._zygote: ZygoteProcess | None = None
        self._link: Link | None = None
        self._workers: list[WorkerHandle] = []
        self._watch = Watch(origin.watched)
        self._used = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._watch.close()

    def start(self) -> None:
        """Start the zygote if none runs, and wait until it has imported torch.

        It is started once more if it was killed before that.

        Raises:
            StepmarkError: it ends or stays silent before it is ready.
        """
        try:
            self.launch()
            self._await_ready(last_attempt=False)
        except WorkerLost:
            self.launch()
            self._await_ready(last_attempt=True)

    def launch(self) -> None:
        """Start the zygote if none runs, without waiting for it.

        Raises:
            StepmarkError: the interpreter does not start, or OpenMP may not start the threads of a worker.
        """
        if self._zygote is not None and self._zygote.is_running():
            return
        self.close()
        temp_dirs.remove_ownerless()
        variables = variables_of(self._origin, self._settings.allocator)
        if why := threads.refusal(self._settings.threads, variables):
            raise StepmarkError(f"{why}.")
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed once the zygote is ready, or has ended
        try:
            self._zygote = self._started(variables, self._stderr)
        except OSError as error:
            container = self._origin.container
            program = container.program if container else self._origin.python
            raise StepmarkError(f"{program} does not start: {error.strerror}.") from error
        self._used = False

    def _started(self, variables: dict[str, str], output: IO[bytes]) -> ZygoteProcess:
        """A zygote that has started and may not be ready.

        Raises:
            OSError: its program does not start.
        """
        origin = self._origin
        arguments = json.dumps(
            {
                "path": [os.fspath(one) for one in origin.path or sys.path if isinstance(one, str | os.PathLike)],
                "plugins": self._plugins,
                "priority": self._settings.priority,
                **({"reports_levels": True} if self.reports_levels else {}),
            }
        )
        if origin.container is not None:
            return InContainer(origin.container, origin.suite, arguments, variables, output)
        return Here(self._program(), arguments, variables, self._watch.open_files, output, origin.start)

    def _program(self) -> list[str]:
        """The command line of the zygote, without its arguments."""
        return [self._origin.python, "-P", *self._watch.command, str(self._origin.suite / "zygote.py")]

    def refuse_strays(self) -> None:
        """Check that modules of the repository are this side's; raises as `import_watch`."""
        self._watch.refuse_strays()

    def loaded_files(self) -> list[tuple[Path, str]]:
        """Files of modules in the side's checkout, with their hashes when loaded."""
        return self._watch.loaded_files()

    def _await_ready(self, *, last_attempt: bool) -> None:
        if self._stderr is None or self._zygote is None:  # it is ready
            return
        try:
            self._link = self._zygote.connect(ZYGOTE_START_S)
            answer = self._link.receive(ZYGOTE_START_S)
        except (Closed, TimeoutError) as error:
            killed = isinstance(error, Closed) and self._zygote.was_killed()
            said = last_line(self._stderr) or "it said nothing"
            self.close()
            self.refuse_strays()
            if killed and not last_attempt:
                raise WorkerLost(ZYGOTE_LOST) from error
            raise StepmarkError(f"the process that imports torch did not start: {said}.") from error
        if "failed" in answer:
            self.close()
            self.refuse_strays()
            raise StepmarkError(answer["failed"])
        if answer.get("ready") != VERSION:
            self.close()
            where, spoken = self._origin.suite.parent, answer.get("ready")
            raise NotComparableError(f"the code in {where} speaks protocol {spoken}, this one protocol {VERSION}.")
        self._stderr.close()
        self._stderr = None
        ready = self._read(Ready, answer)
        self.torch, self.priority, self.allocator = ready.torch, ready.priority, ready.allocator
        self.not_loaded, self.levels = ready.not_loaded, ready.levels
        self.refuse_strays()

    def renew(self) -> None:
        """Replace a zygote that has forked workers: forks share its memory layout.

        Raises:
            StepmarkError: no zygote starts.
        """
        if self._used:
            self.close()
            self.start()

    def fork(self, case: Case) -> WorkerHandle:
        """Fork a worker for `case` and wait until it has made the training step.

        Raises:
            WorkerFailed: the levels of the case do not make a step; the reason says why.
            WorkerLost: the worker or the zygote is gone.
            StepmarkError: no zygote starts.
        """
        worker = self.start_worker(case)
        worker.wait_ready()
        return worker

    def start_worker(self, case: Case) -> WorkerHandle:
        """Fork a worker, which then makes the step of `case`; see `wait_ready`.

        Raises:
            WorkerLost: the zygote is gone.
            StepmarkError: no zygote starts.
        """
        return self._fork({"case": encode_levels(case), "threads": self._settings.threads})

    def run_instrument(self, case: Case, name: str) -> tuple[Series, ...]:
        """The series of an instrument for `case`, measured in a fresh worker.

        Raises:
            WorkerFailed: the survey raised, or ran out of memory or time.
            WorkerLost: the worker or the zygote is gone.
            StepmarkError: no zygote starts.
        """
        worker = self.start_instrument(case, name)
        try:
            return worker.instrument_series()
        finally:
            worker.end()

    def start_instrument(self, case: Case, name: str) -> WorkerHandle:
        """Fork a worker for an instrument; see `WorkerHandle.instrument_series`.

        Raises:
            WorkerLost: the zygote is gone.
            StepmarkError: no zygote starts.
        """
        return self._fork({"case": encode_levels(case), "threads": self._settings.threads, "survey": name})

    def start_rank_worker(self, number: int) -> WorkerHandle:
        """Fork a worker that waits for a visit, and then follows rank 0's worker.

        Its first answer is whether there is a visit of that number.

        Raises:
            WorkerLost: the zygote is gone.
            StepmarkError: no zygote starts.
        """
        return self._fork(
            {"follow": number, "threads": self._settings.threads, "limit_s": math.ceil(self._settings.case_timeout)}
        )

    def _fork(self, order: dict[str, Any]) -> WorkerHandle:
        self.start()
        if self._zygote is None:
            raise WorkerLost(ZYGOTE_LOST)
        ours, theirs = socket.socketpair()
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the worker's `end`
        folder, scratch = self._zygote.new_folder()
        with theirs:
            try:
                fds = theirs.fileno(), stderr.fileno()
                pid = self._ask(Forked, {"fork": {**order, "scratch": scratch}}, fds).forked
            except BaseException:  # an interruption, too
                ours.close()
                stderr.close()
                temp_dirs.remove(folder)
                raise
        self._used = True
        worker = WorkerHandle(self, pid, Link(ours), stderr, folder, self._settings.case_timeout)
        self._workers.append(worker)
        return worker

    def reap(self, pid: int) -> int | None:
        """End a worker and return its exit status; None if the zygote is gone."""
        try:
            return self._ask(Ended, {"end": pid}).ended
        except WorkerLost:
            return None

    def forget(self, worker: WorkerHandle) -> None:
        """Take a worker that has ended off the books."""
        self._workers.remove(worker)

    def _ask(self, kind: type[T], message: dict[str, Any], fds: tuple[int, ...] = ()) -> T:
        if self._link is None:
            raise WorkerLost(ZYGOTE_LOST)
        try:
            self._link.send(message, fds)
            answer = self._link.receive(ZYGOTE_ANSWER_S)
        except (Closed, TimeoutError) as error:
            self.close()
            raise WorkerLost(ZYGOTE_LOST) from error
        except BaseException:  # an interruption: the answer, once it comes, would be taken for that to the next message
            self.close()
            raise
        return self._read(kind, answer)

    def _read(self, kind: type[T], answer: dict[str, Any]) -> T:
        try:
            return convert_known(kind, answer, "it")
        except WrongValue as error:
            self.close()
            raise StepmarkError(f"the answer of the zygote in {self._origin.suite} cannot be read: {error}") from error

    def close(self) -> None:
        """End the zygote, and with it every worker. Harmless when nothing runs."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._zygote is not None:
            self._zygote.end()
            self._zygote = None
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None
        for worker in list(self._workers):
            worker.end()
