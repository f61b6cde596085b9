"""Placement: device, memory format and share of the batches of one rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.contracts.phase_hook import PhaseHook

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of a batch in memory, and the share of it that this rank trains on.

    Attributes:
        device: of the network's first layer, which takes images, and of its last one, which meets labels.
        memory_format: of the images, (N, C, H, W) in either order of dimensions in memory.
        rank: this process among those that share a batch, from 0.
        ranks: processes that share a batch; 1 takes it whole.
        hook: wraps the phase `copy`; None in rounds that are timed.
    """

    device: torch.device
    memory_format: torch.memory_format
    rank: int = 0
    ranks: int = 1
    hook: PhaseHook | None = None

    @property
    def part(self) -> slice:
        """This rank's images of a joint batch: every `ranks`-th, from `rank` on."""
        return slice(self.rank, None, self.ranks)

    def put(self, images: Tensor, labels: Tensor, *, non_blocking: bool = False) -> tuple[Tensor, Tensor]:
        """Copy images (n, 3, H, W) and labels (n,) to the device.

        A tensor that is there in the right memory format is not copied. Every `ranks`-th image of a batch is not one
        block of memory. `Tensor.to` would leave it so, and each step would copy it.

        Args:
            images: (n, 3, H, W).
            labels: (n,).
            non_blocking: return before the copy is done, if the memory is pinned and the device can.
        """
        copy = self.hook("copy", self._copy) if self.hook else self._copy
        placed: tuple[Tensor, Tensor] = copy(images, labels, non_blocking)
        return placed

    def _copy(self, images: Tensor, labels: Tensor, non_blocking: bool) -> tuple[Tensor, Tensor]:
        return (
            images.to(self.device, non_blocking=non_blocking).contiguous(memory_format=self.memory_format),
            labels.to(self.device, non_blocking=non_blocking).contiguous(),
        )
