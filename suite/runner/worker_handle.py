"""One worker as the controller sees it. Imports no torch."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from dataclasses import dataclass
from typing import IO, Any, Protocol, TypeVar

from suite.machine import cgroups, temp_dirs
from suite.protocol import Closed, Link, Made, Measured, Surveyed
from suite.records import Metric, Rounds, Series
from suite.records.decoding import WrongValue, convert_known
from suite.units import text

ZYGOTE_LOST = "the zygote that forks the workers was killed"
STDERR_TAIL_BYTES = 2000
"""Of a dead worker's standard error, what is read to find the reason."""

ENDED_FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals by which somebody ends processes, often all of a job at once; a step does not end itself by one."""
T = TypeVar("T")


class WorkerFailed(Exception):
    """The case raised, ran out of memory, diverged or hung.

    The text is the reason.
    """


class WorkerLost(WorkerFailed):
    """The worker is gone, perhaps not by the case's fault.

    The visit may be repeated.
    """


class WorkerOwner(Protocol):
    """Forks and ends a worker; see `suite.runner.launcher.Launcher`."""

    def reap(self, pid: int) -> int | None:
        """End a worker and return its exit status; None where nobody knows it."""
        ...

    def forget(self, worker: WorkerHandle) -> None:
        """Take a worker that has ended off the books."""
        ...


@dataclass(frozen=True, slots=True)
class BarrierEnd:
    """One end of a barrier of two workers (`suite.measuring.barrier`).

    Attributes:
        end: its end of a socket to the other.
        cores: numbers of the cores of its first round, its second, and so on in turns.
    """

    end: socket.socket
    cores: tuple[tuple[int, ...], ...]


class WorkerHandle:
    """One worker of a `Launcher`, until `end`.

    Args:
        launcher: has forked the worker, and ends it.
        pid: of the worker.
        link: to the worker.
        stderr: file to which the worker writes its standard error.
        folder: for the worker's temporary files, which a signal leaves behind.
        timeout_s: seconds that one answer may take.
    """

    def __init__(
        self, launcher: WorkerOwner, pid: int, link: Link, stderr: IO[bytes], folder: str, timeout_s: float
    ) -> None:
        self.attributes: dict[str, Any] = {}
        self.visit_series: tuple[Series, ...] = ()
        self.metrics: tuple[Metric, ...] = ()
        self._launcher = launcher
        self._pid = pid
        self._link = link
        self._stderr = stderr
        self._folder = folder
        self._timeout_s = timeout_s
        self._ended = False
        self._oom_kills = cgroups.oom_kills()

    def wait_ready(self) -> None:
        """Wait until the worker has made its step, or end it.

        Raises:
            WorkerFailed, WorkerLost: as `Launcher.fork` does.
        """
        try:
            made = self.receive(Made)
        except WorkerFailed:
            self.end()
            raise
        self.attributes, self.visit_series, self.metrics = made.made, made.once, made.metrics

    def measure(self, *, seconds: float, steps_per_round: int, min_rounds: int) -> Rounds:
        """Ask for rounds; see `suite.measuring.recorder.record_rounds`.

        Raises:
            WorkerFailed: the case raised, diverged, ran out of memory or time.
            WorkerLost: the worker was killed.
        """
        self.ask(seconds=seconds, steps_per_round=steps_per_round, min_rounds=min_rounds)
        return self.rounds()

    def ask(self, *, seconds: float, steps_per_round: int, min_rounds: int, barrier: BarrierEnd | None = None) -> None:
        """Ask for rounds, which `rounds` waits for.

        The arguments are those of `recorder.record_rounds`, and this worker's part where another one measures at
        the same time.
        """
        request: dict[str, Any] = {
            "measure": {"seconds": seconds, "steps_per_round": steps_per_round, "min_rounds": min_rounds}
        }
        fds: tuple[int, ...] = ()
        if barrier is not None:
            request["together"], fds = barrier.cores, (barrier.end.fileno(),)
        with contextlib.suppress(Closed):  # its last words, or its status, say why
            self._link.send(request, fds)

    def rounds(self) -> Rounds:
        """The rounds that were asked for; raises as `measure` does."""
        columns = self.receive(Measured).rounds
        if len(columns) != len(self.metrics) or len({len(values) for values in columns}) != 1:
            raise self._misread(f"its columns have {sorted(map(len, columns))} rounds for {len(self.metrics)} metrics.")
        return Rounds(tuple(Series(metric, values) for metric, values in zip(self.metrics, columns, strict=True)))

    def instrument_series(self) -> tuple[Series, ...]:
        """The series of an instrument; raises as `measure` does."""
        return self.receive(Surveyed).surveyed

    @property
    def has_closed(self) -> bool:
        """Whether the worker has closed its link, as it does when it ends."""
        return self._ended or self._link.is_closed()

    def receive(self, kind: type[T], *, within_limit: bool = True) -> T:
        """The worker's next answer; raises as `measure` does.

        Args:
            kind: of answer, a class of `suite.protocol`.
            within_limit: whether to end a worker that takes longer than its time limit.
        """
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
            raise WorkerFailed(str(answer["failed"]))
        try:
            return convert_known(kind, answer, "it")
        except WrongValue as error:
            raise self._misread(str(error)) from error

    def _misread(self, why: str) -> WorkerFailed:
        self.end()
        return WorkerFailed(f"the worker's answer cannot be read: {why.rstrip('.')}")

    def _lost(self) -> WorkerFailed:
        said = last_line(self._stderr)
        status = self._launcher.reap(self._pid)
        self.end()
        if status is None:
            return WorkerLost(ZYGOTE_LOST)
        if status == -signal.SIGKILL:
            return WorkerLost(f"the worker was killed by signal 9 (SIGKILL), {self._why_killed()}")
        if -status in ENDED_FROM_OUTSIDE:
            return WorkerLost(f"the worker was ended by signal {-status} ({signal.Signals(-status).name})")
        how = f"signal {-status} ({signal.Signals(-status).name})" if status < 0 else f"exit status {status}"
        return WorkerFailed(f"the worker crashed with {how}" + (f": {said}" if said else ""))

    def _why_killed(self) -> str:
        """Why the worker was killed, as far as the kernel says it.

        It counts kills in this process's group. A worker in a container is in another one.
        """
        before, after = self._oom_kills, cgroups.oom_kills()
        if before is None or after is None or after == before:
            return "from outside or for want of memory"
        limit = cgroups.memory_limit()
        return "by the kernel for want of memory" + (f": the limit is {text(limit, 'B')}" if limit else "")

    def end(self) -> None:
        """End the worker's process and its children. Harmless when it has ended."""
        if self._ended:
            return
        self._ended = True
        self._link.close()
        self._launcher.reap(self._pid)
        self._launcher.forget(self)
        self._stderr.close()
        temp_dirs.remove(self._folder)


def last_line(stderr: IO[bytes]) -> str:
    """The last line of a process's standard error; empty without one."""
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_TAIL_BYTES))
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
