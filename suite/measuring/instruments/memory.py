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
from functools import partial
from typing import Any

import torch
from torch import Tensor

from suite.contracts.phase_hook import Phase
from suite.machine import process_memory
from suite.machine.cgroups import memory_peak
from suite.measuring.instruments.memory_meters import DeviceMemory, HostMemory, MemoryByPhase
from suite.measuring.instruments.op_counts import count_ops
from suite.measuring.modes import TrainingStep, make_step
from suite.measuring.step import Step
from suite.records import Case, Series
from suite.registry import EXECUTIONS, TUNINGS

MORE_STEPS = 3
"""Steps after the first before memory counts as steady, and steps over which the steady peak is read."""
WORKSPACES = "device_workspace_bytes"


def measure(case: Case) -> tuple[Series, ...]:
    """Measure the memory of a case's step, in a process that has measured nothing yet.

    No series of the host's memory if the kernel does not let a process reset its peak.
    """
    process_memory.return_freed_memory()
    execution = EXECUTIONS[case.execution].strategy()
    on_host = [MemoryByPhase(HostMemory())] if process_memory.reset_peak() else []
    devices = DeviceMemory(execution)
    on_devices = [MemoryByPhase(devices)] if execution.device_type() != "cpu" else []
    meters = [*on_host, *on_devices]
    with ExitStack() as stack:
        with entered(meter.until_made() for meter in meters):
            step = stack.enter_context(make_step(case, execution, hook=partial(wrap_phase, meters)))
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
        workspaces = [series for meter in on_devices for series in without_workspaces(meter, devices)]
        return (*(series for meter in meters for series in meter.series()), *workspaces, *sets, *least, *counts)


def without_workspaces(meter: MemoryByPhase, devices: DeviceMemory) -> tuple[Series, ...]:
    """Take workspaces out of the memory of steady steps; return their bytes.

    The step may not run afterwards. Earlier phases have as many workspaces as torch had made by then.
    """
    workspaces = devices.free_workspaces()
    meter.leave_out("steady", (workspaces, 0))
    meaning = "Workspaces of cuBLAS, which torch's allocator keeps; not in the memory in tensors of steady steps."
    return (Series.single(WORKSPACES, "B", workspaces, meaning),) if workspaces else ()


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
    forward saves for backward. Of a captured graph the last are unknown: a replay calls nothing that saves them.
    """
    saved = saved_series(step)
    state = optimizer_tensors(step) if isinstance(step, TrainingStep) else []
    gradients = [weights.grad for weights in step.network.parameters() if weights.grad is not None]
    held = [*step.network.parameters(), *step.network.buffers()]
    return (
        Series.single("parameter_bytes", "B", total_bytes(held), "Parameters and buffers of the network."),
        Series.single("gradient_bytes", "B", total_bytes(gradients), "Gradients of the parameters."),
        Series.single(
            "optimizer_state_bytes", "B", total_bytes(state), "State that the optimizer keeps for the parameters."
        ),
        *saved,
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


def saved_series(step: Step) -> tuple[Series, ...]:
    """Bytes that a forward saves for backward; no series if a graph replays the step."""
    if TUNINGS[step.case.tuning].attributes.get("graph"):
        step()
        return ()
    meaning = "Other tensors that forward saves for backward: activations, the batch."
    return (Series.single("saved_bytes", "B", saved_bytes(step), meaning),)


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
