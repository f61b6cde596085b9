"""Where batches go, and which part of each: what an input pipeline has to know of execution and tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a batch lies in memory, and whose part of it this process trains on.

    Attributes:
        device: where the network's first layer expects images, and its last one labels.
        memory_format: of the images, (N, C, H, W) in either order of dimensions in memory.
        rank: this process among those that share a batch, from 0.
        ranks: processes that share a batch; 1 takes it whole.
        watch: what a survey puts around copying, by the name of that part; None where nobody looks.
    """

    device: torch.device
    memory_format: torch.memory_format
    rank: int = 0
    ranks: int = 1
    watch: Callable[[str, Callable[..., Any]], Callable[..., Any]] | None = None

    @property
    def part(self) -> slice:
        """This process's images of a joint batch: every `ranks`-th, from `rank` on."""
        return slice(self.rank, None, self.ranks)

    def put(self, images: Tensor, labels: Tensor, *, non_blocking: bool = False) -> tuple[Tensor, Tensor]:
        """Images (n, 3, H, W) and labels (n,) on the device; a tensor that lies right already is not copied.

        With `non_blocking` it returns before the copy is done, where the memory is pinned and the device can. Every
        `ranks`-th image of a batch is not one block of memory, which `Tensor.to` would leave so: a step would copy.
        """
        copy = self.watch("copy", self._copy) if self.watch else self._copy
        placed: tuple[Tensor, Tensor] = copy(images, labels, non_blocking)
        return placed

    def _copy(self, images: Tensor, labels: Tensor, non_blocking: bool) -> tuple[Tensor, Tensor]:
        return (
            images.to(self.device, non_blocking=non_blocking).contiguous(memory_format=self.memory_format),
            labels.to(self.device, non_blocking=non_blocking).contiguous(),
        )
