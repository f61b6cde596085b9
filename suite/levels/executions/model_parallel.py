"""The network split over two devices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from suite.contracts.batches import Batch, each_tensor, joined
from suite.levels.executions.cuda import Cuda
from suite.machine.cuda import cuda_devices
from suite.records import Case
from suite.registry import EXECUTIONS, TASKS, TUNINGS, ExecutionSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

DEVICES = 2
MICRO_BATCHES = 4
"""Micro-batches of a batch: the second device works on one while the first works on the next. With more of them devices
are idle for less of a step, but each kernel is smaller."""


class ModelParallel(Cuda):
    """The network split over two CUDA devices, with micro-batches.

    A unit is a child of the network, or a child of an nn.Sequential in its place. The first units are on one device,
    the rest on the other; the split is where the weights of both sides are closest to the same number of bytes. The
    inputs of a unit are moved to its device; a unit without weights works on the device of its input. Micro-batches are
    issued one after the other, and since devices work behind the host, they overlap. Logits go back to the first
    device, where the labels are. Batch statistics are those of a micro-batch, so the results of networks with batch
    normalisation differ from those on one device.

    Source: PyTorch tutorials, "Single-machine model parallel best practices", section "Speed up by pipelining inputs";
        Huang et al. 2019, "GPipe: efficient training of giant neural networks using pipeline parallelism".
    """

    wraps_network = True

    def __init__(self) -> None:
        self._bytes: list[int] = []

    @classmethod
    def refusal(cls, case: Case) -> str:
        """Too few devices, too few examples, or a tuning for one device."""
        if cuda_devices() < DEVICES:
            return f"{case.execution} needs {DEVICES} CUDA devices, and this machine has {cuda_devices() or 'none'}"
        return cls.misfit(case)

    @staticmethod
    def misfit(case: Case) -> str:
        """Reason why a case cannot be split on any machine; empty if it can."""
        if case.batch_size < MICRO_BATCHES:
            return (
                f"{case.execution} splits a batch into {MICRO_BATCHES} micro-batches, and {case.batch_size} "
                f"{TASKS[case.task].strategy.examples} are fewer"
            )
        if TUNINGS[case.tuning].attributes.get("graph"):
            return f"{case.tuning} captures one device, and {case.execution} uses {DEVICES}"
        return ""

    def devices(self) -> list[torch.device]:
        """The first two CUDA devices."""
        import torch

        return [torch.device(self.device_type(), index) for index in range(DEVICES)]

    def place(self, network: nn.Module) -> nn.Module:
        """Put the units on their devices, and feed the network in micro-batches.

        Raises:
            ValueError: it has fewer units with weights than there are devices.
        """
        devices = self.devices()
        network.to(devices[0])  # tensors that belong to no unit
        weighted = [unit for unit in units(network) if size_bytes(unit)]
        if len(weighted) < DEVICES:
            raise ValueError(f"a network of {len(weighted)} units with weights cannot be split over {DEVICES} devices")
        cut = balanced_cut([size_bytes(unit) for unit in weighted])
        for index, unit in enumerate(weighted):
            move_unit(unit, devices[index >= cut])
        self._bytes = [sum(map(size_bytes, side)) for side in (weighted[:cut], weighted[cut:])]
        return in_micro_batches(network, devices[0])

    def attributes(self) -> dict[str, Any]:
        """Bytes of each side, and the number of micro-batches."""
        first, second = self._bytes
        split = {"devices": DEVICES, "micro_batches": MICRO_BATCHES, "first_bytes": first, "second_bytes": second}
        return {**super().attributes(), **split}


def units(network: nn.Module) -> Iterator[nn.Module]:
    """Children in registration order, those of an nn.Sequential in its place."""
    from torch import nn

    for child in network.children():
        if isinstance(child, nn.Sequential):
            yield from units(child)
        else:
            yield child


def size_bytes(unit: nn.Module) -> int:
    """Bytes of a unit's parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*unit.parameters(), *unit.buffers()))


def balanced_cut(sizes: list[int]) -> int:
    """Number of sizes on the first side that makes the larger side smallest.

    Of at least two sizes; 1 to len(sizes) - 1.
    """
    total = sum(sizes)
    before = list(accumulate(sizes))
    return min(range(1, len(sizes)), key=lambda cut: max(before[cut - 1], total - before[cut - 1]))


def move_unit(unit: nn.Module, device: torch.device) -> None:
    """Move a unit to a device, and its inputs at every forward."""
    import torch

    def to_device(value: Any) -> Any:
        return value.to(device) if isinstance(value, torch.Tensor) else value

    unit.to(device)
    unit.register_forward_pre_hook(lambda _, inputs: tuple(map(to_device, inputs)))


def in_micro_batches(network: nn.Module, last: torch.device) -> nn.Module:
    """Wrap a network so that it takes inputs of N examples in micro-batches.

    It returns outputs of N examples on the device `last`.
    """
    import torch
    from torch import nn

    class MicroBatched(nn.Module):
        """Forward in micro-batches."""

        def __init__(self) -> None:
            super().__init__()
            self.whole = network

        def forward(self, *inputs: Any, **named: Any) -> Any:
            """Outputs of all examples, in their order."""
            outputs = [self.whole(*one, **others) for one, others in micro_batches((inputs, named))]
            return joined(outputs, lambda tensors: torch.cat(tensors).to(last))

    return MicroBatched().train(network.training)


def micro_batches(batch: Batch) -> Iterator[Batch]:
    """The micro-batches of nested tensors, each split along its first dimension."""
    pieces: list[Any] = []
    each_tensor(lambda tensor: pieces.append(tensor.tensor_split(MICRO_BATCHES)), batch)
    for place in range(MICRO_BATCHES):
        remaining = iter(pieces)
        micro: Batch = each_tensor(lambda _, remaining=remaining, place=place: next(remaining)[place], batch)  # type: ignore[misc]
        yield micro


EXECUTIONS.add(
    ExecutionSpec("model_parallel", ModelParallel, {"device": "cuda", "devices": DEVICES, "parallel": "layers"})
)
