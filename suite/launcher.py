"""Starts the processes that measure, speaks with them, and ends them. Imports no torch.

One zygote at a time, started when the first worker is wanted; one worker for each visit, forked by the zygote.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Self

from suite import scratch
from suite.allocators import environment
from suite.protocol import VERSION, Closed, Link, unpack
from suite.records import Case, Metric, Plan, Series, StepmarkError

ZYGOTE_START_S = 120.0
"""Seconds for a zygote to import torch; a cold disk takes some ten."""
ZYGOTE_ANSWER_S = 60.0
"""Seconds for the zygote to fork a worker, or to reap one that was sent SIGKILL; both take some ten milliseconds."""
ZYGOTE_LOST = "the zygote that forks the workers was ended from outside"
STDERR_TAIL_BYTES = 2000
"""Of a dead worker's standard error, what is read to find the reason."""


class WorkerFailed(Exception):
    """The case's own fault: it raised, ran out of memory, diverged or hung. The text is the reason."""


class WorkerLost(WorkerFailed):
    """The worker is gone for a reason that need not be the case's own; the visit may be repeated."""


class Launcher:
    """Forks workers from a zygote that is started on demand, and again after it was lost.

    Args:
        plan: for the threads, allocator and priority of workers, and the time that one answer may take.
        plugins: modules that add levels, imported in the zygote before anything is looked up.
    """

    def __init__(self, plan: Plan, plugins: tuple[str, ...] = ()) -> None:
        self.torch: dict[str, Any] = {}
        self.priority: dict[str, int] = {}
        self._plan = plan
        self._plugins = plugins
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Link | None = None
        self._workers: list[ForkedWorker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the zygote if none runs, and wait until it has imported torch; once more where it was killed meanwhile.

        Raises:
            StepmarkError: it ends or stays silent before it is ready.
        """
        if self._process is not None and self._process.poll() is None:
            return
        try:
            self._start(last_attempt=False)
        except WorkerLost:
            self._start(last_attempt=True)

    def _start(self, *, last_attempt: bool) -> None:
        self.close()
        ours, theirs = socket.socketpair()
        settings = json.dumps({"path": sys.path, "plugins": self._plugins, "priority": self._plan.priority})
        with theirs, tempfile.TemporaryFile() as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("zygote.py")), str(theirs.fileno()), settings],
                env=environment(self._plan.allocator),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
            self._link = Link(ours)
            theirs.close()
            self._await_ready(self._link, stderr, last_attempt=last_attempt)

    def _await_ready(self, link: Link, stderr: IO[bytes], *, last_attempt: bool) -> None:
        try:
            answer = link.receive(ZYGOTE_START_S)
        except (Closed, TimeoutError) as error:
            killed = isinstance(error, Closed) and self._process is not None and self._process.wait() == -signal.SIGKILL
            self.close()
            if killed and not last_attempt:
                raise WorkerLost(ZYGOTE_LOST) from error
            said = last_line(stderr) or "it said nothing"
            raise StepmarkError(f"the process that imports torch did not start: {said}.") from error
        if "failed" in answer:
            self.close()
            raise StepmarkError(answer["failed"])
        if answer["ready"] != VERSION:
            raise StepmarkError(f"the zygote speaks protocol {answer['ready']}; this is protocol {VERSION}.")
        self.torch, self.priority = answer["torch"], answer["priority"]

    def fork(self, case: Case) -> ForkedWorker:
        """Fork a worker for `case` and wait until it has made the training step.

        Raises:
            WorkerFailed: the levels of the case do not make a step; the reason says why.
            WorkerLost: the worker or the zygote is gone.
            StepmarkError: no zygote starts.
        """
        worker = self._fork({"case": dataclasses.asdict(case), "threads": self._plan.threads})
        try:
            made = worker.receive()
            worker.attributes, worker.once = made["made"], unpack(made["once"])
            worker.metrics = tuple(Metric(**described) for described in made["metrics"])
        except WorkerFailed:
            worker.end()
            raise
        return worker

    def survey(self, case: Case, name: str) -> tuple[Series, ...]:
        """What a survey (`suite.surveys`) finds of `case` in a worker of its own, which ends with it.

        Raises:
            WorkerFailed: the survey raised, or ran out of memory or time.
            WorkerLost: the worker or the zygote is gone.
            StepmarkError: no zygote starts.
        """
        order = {"case": dataclasses.asdict(case), "threads": self._plan.threads, "survey": name}
        worker = self._fork(order)
        try:
            return unpack(worker.receive()["surveyed"])
        finally:
            worker.end()

    def fork_follower(self, number: int) -> ForkedWorker:
        """Fork a worker that waits for the visit of that number and then does what rank 0's worker tells it; its first
        answer is whether there is such a visit.

        Raises:
            WorkerLost: the zygote is gone.
            StepmarkError: no zygote starts.
        """
        return self._fork(
            {"follow": number, "threads": self._plan.threads, "limit_s": math.ceil(self._plan.case_timeout)}
        )

    def _fork(self, order: dict[str, Any]) -> ForkedWorker:
        self.start()
        ours, theirs = socket.socketpair()
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the worker's `end`
        folder = scratch.folder()
        with theirs:
            try:
                fds = theirs.fileno(), stderr.fileno()
                pid = self._ask({"fork": {**order, "scratch": folder}}, fds)["forked"]
            except WorkerLost:
                ours.close()
                stderr.close()
                scratch.remove(folder)
                raise
        worker = ForkedWorker(self, pid, Link(ours), stderr, folder, self._plan.case_timeout)
        self._workers.append(worker)
        return worker

    def reap(self, pid: int) -> int | None:
        """End a worker and return its exit status; None where the zygote is gone, and the worker with it."""
        try:
            status: int = self._ask({"end": pid})["ended"]
        except WorkerLost:
            return None
        return status

    def forget(self, worker: ForkedWorker) -> None:
        """Take a worker that has ended off the books."""
        self._workers.remove(worker)

    def _ask(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> dict[str, Any]:
        if self._link is None:
            raise WorkerLost(ZYGOTE_LOST)
        try:
            self._link.send(message, fds)
            return self._link.receive(ZYGOTE_ANSWER_S)
        except (Closed, TimeoutError) as error:
            self.close()
            raise WorkerLost(ZYGOTE_LOST) from error

    def close(self) -> None:
        """End the zygote, and with it every worker. Harmless when nothing runs."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        for worker in list(self._workers):
            worker.end()


class ForkedWorker:
    """One worker of a `Launcher`, until `end`. `folder` is its folder for temporary files: it is ended by a signal and
    cannot take them away itself.
    """

    def __init__(
        self, launcher: Launcher, pid: int, link: Link, stderr: IO[bytes], folder: str, timeout_s: float
    ) -> None:
        self.attributes: dict[str, Any] = {}
        self.once: tuple[Series, ...] = ()
        self.metrics: tuple[Metric, ...] = ()
        self._launcher = launcher
        self._pid = pid
        self._link = link
        self._stderr = stderr
        self._folder = folder
        self._timeout_s = timeout_s
        self._ended = False

    def measure(self, *, seconds: float, steps_per_round: int, min_rounds: int) -> tuple[Series, ...]:
        """Ask for rounds; see `suite.recorder.record_rounds`.

        Raises:
            WorkerFailed: the case raised, diverged, ran out of memory or time.
            WorkerLost: the worker was ended from outside.
        """
        request = {"seconds": seconds, "steps_per_round": steps_per_round, "min_rounds": min_rounds}
        with contextlib.suppress(Closed):  # its last words, or its status, say why
            self._link.send({"measure": request})
        columns = self.receive()["rounds"]
        return tuple(Series(metric, tuple(values)) for metric, values in zip(self.metrics, columns, strict=True))

    @property
    def has_closed(self) -> bool:
        """Whether the worker has closed its link, as it does when it ends."""
        return self._ended or self._link.is_closed()

    def receive(self, *, within_limit: bool = True) -> dict[str, Any]:
        """The worker's next answer; raises as `measure` does, or waits for ever where no limit is set."""
        if self._ended:  # with the zygote, while others took their turns
            raise WorkerLost(ZYGOTE_LOST)
        try:
            answer = self._link.receive(self._timeout_s if within_limit else None)
        except TimeoutError as error:
            self.end()
            raise WorkerFailed(f"the worker gave no answer for {self._timeout_s:g} s and was ended") from error
        except Closed as error:
            raise self._lost() from error
        if "failed" in answer:
            raise WorkerFailed(answer["failed"])
        return answer

    def _lost(self) -> WorkerFailed:
        said = last_line(self._stderr)
        status = self._launcher.reap(self._pid)
        self.end()
        if status is None:
            return WorkerLost(ZYGOTE_LOST)
        if status == -signal.SIGKILL:
            return WorkerLost("the worker was killed by signal 9 (SIGKILL), from outside or for want of memory")
        how = f"signal {-status} ({signal.Signals(-status).name})" if status < 0 else f"exit status {status}"
        return WorkerFailed(f"the worker crashed with {how}" + (f": {said}" if said else ""))

    def end(self) -> None:
        """End the worker's process and its children. Harmless when it has ended."""
        if self._ended:
            return
        self._ended = True
        self._link.close()
        self._launcher.reap(self._pid)
        self._launcher.forget(self)
        self._stderr.close()
        scratch.remove(self._folder)


def last_line(stderr: IO[bytes]) -> str:
    """The last line that a process wrote to its standard error; empty where it wrote none."""
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_TAIL_BYTES))
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
