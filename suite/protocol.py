"""Messages between controller and workers: JSON lines over a stream socket.

Version 4. To the zygote: `fork` (with two file descriptors: the worker's socket and its standard error), `end`. From
it: `ready`, `forked`, `ended`. To a worker: `measure`, and also `together` where two workers are measured at the
same time (with a file descriptor: its end of a socket to the other). From it: `made` (with the metrics of its
rounds, described once), `rounds` (a list of values for each metric), or `failed`. From a worker forked for a survey:
`surveyed` (series), or `failed`. From a worker on another rank of torchrun's, which rank 0's worker commands
(suite.distributed.ranks): `attends`.
"""

from __future__ import annotations

import json
import select
import socket
from dataclasses import dataclass, field
from typing import Any

from suite.records import Metric, Series

VERSION = 4
READ_BYTES = 1 << 16

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """The zygote has imported torch.

    Attributes:
        torch: facts about torch.
        priority: of the zygote, as nice values.
        allocator: in effect; None where the zygote is of a revision that does not say it.
        not_loaded: plug-ins that do not import, with the reason; only if asked for.
        levels: all registered levels, by factor; None if not asked for, or of a revision that does not say it.
    """

    torch: dict[str, Any]
    priority: dict[str, int | None]
    allocator: str | None = None
    not_loaded: dict[str, str] = field(default_factory=dict)
    levels: dict[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Forked:
    """The zygote has forked a worker; `forked` is its process id."""

    forked: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The zygote has ended a worker.

    `ended` is the worker's exit status, negative for a signal.
    """

    ended: int


@dataclass(frozen=True, slots=True)
class Made:
    """A worker has made its step.

    Attributes:
        made: facts about the step.
        once: series with one value a visit.
        metrics: of the columns of its rounds.
    """

    made: dict[str, Any]
    once: tuple[Series, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A worker has measured; `rounds` is a column of values for each metric."""

    rounds: tuple[tuple[int | float, ...], ...]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """An instrument has measured; `surveyed` is its series."""

    surveyed: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Attends:
    """Whether a worker on another rank takes part in the visit it waited for.

    It does not where the run is over.
    """

    attends: bool


class Closed(ConnectionError):
    """The other side is gone."""


class Link:
    """One end of a stream of messages."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._read = bytearray()

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Send a message, with file descriptors where there are some.

        Raises:
            Closed: the other side is gone.
            ValueError: the message holds a number that is not finite, which a record could not keep.
        """
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        try:
            sent = socket.send_fds(self._socket, [line], list(fds)) if fds else 0
            self._socket.sendall(line[sent:])
        except OSError as error:
            raise Closed(str(error)) from error

    def receive(self, timeout_s: float | None = None) -> Message:
        """Wait for the next message.

        Args:
            timeout_s: seconds without a byte after which to give up; None waits for ever.

        Raises:
            Closed: the other side is gone.
            TimeoutError: nothing came in time.
        """
        return self.receive_fds(0, timeout_s)[0]

    def receive_fds(self, count: int, timeout_s: float | None = None) -> tuple[Message, list[int]]:
        """Wait for the next message and up to `count` file descriptors with it.

        Raises as `receive` does.
        """
        fds: list[int] = []
        while b"\n" not in self._read:
            try:
                self._socket.settimeout(timeout_s)
                piece, received, _, _ = socket.recv_fds(self._socket, READ_BYTES, count)
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed(str(error)) from error
            if not piece:
                raise Closed("end of stream")
            fds += received
            self._read += piece
        line, _, rest = self._read.partition(b"\n")
        self._read = bytearray(rest)
        message: Message = json.loads(line)
        return message, fds

    def is_closed(self) -> bool:
        """Whether the other side is gone and all that it sent was received."""
        readable = bool(select.select([self._socket], [], [], 0.0)[0])
        return readable and not self._read and not self._socket.recv(1, socket.MSG_PEEK)

    def close(self) -> None:
        """Close this end; the other side reads the end of the stream."""
        self._socket.close()
