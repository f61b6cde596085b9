"""Counts of one step's requests: memory of allocators, values for the host.

The same code gives the same counts each time, whatever the machine does.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.autograd.profiler import profile
from torch.utils._python_dispatch import TorchDispatchMode

from suite.measuring.modes import TrainingStep
from suite.measuring.step import Step
from suite.records import Series

MEMORY_EVENT = "[memory]"
"""Name of torch's profiler for an event of its allocators; freed memory is a negative number of bytes."""
SYNC_TAGS = frozenset({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape})
"""torch's tags of operators that hand a value, or a number of elements, to the program: `.item()`, `float(loss)`,
`if loss > 1`, `weights[mask]`. Copies of whole tensors, as by `.cpu()`, do not have them."""
MASKS = frozenset({torch.bool, torch.uint8})
"""Types of indices that select elements; with other types the number of selected elements is known beforehand."""
COUNT_OF_STEPS = "step"
"""Key of the steps that a parameter has taken, in the state of torch's optimizers: on the host, wherever the parameter
is."""


def count_ops(step: Step) -> tuple[Series, ...]:
    """Count a step's allocations, their bytes, and its reads of values.

    Runs one step for the allocations and one for the reads. Ranks: those of rank 0.

    Source: PyTorch, `torch.autograd.profiler.profile`, `profile_memory`.
    """
    with profile(profile_memory=True) as profiled:
        step()
    events = profiled.kineto_results.events() if profiled.kineto_results else []
    sizes = [event.nbytes() for event in events if event.name() == MEMORY_EVENT and event.nbytes() > 0]
    with HostSyncCounter(step.execution.device_type(), counts_of_steps(step)) as syncs:
        step()
    return (
        Series.single("allocations", "count", len(sizes), "Times that one step asks torch's allocators for memory."),
        Series.single(
            "allocated_bytes", "B", sum(sizes), "Bytes that one step asks torch's allocators for, all in all."
        ),
        Series.single(
            "host_reads", "count", syncs.number, "Times that one step reads a value of a tensor, as `.item()` does."
        ),
    )


class HostSyncCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations that would make the host wait for a device.

    If the step runs on the host they cost next to nothing, but there are as many.

    Args:
        device: type of the devices whose tensors count: a step on a GPU does not wait for the host's tensors.
        ignored: tensors that are on the host wherever the step runs.

    Source: PyTorch, "Performance Tuning Guide", section "Avoid unnecessary CPU-GPU synchronization".
    """

    def __init__(self, device: str, ignored: Collection[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.number = 0
        self._device = device
        self._ignored = {tensor.data_ptr() for tensor in ignored}

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator, and count it if it reads a value."""
        if reads_value(operator, arguments):
            self.number += self._waits_for(arguments[0])
        return operator(*arguments, **(named or {}))

    def _waits_for(self, tensor: Tensor) -> bool:
        return tensor.device.type == self._device and tensor.data_ptr() not in self._ignored


def reads_value(operator: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether an operator hands the program something that depends on values."""
    if SYNC_TAGS.isdisjoint(operator.tags):
        return False
    if operator.overloadpacket is not torch.ops.aten.index:
        return True
    return any(index is not None and index.dtype in MASKS for index in arguments[1])


def counts_of_steps(step: Step) -> list[Tensor]:
    """Tensors on the host in which a step's optimizers count their steps."""
    if not isinstance(step, TrainingStep):
        return []
    states = [state for optimizer in step.optimizers for state in optimizer.state.values()]
    counts = [state.get(COUNT_OF_STEPS) for state in states]
    return [tensor for tensor in counts if isinstance(tensor, Tensor) and tensor.device.type == "cpu"]
