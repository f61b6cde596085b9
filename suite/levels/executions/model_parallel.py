"""The network split over two devices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from suite.levels.executions.cuda import Cuda
from suite.machine.cuda import cuda_devices
from suite.records import Case
from suite.registry import EXECUTIONS, TUNINGS, ExecutionSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

DEVICES = 2
MICRO_BATCHES = 4
"""Parts of a batch: the second device works on one while the first works on the next. More parts leave devices idle for
less of a step and make each kernel smaller."""


class ModelParallel(Cuda):
    """The first units of the network on one CUDA device and the rest on another, a batch passing in micro-batches.

    A unit is a child of the network, those of an nn.Sequential taken one by one; the split is where the weights of both
    sides are closest to the same number of bytes. What a unit takes is moved to its device; a unit without weights
    works wherever its input is. Micro-batches are issued one after the other, and since devices work behind
    the host, they overlap. Logits go back to the first device, where labels are. Batch statistics are those of a
    micro-batch, so that networks with batch normalisation do not compute what they compute on one device.

    Source: PyTorch tutorials, "Single-machine model parallel best practices", section "Speed up by pipelining inputs";
        Huang et al. 2019, "GPipe: efficient training of giant neural networks using pipeline parallelism".
    """

    def __init__(self) -> None:
        self._bytes: list[int] = []

    @classmethod
    def refusal(cls, case: Case) -> str:
        """Too few devices, too few images, or a tuning that wants one device."""
        if cuda_devices() < DEVICES:
            return f"{case.execution} needs {DEVICES} CUDA devices, and this machine has {cuda_devices() or 'none'}"
        return cls.misfit(case)

    @staticmethod
    def misfit(case: Case) -> str:
        """Why a case cannot be split, whatever the machine; empty where it can."""
        if case.batch_size < MICRO_BATCHES:
            return (
                f"{case.execution} splits a batch into {MICRO_BATCHES} micro-batches, and {case.batch_size} images are "
                "fewer"
            )
        if TUNINGS[case.tuning].attributes.get("graph"):
            return f"{case.tuning} captures one device, and {case.execution} uses {DEVICES}"
        return ""

    def devices(self) -> list[torch.device]:
        """The first two CUDA devices."""
        import torch

        return [torch.device("cuda", index) for index in range(DEVICES)]

    def place(self, network: nn.Module) -> nn.Module:
        """The network with its units on their devices, fed in micro-batches.

        Raises:
            ValueError: it has fewer units with weights than there are devices.
        """
        devices = self.devices()
        network.to(devices[0])  # what belongs to no unit
        weighted = [unit for unit in units(network) if size_bytes(unit)]
        if len(weighted) < DEVICES:
            raise ValueError(f"a network of {len(weighted)} units with weights cannot be split over {DEVICES} devices")
        cut = balanced_cut([size_bytes(unit) for unit in weighted])
        for index, unit in enumerate(weighted):
            settle(unit, devices[index >= cut])
        self._bytes = [sum(map(size_bytes, part)) for part in (weighted[:cut], weighted[cut:])]
        return in_micro_batches(network, devices[0])

    def attributes(self) -> dict[str, Any]:
        """How the network was split."""
        first, second = self._bytes
        split = {"devices": DEVICES, "micro_batches": MICRO_BATCHES, "first_bytes": first, "second_bytes": second}
        return {**super().attributes(), **split}


def units(network: nn.Module) -> Iterator[nn.Module]:
    """Children in the order in which they were registered, those of an nn.Sequential in its place."""
    from torch import nn

    for child in network.children():
        if isinstance(child, nn.Sequential):
            yield from units(child)
        else:
            yield child


def size_bytes(unit: nn.Module) -> int:
    """Bytes of a unit's parameters and buffers."""
    return sum(held.numel() * held.element_size() for held in (*unit.parameters(), *unit.buffers()))


def balanced_cut(sizes: list[int]) -> int:
    """How many of at least two sizes go first, so that the larger side is as small as can be; 1 to len(sizes) - 1."""
    total = sum(sizes)
    before = list(accumulate(sizes))
    return min(range(1, len(sizes)), key=lambda cut: max(before[cut - 1], total - before[cut - 1]))


def settle(unit: nn.Module, device: torch.device) -> None:
    """Move a unit to a device, and from now on its inputs with it."""
    import torch

    def moved(value: Any) -> Any:
        return value.to(device) if isinstance(value, torch.Tensor) else value

    unit.to(device)
    unit.register_forward_pre_hook(lambda _, inputs: tuple(map(moved, inputs)))


def in_micro_batches(network: nn.Module, last: torch.device) -> nn.Module:
    """A network that passes images (N, 3, H, W) part by part and returns logits (N, K) on the device `last`."""
    import torch
    from torch import nn

    class MicroBatched(nn.Module):
        """Forward in parts."""

        def __init__(self) -> None:
            super().__init__()
            self.whole = network

        def forward(self, images: Tensor) -> Tensor:
            """Logits of all images, in their order."""
            return torch.cat([self.whole(part) for part in images.tensor_split(MICRO_BATCHES)]).to(last)

    return MicroBatched().train(network.training)


EXECUTIONS.add(
    ExecutionSpec("model_parallel", ModelParallel, {"device": "cuda", "devices": DEVICES, "parallel": "layers"})
)
