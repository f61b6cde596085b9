"""How much memory a step takes, phase by phase, and how much it could not do without.

make the step                                     phase "made"
run one step, the peak begun anew in each part    phases of the first forward, backward and update
run some more                                     what a step cannot do without
run some more, whole                              phase "steady"
run two, all that they ask of torch counted       allocations, reads of values
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
from suite.measuring.instruments.op_counts import requests
from suite.measuring.modes import TrainingStep, make_step
from suite.measuring.step import Step
from suite.records import Case, Series
from suite.registry import EXECUTIONS

MORE_STEPS = 3
"""Steps after the first before memory counts as steady, and steps over which the steady peak is taken."""
PHASES = {"forward": "first_forward", "backward": "first_backward", "update": "first_update"}
"""Part of a step -> the phase that its first run is."""

PEAKS = {
    "made": "while network, optimizer and batches were made",
    "first_forward": "during the first forward",
    "first_backward": "during the first backward",
    "first_update": "during the optimizer's first step, in which it allocates its state",
    "steady": "during a step, once all that is kept from step to step is there",
}
"""Phase -> when it is. Before the first one stands what is imported."""


class HostMemory:
    """The resident set of this process, which must give freed memory back at once (`give_back_at_once`)."""

    names = ("memory",)
    meanings = ("resident set of the worker",)

    def begin(self) -> tuple[int, ...]:
        """Let the peaks begin anew; bytes now, one for each name."""
        process_memory.trim()
        process_memory.reset_peak()
        return (process_memory.resident_bytes(),)

    def peaks(self) -> tuple[int, ...]:
        """Most bytes since `begin`."""
        return (process_memory.peak_bytes(),)


class DeviceMemory:
    """What torch's allocator has handed out, and what it holds of the CUDA devices for that, all devices together.

    Source: PyTorch, "CUDA semantics", section "Memory management".
    """

    names = ("device_memory_allocated", "device_memory_reserved")
    meanings = ("memory of the CUDA devices in tensors", "memory of the CUDA devices that torch's allocator holds")

    def begin(self) -> tuple[int, ...]:
        """Let the peaks begin anew; bytes now, one for each name."""
        torch.cuda.synchronize()
        for device in self._devices():
            torch.cuda.reset_peak_memory_stats(device)
        return sum(map(torch.cuda.memory_allocated, self._devices())), sum(
            map(torch.cuda.memory_reserved, self._devices())
        )

    def peaks(self) -> tuple[int, ...]:
        """Most bytes since `begin`."""
        torch.cuda.synchronize()
        return sum(map(torch.cuda.max_memory_allocated, self._devices())), sum(
            map(torch.cuda.max_memory_reserved, self._devices())
        )

    def _devices(self) -> range:
        return range(torch.cuda.device_count())


@dataclass(frozen=True, slots=True)
class PhaseMemory:
    """Bytes at the beginning of a phase, and most bytes within it, one for each name of what was read."""

    before: tuple[int, ...]
    peaks: tuple[int, ...]


class MemoryByPhase:
    """Reads the memory of each phase at its first occurrence. `watch` goes around the parts of a step."""

    def __init__(self, memory: HostMemory | DeviceMemory) -> None:
        self._memory = memory
        self._first: Callable[[], None] = lambda: None
        self._found: dict[str, PhaseMemory] = {}

    @contextmanager
    def within(self, phase: str) -> Iterator[None]:
        """One phase; it ends where another begins within it."""
        before = self._memory.begin()
        try:
            yield
        finally:
            self._end(phase, before)

    def _end(self, phase: str, before: tuple[int, ...]) -> None:
        self._found.setdefault(phase, PhaseMemory(before, self._memory.peaks()))

    @contextmanager
    def until_first_part(self, phase: str) -> Iterator[None]:
        """A phase that ends where the first part of a step runs."""
        before = self._memory.begin()
        self._first = lambda: self._end(phase, before)
        yield
        self._first()

    def watch(self, part: str, call: Phase) -> Phase:
        """The part, with its phase taken where it is the first of its name."""
        phase = PHASES.get(part)
        if phase is None:
            return call

        def watched(*arguments: Any) -> Any:
            if phase in self._found:
                return call(*arguments)
            self._first()
            with self.within(phase):
                return call(*arguments)

        return watched

    def series(self) -> tuple[Series, ...]:
        """What was found, in the order of the phases."""
        return tuple(
            one
            for place, (name, what) in enumerate(zip(self._memory.names, self._memory.meanings, strict=True))
            for phase in PEAKS
            if phase in self._found
            for one in (
                Series.single(
                    f"{name}_before_{phase}",
                    "B",
                    self._found[phase].before[place],
                    f"The {what}, before: {PEAKS[phase]}.",
                ),
                Series.single(
                    f"{name}_peak_{phase}", "B", self._found[phase].peaks[place], f"Most {what} {PEAKS[phase]}."
                ),
            )
        )


def survey(case: Case) -> tuple[Series, ...]:
    """The memory of a case's step in this process, which must have measured nothing yet; nothing where the kernel does
    not let a process begin its peak anew.
    """
    process_memory.give_back_at_once()
    if not process_memory.reset_peak():
        return ()
    on_devices = EXECUTIONS[case.execution].strategy().device_type() == "cuda"
    looking = [MemoryByPhase(HostMemory()), *([MemoryByPhase(DeviceMemory())] if on_devices else [])]
    with ExitStack() as stack:
        with all_of(each.until_first_part("made") for each in looking):
            step = stack.enter_context(make_step(case, hook=partial(watched_by, looking)))
        step()
        bound = lower_bound(step)
        for _ in range(MORE_STEPS):
            step()
        sets = other_sets()
        with all_of(each.within("steady") for each in looking):
            for _ in range(MORE_STEPS):
                step()
        asked = requests(step)
        step.check()
        return (*(one for each in looking for one in each.series()), *sets, *bound, *asked)


def watched_by(looking: list[MemoryByPhase], part: str, call: Phase) -> Phase:
    """A part with all that look at it around it."""
    for each in looking:
        call = each.watch(part, call)
    return call


@contextmanager
def all_of(contexts: Iterable[AbstractContextManager[None]]) -> Iterator[None]:
    """All of them at once."""
    with ExitStack() as stack:
        for one in contexts:
            stack.enter_context(one)
        yield


def other_sets() -> tuple[Series, ...]:
    """How much of the resident set is this process's alone, between two steps, and the peak of its control group;
    nothing where the kernel is silent.
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


def lower_bound(step: Step) -> tuple[Series, ...]:
    """What a step cannot do without: bytes of its parameters, buffers, gradients, optimizer state and batch, and of
    what one forward saves for backward. A step is run for it. Of ranks, those of rank 0.
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
            "saved_bytes", "B", saved, "What forward saves for backward beside parameters: activations, the batch."
        ),
    )


def optimizer_tensors(step: TrainingStep) -> list[Tensor]:
    """Tensors in the state of a step's optimizer, in lists too."""
    values: list[Any] = [value for state in step.optimizer.state.values() for value in state.values()]
    return [one for value in values for one in (value if isinstance(value, list) else [value]) if is_tensor(one)]


def is_tensor(value: object) -> bool:
    """Whether a value is a tensor."""
    return isinstance(value, Tensor)


def total_bytes(tensors: list[Tensor]) -> int:
    """Bytes of memory under tensors; what several of them share counts once."""
    return sum({under.data_ptr(): under.nbytes() for under in (one.untyped_storage() for one in tensors)}.values())


def saved_bytes(step: Step) -> int:
    """Bytes that a forward saves for backward, found by running one step."""
    own = {weights.untyped_storage().data_ptr() for weights in step.network.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        under = tensor.untyped_storage()
        if under.data_ptr() not in own:
            saved[under.data_ptr()] = under.nbytes()
        return tensor

    unpack: Callable[[Tensor], Tensor] = lambda tensor: tensor  # noqa: E731 - the other half of `pack`
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        step()
    return sum(saved.values())
