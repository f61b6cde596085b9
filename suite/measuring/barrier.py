"""Two workers measured at the same time: they wait for each other before every round, and swap their cores.

What slows one core for a moment slows one worker in one round and the other in the next; what slows the machine slows
both at once. A ratio of their times knows neither.

before each round:
    take the cores of this round
    say "ready" to the other; wait until it is ready too

Source: Bulej et al. 2019, "Duet benchmarking: improving measurement accuracy in the cloud", for measuring both at once.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from suite.machine.affinity import allowed_cores, bind_all

READY = b"."


class OtherGone(ConnectionError):
    """The other worker has ended or failed: what this one measured alone would not be of both."""


class Meeting:
    """One of two workers' end of their meetings; all cores are free to it again when the context ends.

    Args:
        end: of a stream socket, of which the other worker has the other end; closed with the context.
        cores: numbers of the cores of this worker's first round, and of its second, and so on in turns.
    """

    def __init__(self, end: socket.socket, cores: Sequence[Sequence[int]]) -> None:
        self._end = end
        self._cores = [set(one) for one in cores]
        self._allowed = set(allowed_cores())
        self._rounds = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.close()
        bind_all(self._allowed)

    def meet(self) -> None:
        """Before a round: take its cores and wait for the other.

        Raises:
            OtherGone: it has ended.
        """
        bind_all(self._cores[self._rounds % len(self._cores)])
        self._rounds += 1
        try:
            self._end.sendall(READY)
            answered = self._end.recv(1)
        except OSError as error:
            raise OtherGone("the other worker of the pair has ended") from error
        if not answered:
            raise OtherGone("the other worker of the pair has ended")
