"""Images made before the first step: what the step costs when input costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING

from suite.records import NUM_CLASSES, Case
from suite.registry import INPUTS, InputSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BATCHES = 4
"""Different batches, in turn: one alone would stay in a cache that a training run never finds warm."""


class Synthetic:
    """Normally distributed images (N, 3, H, W) and uniform labels (N,), in turn from a fixed set on the device.

    Inside a step: nothing but taking the next pair. Outside: making it.

    Source: the synthetic mode of TorchBench and of the MLPerf training reference implementations.
    """

    def batches(self, case: Case, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (images, labels), the same for the same seed."""
        import torch

        generator = torch.Generator().manual_seed(case.seed)
        shape = (case.batch_size, 3, case.image_size, case.image_size)
        made = [
            (
                torch.randn(shape, generator=generator).to(device),
                torch.randint(NUM_CLASSES, (case.batch_size,), generator=generator).to(device),
            )
            for _ in range(BATCHES)
        ]
        return cycle(made)


INPUTS.add(InputSpec("synthetic", Synthetic, {"augmentation": "none"}))
