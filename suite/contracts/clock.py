"""Clocks that see the end of a device's work. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Protocol


class Clock(Protocol):
    """A reading waits until the work given to the device is done."""

    def read_s(self) -> float:
        """Seconds since an arbitrary moment."""
        ...


class HostClock:
    """Wall time of the host; the host's work is done when the call returns.

    Source: `time.perf_counter` (CLOCK_MONOTONIC on Linux; not stopped by sleep of the process).
    """

    def read_s(self) -> float:
        """Seconds since an arbitrary moment; resolution about 50 ns here, cost included in the round."""
        return perf_counter()


class WaitingClock:
    """Wall time of the host once others have finished: devices that work behind it, or processes beside it.

    Between two readings lies all the work that was given out between them, since each reading waits for the rest of
    it; one wait for each round, not for each step.

    Args:
        wait: returns when everything that was given out is done.

    Source: PyTorch, "CUDA semantics", section "Asynchronous execution".
    """

    def __init__(self, wait: Callable[[], object]) -> None:
        self._wait = wait

    def read_s(self) -> float:
        """Seconds since an arbitrary moment."""
        self._wait()
        return perf_counter()
