"""Clocks that wait for the end of a device's work. No torch at import."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Protocol


class Clock(Protocol):
    """A clock whose reading waits until the work given to the device is done."""

    def read_s(self) -> float:
        """Seconds since an arbitrary moment."""
        ...


class HostClock:
    """Wall time of the host, whose work is done when the call returns.

    Source: `time.perf_counter` (CLOCK_MONOTONIC on Linux; not stopped by sleep of the process).
    """

    def read_s(self) -> float:
        """Seconds since an arbitrary moment.

        The resolution is about 50 ns here. The cost of the reading is included in the round.
        """
        return perf_counter()


class WaitingClock:
    """Wall time of the host after devices or other ranks have finished.

    A reading waits for all work given out before it, so all of a round's work lies between its two readings. The clock
    waits once a round, not once a step.

    Args:
        wait: returns when all work given out is done.

    Source: PyTorch, "CUDA semantics", section "Asynchronous execution".
    """

    def __init__(self, wait: Callable[[], object]) -> None:
        self._wait = wait

    def read_s(self) -> float:
        """Seconds since an arbitrary moment."""
        self._wait()
        return perf_counter()
