"""Placement: device, memory format and share of the batches of one rank."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from suite.contracts.batches import Batch, each_tensor
from suite.contracts.phase_hook import PhaseHook

if TYPE_CHECKING:
    import torch

IMAGE_DIMENSIONS = 4
"""Dimensions of images (N, C, H, W), which have an order of dimensions in memory."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of a batch in memory, and the share of it that this rank trains on.

    Attributes:
        device: of the network's first layer, which takes inputs, and of its last one, which meets targets.
        memory_format: of images, (N, C, H, W) in either order of dimensions in memory; other tensors are contiguous.
        rank: this process among those that share a batch, from 0.
        ranks: processes that share a batch; 1 takes it whole.
        hook: wraps the phase `copy`; None in timed rounds of a step on the host, where there is nothing to copy.
    """

    device: torch.device
    memory_format: torch.memory_format
    rank: int = 0
    ranks: int = 1
    hook: PhaseHook | None = None

    @property
    def part(self) -> slice:
        """This rank's examples of a joint batch: every `ranks`-th, from `rank` on."""
        return slice(self.rank, None, self.ranks)

    def put(self, inputs: Any, targets: Any, *, non_blocking: bool = False) -> Batch:
        """Copy inputs and targets of n examples to the device.

        A tensor that is there in the right memory format is not copied. Every `ranks`-th example of a batch is not one
        block of memory. `Tensor.to` would leave it so, and each step would copy it.

        Args:
            inputs: such as images (n, 3, H, W); a tensor, or nested ones.
            targets: such as labels (n,); a tensor, or nested ones.
            non_blocking: return before the copy is done, if the memory is pinned and the device can.
        """
        copy = self.hook("copy", self._copy) if self.hook else self._copy
        placed: Batch = copy(inputs, targets, non_blocking)
        return placed

    def move(self, tensor: torch.Tensor, *, non_blocking: bool = False) -> torch.Tensor:
        """Copy a tensor to the device for a transform there; its memory format stays."""
        if self.device.type == "cpu":
            return tensor.to(self.device)
        to = partial(tensor.to, non_blocking=non_blocking)
        copy = self.hook("copy", to) if self.hook else to
        moved: torch.Tensor = copy(self.device)
        return moved

    def _copy(self, inputs: Any, targets: Any, non_blocking: bool) -> Batch:
        if getattr(inputs, "ndim", 0) == IMAGE_DIMENSIONS and getattr(targets, "ndim", 0) == 1:  # no call too many
            return (
                inputs.to(self.device, non_blocking=non_blocking).contiguous(memory_format=self.memory_format),
                targets.to(self.device, non_blocking=non_blocking).contiguous(),
            )
        place = partial(self._place, non_blocking)
        return each_tensor(place, inputs), each_tensor(place, targets)

    def _place(self, non_blocking: bool, value: Any) -> Any:
        moved = value.to(self.device, non_blocking=non_blocking)
        if not hasattr(moved, "contiguous"):  # a collection of tensors with a method `to`
            return moved
        if moved.dim() == IMAGE_DIMENSIONS:
            return moved.contiguous(memory_format=self.memory_format)
        return moved.contiguous()
