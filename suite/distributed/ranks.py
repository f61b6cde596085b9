"""Other processes that do the same work at the command of this one, forked from it or met over the network.

Two pipes lead to each, or a connection: commands of one byte go out, and what comes back is one byte for each `wait`,
or the reason of a failure. A peer reads its commands in order and writes at `wait` alone, so that neither side can
block the other however many commands are on their way. Imports no torch.
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

from suite.machine.process_lifetime import die_with_parent
from suite.records.failure_reason import one_line

DONE = b"."
RAISED = b"!"
WAIT = b"w"
REASON_BYTES = 2000
"""Of a peer's reason; a pipe takes that much at once (PIPE_BUF is 4096)."""
LEAVE_S = 5.0
"""Seconds for a peer to end by itself once it has no more commands."""
STATUS_S = 1.0
"""Seconds between a process's closing its pipes and the kernel's knowing its status; it takes some milliseconds."""
POLL_S = 0.002
CONNECTION_WORDS = ("gloo", "nccl", "Connection closed", "Connection reset", "Broken pipe")
"""In the text of an error: it tells of a connection between processes, and so of a fault at its other end."""

Actions = Mapping[bytes, Callable[[], object]]
"""What a peer does at each command."""


class RankFailed(RuntimeError):
    """Another rank raised, ended, or has other gradients; the text is the reason."""


def about_connection(error: BaseException | str) -> bool:
    """Whether an error is about a connection, and some other process's failure behind it."""
    return any(word.lower() in str(error).lower() for word in CONNECTION_WORDS)


@dataclass(slots=True)
class Peer:
    """Another process, by the descriptors that lead to it. Its reason is known once it has failed and said so."""

    rank: int
    commands: int
    answers: int
    reason: str = ""

    @property
    def fault(self) -> str:
        """Why it failed; empty where it has not."""
        return f"rank {self.rank} raised {self.reason}" if self.reason else self.loss

    @property
    def is_cause(self) -> bool:
        """Whether its failure is not, by its own words, that of some other process."""
        return bool(self.fault) and not about_connection(self.reason)

    @property
    def loss(self) -> str:
        """How it ended without a word; empty where it has not."""
        raise NotImplementedError

    def listen(self) -> bool:
        """Wait for its next answer; whether that was not a failure."""
        answer = self._read(1)
        if answer == RAISED:
            self.reason = self._read(REASON_BYTES).decode(errors="replace")
        elif not answer:
            self.lost()
        return answer == DONE

    def _read(self, most: int) -> bytes:
        try:
            return os.read(self.answers, most)
        except ConnectionResetError:
            return b""

    def lost(self) -> None:
        """Find out how it ended: it has closed its side."""
        raise NotImplementedError

    def dismiss(self, *, at_once: bool) -> None:
        """Send no more commands: it ends when it has done the last, or `at_once`."""
        raise NotImplementedError

    def end(self) -> None:
        """Wait for it after it was dismissed, and take back what leads to it."""
        raise NotImplementedError


@dataclass(slots=True)
class ForkedPeer(Peer):
    """One that was forked from this process; its status is known once it has ended."""

    pid: int = 0
    status: int | None = None

    @property
    def loss(self) -> str:
        """By its status."""
        if self.status is None or self.status == 0:
            return ""
        if self.status < 0:
            return f"rank {self.rank} was ended by signal {-self.status} ({signal.Signals(-self.status).name})"
        return f"rank {self.rank} ended with exit status {self.status}"

    def lost(self) -> None:
        """Take its status."""
        self.reap(STATUS_S)

    def dismiss(self, *, at_once: bool) -> None:
        """By closing the pipe, or by SIGKILL."""
        os.close(self.commands)
        if at_once and self.status is None:
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it where it does not end in time."""
        if not self.reap(LEAVE_S):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.answers)

    def reap(self, within_s: float) -> bool:
        """Take its status, if it ends in time."""
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
class MetPeer(Peer):
    """One that came over the network, from this node or another. What ended it is not known here."""

    gone: bool = False

    @property
    def loss(self) -> str:
        """That it is gone is all that is known."""
        return f"rank {self.rank} is gone: its connection was closed" if self.gone else ""

    def lost(self) -> None:
        """Remember it."""
        self.gone = True

    def dismiss(self, *, at_once: bool) -> None:  # noqa: ARG002 - it ends by itself where this side is closed
        """By closing this side of the connection."""
        with suppress(OSError), socket.socket(fileno=os.dup(self.commands)) as connection:
            connection.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """Wait until it has closed its side too."""
        while not self.gone and select.select([self.answers], [], [], LEAVE_S)[0]:
            self.gone = not self._read(REASON_BYTES)
        os.close(self.answers)


class Peers:
    """The other processes of a rank 0, from `fork` or `meet` to `dismiss` and `end`."""

    def __init__(self) -> None:
        self._peers: list[Peer] = []

    def fork(self, rank: int, work: Callable[[], AbstractContextManager[Actions]]) -> None:
        """Fork the peer of that rank: it enters `work` and does what it yields at each command, until none can come.

        Call it before anything has started a thread: a fork takes along no thread, but the locks that one held.
        """
        their_commands, commands = os.pipe()
        answers, their_answers = os.pipe()
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            die_with_parent(parent)
            for fd in (commands, answers, *(end for peer in self._peers for end in (peer.commands, peer.answers))):
                os.close(fd)
            self._peers.clear()
            serve(work, their_commands, their_answers)
        os.close(their_commands)
        os.close(their_answers)
        self._peers.append(ForkedPeer(rank, commands, answers, pid=pid))

    def meet(self, rank: int, connection: socket.socket) -> None:
        """Take in the peer of that rank at the other end of a connection, where it runs `serve`."""
        fd = connection.detach()
        self._peers.append(MetPeer(rank, fd, fd))

    def tell(self, command: bytes) -> None:
        """Send a command to all.

        Raises:
            RankFailed: one of them is gone.
        """
        for peer in self._peers:
            try:
                os.write(peer.commands, command)
            except (BrokenPipeError, ConnectionResetError):
                raise RankFailed(self.fault(STATUS_S)) from None

    def wait(self) -> None:
        """Return when all have done everything that they were told.

        Raises:
            RankFailed: one of them failed.
        """
        self.tell(WAIT)
        for peer in self._peers:
            if not peer.listen():
                raise RankFailed(self.fault())

    def fault(self, within_s: float = 0.0) -> str:
        """Why a peer has failed, the cause rather than those that it took along; empty where none fails in time."""
        deadline = monotonic() + within_s
        failed = [peer for peer in self._peers if peer.fault]
        while not any(peer.is_cause for peer in failed):
            quiet = {peer.answers: peer for peer in self._peers if peer not in failed}
            ready = select.select(list(quiet), [], [], max(0.0, deadline - monotonic()))[0] if quiet else []
            if not ready:
                break
            failed += [quiet[fd] for fd in ready if not quiet[fd].listen()]
        return next((peer.fault for peer in sorted(failed, key=lambda peer: not peer.is_cause)), "")

    def dismiss(self, *, at_once: bool) -> None:
        """Send no more commands: each peer ends when it has done the last, or `at_once`, where that can be done."""
        for peer in self._peers:
            peer.dismiss(at_once=at_once)

    def end(self) -> None:
        """Wait for peers that were dismissed, and kill what does not end."""
        for peer in self._peers:
            peer.end()
        self._peers.clear()


def serve(
    work: Callable[[], AbstractContextManager[Actions]], commands: int, answers: int, limit_s: int = 0
) -> NoReturn:
    """The life of a peer. An error goes back as a reason, and to standard error in full.

    Args:
        work: entered once; what it yields is done at each command.
        commands: the descriptor to read from.
        answers: the descriptor to write to.
        limit_s: whole seconds that entering, or one command, may take before the kernel ends this process; 0 for any. A
            peer that nobody here can kill has such a limit.
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
    except Exception as error:  # noqa: BLE001 - whatever it is, rank 0 says it
        traceback.print_exc()
        with suppress(OSError):  # rank 0 is gone, or is not listening any more
            os.write(answers, RAISED + one_line(error).encode(errors="replace")[:REASON_BYTES])
    finally:
        sys.stderr.flush()
        os._exit(status)
