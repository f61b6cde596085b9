"""What one step asks of torch, counted: memory of the allocators, values for the host.

The same code asks alike each time, whatever the machine does.
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
"""What torch's profiler calls an event of its allocators; what they give back has a negative number of bytes."""
READS = frozenset({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape})
"""What torch marks operators with that hand a value, or a number of elements, to the program: `.item()`, `float(loss)`,
`if loss > 1`, `weights[mask]`. Copies of whole tensors, as by `.cpu()`, are none of them."""
MASKS = frozenset({torch.bool, torch.uint8})
"""Types of indices that select elements; by those of other types it is known how many are taken."""
COUNT_OF_STEPS = "step"
"""Where torch's optimizers keep how many steps a parameter has taken: on the host, wherever the parameter is."""


def requests(step: Step) -> tuple[Series, ...]:
    """How often a step asks torch's allocators for memory, for how much in all, and how often it reads a value out of
    a tensor. A step is run for either; of ranks, those of rank 0.

    Source: PyTorch, `torch.autograd.profiler.profile`, `profile_memory`.
    """
    with profile(profile_memory=True) as profiled:
        step()
    events = profiled.kineto_results.events() if profiled.kineto_results else []
    asked = [event.nbytes() for event in events if event.name() == MEMORY_EVENT and event.nbytes() > 0]
    with HostReads(step.execution.device_type(), counts_of_steps(step)) as reads:
        step()
    return (
        Series.single("allocations", "count", len(asked), "Times that one step asks torch's allocators for memory."),
        Series.single(
            "allocated_bytes", "B", sum(asked), "Bytes that one step asks torch's allocators for, all in all."
        ),
        Series.single(
            "host_reads", "count", reads.number, "Times that one step reads a value of a tensor, as `.item()` does."
        ),
    )


class HostReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts reads for which the host waits until a device has done all that it was asked for. Where the step runs on
    the host they cost next to nothing, and are the same.

    Args:
        device: type of the devices whose tensors count: a step on a GPU does not wait for what the host has.
        besides: tensors that are on the host wherever the step runs.

    Source: PyTorch, "Performance Tuning Guide", section "Avoid unnecessary CPU-GPU synchronization".
    """

    def __init__(self, device: str, besides: Collection[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.number = 0
        self._device = device
        self._besides = {tensor.data_ptr() for tensor in besides}

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator, and count it where it reads."""
        if is_read(operator, arguments):
            self.number += self._waits_for(arguments[0])
        return operator(*arguments, **(named or {}))

    def _waits_for(self, tensor: Tensor) -> bool:
        return tensor.device.type == self._device and tensor.data_ptr() not in self._besides


def is_read(operator: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether an operator tells the program what only the values in its first argument tell."""
    if READS.isdisjoint(operator.tags):
        return False
    if operator.overloadpacket is not torch.ops.aten.index:
        return True
    return any(index is not None and index.dtype in MASKS for index in arguments[1])


def counts_of_steps(step: Step) -> list[Tensor]:
    """Tensors on the host in which a step's optimizer counts its steps."""
    if not isinstance(step, TrainingStep):
        return []
    counts = [state.get(COUNT_OF_STEPS) for state in step.optimizer.state.values()]
    return [tensor for tensor in counts if isinstance(tensor, Tensor) and tensor.device.type == "cpu"]
