"""Memory of a step by phase, and the least that it needs.

make the step                                       phase "made"
run one step, with new peaks in each of its phases  phases of the first forward, backward and update
run some more                                       the least that a step needs
run some more, whole                                phase "steady"
run two, counting their operations                  allocations, reads of values
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from suite.contracts.phase_hook import Phase
from suite.machine import process_memory
from suite.machine.cgroups import memory_peak
from suite.measuring.instruments.op_counts import count_ops
from suite.measuring.modes import TrainingStep, make_step
from suite.measuring.step import Step
from suite.records import Case, Series
from suite.registry import EXECUTIONS

MORE_STEPS = 3
"""Steps after the first before memory counts as steady, and steps over which the steady peak is read."""
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

    def reset_peaks(self) -> tuple[int, ...]:
        """Reset the peaks; return the bytes now, one for each name."""
        process_memory.trim()
        process_memory.reset_peak()
        return (process_memory.resident_bytes(),)

    def peaks(self) -> tuple[int, ...]:
        """Most bytes since `reset_peaks`."""
        return (process_memory.peak_bytes(),)


class DeviceMemory:
    """Memory of all CUDA devices: in tensors, and held by torch's allocator.

    Source: PyTorch, "CUDA semantics", section "Memory management".
    """

    names = ("device_memory_allocated", "device_memory_reserved")
    meanings = ("memory of the CUDA devices in tensors", "memory of the CUDA devices that torch's allocator holds")

    def reset_peaks(self) -> tuple[int, ...]:
        """Reset the peaks; return the bytes now, one for each name."""
        torch.cuda.synchronize()
        for device in self._devices():
            torch.cuda.reset_peak_memory_stats(device)
        return sum(map(torch.cuda.memory_allocated, self._devices())), sum(
            map(torch.cuda.memory_reserved, self._devices())
        )

    def peaks(self) -> tuple[int, ...]:
        """Most bytes since `reset_peaks`."""
        torch.cuda.synchronize()
        return sum(map(torch.cuda.max_memory_allocated, self._devices())), sum(
            map(torch.cuda.max_memory_reserved, self._devices())
        )

    def _devices(self) -> range:
        return range(torch.cuda.device_count())


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
    def until_first_phase(self, phase: str) -> Iterator[None]:
        """A phase that ends at the first phase of a step."""
        before = self._memory.reset_peaks()
        self._first = lambda: self._end(phase, before)
        yield
        self._first()

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


def measure(case: Case) -> tuple[Series, ...]:
    """Measure the memory of a case's step, in a process that has measured nothing yet.

    No series if the kernel does not let a process reset its peak.
    """
    process_memory.return_freed_memory()
    if not process_memory.reset_peak():
        return ()
    on_devices = EXECUTIONS[case.execution].strategy().device_type() == "cuda"
    meters = [MemoryByPhase(HostMemory()), *([MemoryByPhase(DeviceMemory())] if on_devices else [])]
    with ExitStack() as stack:
        with entered(meter.until_first_phase("made") for meter in meters):
            step = stack.enter_context(make_step(case, hook=partial(wrap_phase, meters)))
        step()
        least = least_memory(step)
        for _ in range(MORE_STEPS):
            step()
        sets = other_sets()
        with entered(meter.within("steady") for meter in meters):
            for _ in range(MORE_STEPS):
                step()
        counts = count_ops(step)
        step.check()
        return (*(series for meter in meters for series in meter.series()), *sets, *least, *counts)


def wrap_phase(meters: list[MemoryByPhase], name: str, phase: Phase) -> Phase:
    """Wrap a phase so that all meters read its memory."""
    for meter in meters:
        phase = meter.wrap_phase(name, phase)
    return phase


@contextmanager
def entered(contexts: Iterable[AbstractContextManager[None]]) -> Iterator[None]:
    """Enter several contexts."""
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield


def other_sets() -> tuple[Series, ...]:
    """Proportional and unique set between two steps, and the control group's peak.

    Those that the kernel does not report are missing.
    """
    process_memory.trim()
    peak = memory_peak()
    meaning = "Most memory of this control group since it began, with all that ran in it and files that it read."
    grouped = (Series.single("group_memory_peak", "B", peak, meaning),) if peak is not None else ()
    with suppress(OSError, LookupError):
        return (
            *grouped,
            Series.single(
                "memory_proportional",
                "B",
                process_memory.proportional_bytes(),
                "Proportional set of the worker between two steps: a page counts as a part for each that shares it.",
            ),
            Series.single(
                "memory_unique",
                "B",
                process_memory.unique_bytes(),
                "Unique set of the worker between two steps: pages that no other process has.",
            ),
        )
    return grouped


def least_memory(step: Step) -> tuple[Series, ...]:
    """Bytes that a step cannot do without, on rank 0; runs one step.

    They are those of its parameters, buffers, gradients, optimizer state and batch, and of the activations that one
    forward saves for backward.
    """
    saved = saved_bytes(step)
    state = optimizer_tensors(step) if isinstance(step, TrainingStep) else []
    gradients = [weights.grad for weights in step.network.parameters() if weights.grad is not None]
    held = [*step.network.parameters(), *step.network.buffers()]
    return (
        Series.single("parameter_bytes", "B", total_bytes(held), "Parameters and buffers of the network."),
        Series.single("gradient_bytes", "B", total_bytes(gradients), "Gradients of the parameters."),
        Series.single(
            "optimizer_state_bytes", "B", total_bytes(state), "State that the optimizer keeps for the parameters."
        ),
        Series.single(
            "saved_bytes", "B", saved, "Other tensors that forward saves for backward: activations, the batch."
        ),
    )


def optimizer_tensors(step: TrainingStep) -> list[Tensor]:
    """Tensors in the states of a step's optimizers, in lists too."""
    states = [state for optimizer in step.optimizers for state in optimizer.state.values()]
    values: list[Any] = [value for state in states for value in state.values()]
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if isinstance(item, Tensor)]


def total_bytes(tensors: list[Tensor]) -> int:
    """Bytes of the storages under tensors; a shared storage counts once."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def saved_bytes(step: Step) -> int:
    """Bytes that a forward saves for backward, counted over one step."""
    own = {weights.untyped_storage().data_ptr() for weights in step.network.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    unpack: Callable[[Tensor], Tensor] = lambda tensor: tensor  # noqa: E731 - the other half of `pack`
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        step()
    return sum(saved.values())
