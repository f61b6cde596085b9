"""Clocks that see the end of a device's work. Importing this module imports no torch."""

from __future__ import annotations

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
