"""Meters of memory: the host's and the devices', each by phase of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from suite.contracts.execution import Execution
from suite.contracts.phase_hook import Phase
from suite.machine import process_memory
from suite.records import Series

PHASES = {"forward": "first_forward", "backward": "first_backward", "update": "first_update"}
"""Phase of a step -> the phase of memory that its first occurrence is."""

PEAKS = {
    "made": "while network, optimizer and batches were made",
    "first_forward": "during the first forward",
    "first_backward": "during the first backward",
    "first_update": "during the optimizer's first step, in which it allocates its state",
    "steady": "during a step, once all that is kept from step to step is there",
}
"""Phase of memory -> when it is. Modules were imported before the first one."""


class HostMemory:
    """The resident set of this process, which must return freed memory at once.

    `process_memory.return_freed_memory` makes it do so.
    """

    names = ("memory",)
    meanings = ("resident set of the worker",)

    def first_reading(self) -> tuple[int, ...]:
        """As `reset_peaks`, before the step is made."""
        return self.reset_peaks()

    def reset_peaks(self) -> tuple[int, ...]:
        """Reset the peaks; return the bytes now, one for each name."""
        process_memory.trim()
        process_memory.reset_peak()
        return (process_memory.resident_bytes(),)

    def peaks(self) -> tuple[int, ...]:
        """Most bytes since `reset_peaks`."""
        return (process_memory.peak_bytes(),)


class DeviceMemory:
    """Memory on an execution's devices: in tensors, and held by torch's allocator.

    It is that of this process. Workspaces of cuBLAS are apart: torch takes them from the allocator at the first product
    on a stream, and keeps them. They may be many times a small network's memory.

    Args:
        execution: of the case.

    Source: PyTorch, "CUDA semantics", sections "Memory management" and "cuBLAS workspaces".
    """

    names = ("device_memory_allocated", "device_memory_reserved")
    meanings = ("memory of the devices in tensors", "memory of the devices that torch's allocator holds")

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def first_reading(self) -> tuple[int, ...]:
        """Zero: no device is open before the step is made.

        To ask a device would open it, and a process with a device open cannot fork ranks.
        """
        return (0,) * len(self.names)

    def reset_peaks(self) -> tuple[int, ...]:
        """Reset the peaks; return the bytes now, one for each name."""
        devices = self._devices()
        for device in devices:
            torch.accelerator.reset_peak_memory_stats(device)
        return (
            sum(map(torch.accelerator.memory_allocated, devices)),
            sum(map(torch.accelerator.memory_reserved, devices)),
        )

    def peaks(self) -> tuple[int, ...]:
        """Most bytes since `reset_peaks`."""
        devices = self._devices()
        return (
            sum(map(torch.accelerator.max_memory_allocated, devices)),
            sum(map(torch.accelerator.max_memory_reserved, devices)),
        )

    def free_workspaces(self) -> int:
        """Free the workspaces of cuBLAS; return their bytes.

        No captured graph may run afterwards: it would compute in freed memory. Other devices than CUDA's have none.
        """
        if self._execution.device_type() != "cuda":
            return 0
        before, _ = self.reset_peaks()
        torch._C._cuda_clearCublasWorkspaces()
        after, _ = self.reset_peaks()
        return before - after

    def _devices(self) -> list[torch.device]:
        self._execution.wait()
        return self._execution.devices()


@dataclass(frozen=True, slots=True)
class PhaseMemory:
    """Bytes at the beginning of a phase and most bytes within it, one for each name."""

    before: tuple[int, ...]
    peaks: tuple[int, ...]


class MemoryByPhase:
    """Reads the memory of each phase at its first occurrence."""

    def __init__(self, memory: HostMemory | DeviceMemory) -> None:
        self._memory = memory
        self._first: Callable[[], None] = lambda: None
        self._phases: dict[str, PhaseMemory] = {}

    @contextmanager
    def within(self, phase: str) -> Iterator[None]:
        """One phase; it ends at the beginning of another within it."""
        before = self._memory.reset_peaks()
        try:
            yield
        finally:
            self._end(phase, before)

    def _end(self, phase: str, before: tuple[int, ...]) -> None:
        self._phases.setdefault(phase, PhaseMemory(before, self._memory.peaks()))

    @contextmanager
    def until_made(self) -> Iterator[None]:
        """The phase `made`; it ends at the first phase of a step, or with the context."""
        before = self._memory.first_reading()
        self._first = lambda: self._end("made", before)
        yield
        self._first()

    def leave_out(self, phase: str, bytes_of: tuple[int, ...]) -> None:
        """Subtract bytes from a phase's readings, one for each name."""
        found = self._phases[phase]
        before, peaks = (
            tuple(value - left_out for value, left_out in zip(readings, bytes_of, strict=True))
            for readings in (found.before, found.peaks)
        )
        self._phases[phase] = PhaseMemory(before, peaks)

    def wrap_phase(self, name: str, phase: Phase) -> Phase:
        """Wrap a phase of a step so that its memory is read at its first occurrence."""
        of_memory = PHASES.get(name)
        if of_memory is None:
            return phase

        def measured(*arguments: Any) -> Any:
            if of_memory in self._phases:
                return phase(*arguments)
            self._first()
            with self.within(of_memory):
                return phase(*arguments)

        return measured

    def series(self) -> tuple[Series, ...]:
        """Bytes before each phase and peaks within it, in the order of the phases."""
        return tuple(
            series
            for place, (name, meaning) in enumerate(zip(self._memory.names, self._memory.meanings, strict=True))
            for phase in PEAKS
            if phase in self._phases
            for series in (
                Series.single(
                    f"{name}_before_{phase}",
                    "B",
                    self._phases[phase].before[place],
                    f"The {meaning}, before: {PEAKS[phase]}.",
                ),
                Series.single(
                    f"{name}_peak_{phase}", "B", self._phases[phase].peaks[place], f"Most {meaning} {PEAKS[phase]}."
                ),
            )
        )
