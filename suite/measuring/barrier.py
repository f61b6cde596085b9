"""A barrier for two workers that are measured at the same time, before each round.

At the barrier they swap their cores. A disturbance of one core slows one worker in one round and the other in the next.
A disturbance of the machine slows both at once. The ratio of their times contains neither.

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
LOST = "the other worker of the pair has ended"
"""Also in the reasons of workers of older revisions, by which a gate recognises them."""


class PartnerLost(ConnectionError):
    """The other worker of the pair has ended or failed."""


class RoundBarrier:
    """One worker's end of the barrier; all cores are free to it when the context ends.

    Args:
        end: of a stream socket, of which the other worker has the other end; closed with the context.
        cores: numbers of the cores of this worker's first round, of its second, and so on in turns.
    """

    def __init__(self, end: socket.socket, cores: Sequence[Sequence[int]]) -> None:
        self._end = end
        self._cores = [set(numbers) for numbers in cores]
        self._allowed = set(allowed_cores())
        self._rounds = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.close()
        bind_all(self._allowed)

    def wait(self) -> None:
        """Before a round: take its cores and wait for the other worker.

        Raises:
            PartnerLost: it has ended.
        """
        bind_all(self._cores[self._rounds % len(self._cores)])
        self._rounds += 1
        try:
            self._end.sendall(READY)
            answer = self._end.recv(1)
        except OSError as error:
            raise PartnerLost(LOST) from error
        if not answer:
            raise PartnerLost(LOST)
