"""The other ranks of a batch, commanded by rank 0: forked from it, or connected.

Two pipes or a connection lead to each. A command is one byte. A rank answers one byte at each `WAIT`, or the reason of
its failure. It reads its commands in order and writes at `WAIT` only, so that neither side can block the other, however
many commands are on their way. No torch at import.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import NoReturn

from suite.machine.child import fork_child
from suite.records.failure_reason import one_line

DONE = b"."
RAISED = b"!"
WAIT = b"w"
REASON_BYTES = 2000
"""Longest reason of a rank; a pipe takes that much at once (PIPE_BUF is 4096)."""
EXIT_S = 5.0
"""Seconds for a rank to end by itself after its last command."""
STATUS_S = 1.0
"""Seconds from the end of a process's pipes until the kernel reports its status; it takes some milliseconds."""
POLL_S = 0.002
CONNECTION_WORDS = ("gloo", "nccl", "Connection closed", "Connection reset", "Broken pipe")
"""Words in an error about a connection between processes, whose cause is a fault at the other end."""

Actions = Mapping[bytes, Callable[[], object]]
"""Command -> the rank's action."""


class RankFailed(RuntimeError):
    """Another rank raised, ended, or has different gradients; the text is the reason."""


def is_about_connection(error: BaseException | str) -> bool:
    """Whether an error is about a connection, so that its cause is another process."""
    return any(word.lower() in str(error).lower() for word in CONNECTION_WORDS)


@dataclass(slots=True)
class OtherRank:
    """Another rank, by the descriptors that lead to it.

    Attributes:
        rank: its number, from 1.
        commands: descriptor to write commands to.
        answers: descriptor to read answers from.
        reason: the error that it raised; empty until it has sent one.
    """

    rank: int
    commands: int
    answers: int
    reason: str = ""

    @property
    def fault(self) -> str:
        """Why it failed; empty if it has not."""
        return f"rank {self.rank} raised {self.reason}" if self.reason else self.loss

    @property
    def is_cause(self) -> bool:
        """Whether it failed first, rather than by losing its connection to another rank."""
        return bool(self.fault) and not is_about_connection(self.reason)

    @property
    def loss(self) -> str:
        """How it ended without a reason; empty if it has not ended so."""
        raise NotImplementedError

    def read_answer(self) -> bool:
        """Wait for its next answer; return whether that was no failure."""
        answer = self._read(1)
        if answer == RAISED:
            self.reason = self._read(REASON_BYTES).decode(errors="replace")
        elif not answer:
            self.note_end()
        return answer == DONE

    def _read(self, most: int) -> bytes:
        try:
            return os.read(self.answers, most)
        except ConnectionResetError:
            return b""

    def note_end(self) -> None:
        """Find out how it ended, after it has closed its side."""
        raise NotImplementedError

    def dismiss(self, *, at_once: bool) -> None:
        """Send no more commands: it ends after its last command, or `at_once`."""
        raise NotImplementedError

    def end(self) -> None:
        """Wait for its end after `dismiss`, and close the descriptors."""
        raise NotImplementedError


@dataclass(slots=True)
class ForkedRank(OtherRank):
    """A rank forked from this process; its status is known once it has ended."""

    pid: int = 0
    status: int | None = None

    @property
    def loss(self) -> str:
        """Its signal or exit status."""
        if self.status is None or self.status == 0:
            return ""
        if self.status < 0:
            return f"rank {self.rank} was killed by signal {-self.status} ({signal.Signals(-self.status).name})"
        return f"rank {self.rank} ended with exit status {self.status}"

    def note_end(self) -> None:
        """Read its status."""
        self.wait_for_status(STATUS_S)

    def dismiss(self, *, at_once: bool) -> None:
        """Close the pipe, or send SIGKILL."""
        os.close(self.commands)
        if at_once and self.status is None:
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Wait for its end, and kill it if it does not end in time."""
        if not self.wait_for_status(EXIT_S):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.answers)

    def wait_for_status(self, within_s: float) -> bool:
        """Wait for its status; return whether it ended in time."""
        deadline = monotonic() + within_s
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif monotonic() > deadline:
                return False
            else:
                sleep(POLL_S)
        return True


@dataclass(slots=True)
class RemoteRank(OtherRank):
    """A rank that connected over the network; the cause of its end is unknown here."""

    is_gone: bool = False

    @property
    def loss(self) -> str:
        """That its connection was closed."""
        return f"rank {self.rank} is gone: its connection was closed" if self.is_gone else ""

    def note_end(self) -> None:
        """Remember that its connection was closed."""
        self.is_gone = True

    def dismiss(self, *, at_once: bool) -> None:  # noqa: ARG002 - it ends by itself where this side is closed
        """Close this side of the connection."""
        with suppress(OSError), socket.socket(fileno=os.dup(self.commands)) as connection:
            connection.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """Wait until it has closed its side too."""
        while not self.is_gone and select.select([self.answers], [], [], EXIT_S)[0]:
            self.is_gone = not self._read(REASON_BYTES)
        os.close(self.answers)


class RankGroup:
    """The other ranks of rank 0, from `fork` or `add_remote` to `dismiss` and `end`."""

    def __init__(self) -> None:
        self._others: list[OtherRank] = []

    def fork(self, rank: int, work: Callable[[], AbstractContextManager[Actions]]) -> None:
        """Fork that rank: it enters `work` and runs the action of each command.

        Call it before this process starts a thread: a fork copies locks, but not the threads that would release them.
        """

        def serve(commands: int, answers: int) -> NoReturn:
            self._others.clear()  # they are rank 0's
            follow_commands(work, commands, answers)

        descriptors = [fd for other in self._others for fd in (other.commands, other.answers)]
        child = fork_child(serve, unwanted=descriptors)
        self._others.append(ForkedRank(rank, child.commands, child.answers, pid=child.pid))

    def add_remote(self, rank: int, connection: socket.socket) -> None:
        """Add that rank, which runs `follow_commands` at the other end of a connection."""
        fd = connection.detach()
        self._others.append(RemoteRank(rank, fd, fd))

    def send(self, command: bytes) -> None:
        """Send a command to all.

        Raises:
            RankFailed: one of them is gone.
        """
        for other in self._others:
            try:
                os.write(other.commands, command)
            except (BrokenPipeError, ConnectionResetError):
                raise RankFailed(self.find_fault(STATUS_S)) from None

    def wait(self, *, in_any_order: bool = False) -> None:
        """Return when all have finished every command.

        Args:
            in_any_order: whether a failure ends the wait before the other ranks answer. On devices they never do.

        Raises:
            RankFailed: one of them failed.
        """
        self.send(WAIT)
        waiting = {other.answers: other for other in self._others}
        while waiting:
            ready = select.select(list(waiting), [], [])[0] if in_any_order else list(waiting)
            for other in map(waiting.pop, ready):
                if not other.read_answer():
                    raise RankFailed(self.find_fault())

    def find_fault(self, within_s: float = 0.0) -> str:
        """Why a rank has failed: the cause, if it is known within that time.

        Other ranks lose their connections to one that failed. Their faults count only if no rank names another cause.
        Empty if none fails in time.
        """
        deadline = monotonic() + within_s
        failed = [other for other in self._others if other.fault]
        while not any(other.is_cause for other in failed):
            running = {other.answers: other for other in self._others if other not in failed}
            ready = select.select(list(running), [], [], max(0.0, deadline - monotonic()))[0] if running else []
            if not ready:
                break
            failed += [running[fd] for fd in ready if not running[fd].read_answer()]
        return next((other.fault for other in sorted(failed, key=lambda other: not other.is_cause)), "")

    def dismiss(self, *, at_once: bool) -> None:
        """Send no more commands: each ends after its last one, or `at_once` if possible."""
        for other in self._others:
            other.dismiss(at_once=at_once)

    def end(self) -> None:
        """Wait for ranks that were dismissed, and kill those that do not end."""
        for other in self._others:
            other.end()
        self._others.clear()


def follow_commands(
    work: Callable[[], AbstractContextManager[Actions]], commands: int, answers: int, limit_s: int = 0
) -> NoReturn:
    """Run the commands of rank 0 until it sends no more; the process ends here.

    An error goes to rank 0 as a reason, and to standard error in full.

    Args:
        work: entered once; it yields the action of each command.
        commands: the descriptor to read from.
        answers: the descriptor to write to.
        limit_s: whole seconds that entering, or one command, may take before the kernel ends this process; 0 for no
            limit. A rank that rank 0 cannot kill has such a limit.
    """
    status = 1
    try:
        signal.alarm(limit_s)
        with work() as actions:
            signal.alarm(0)
            while command := os.read(commands, 1):
                signal.alarm(limit_s)
                if command == WAIT:
                    actions[WAIT]()
                    os.write(answers, DONE)
                else:
                    actions[command]()
                signal.alarm(0)
        status = 0
    except Exception as error:  # noqa: BLE001 - rank 0 reports it, whatever it is
        traceback.print_exc()
        with suppress(OSError):  # rank 0 is gone, or no longer reads
            os.write(answers, RAISED + one_line(error).encode(errors="replace")[:REASON_BYTES])
    finally:
        sys.stderr.flush()
        os._exit(status)
