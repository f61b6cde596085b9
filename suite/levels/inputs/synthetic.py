"""Images made before the first step: the cost of the step without input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING

from suite.contracts.input_pipeline import InputPipeline
from suite.contracts.placement import Placement
from suite.records import NUM_CLASSES, Case
from suite.registry import INPUTS, InputSpec

if TYPE_CHECKING:
    from torch import Tensor

BATCHES = 4
"""Different batches, in turn: a single one would stay in a cache that is never warm in a training run."""


class Synthetic(InputPipeline):
    """A fixed set of normally distributed images (N, 3, H, W) and uniform labels (N,).

    They are on the device. Inside a step: taking the next pair. Outside: making it.

    Source: the synthetic mode of TorchBench and of the MLPerf training reference implementations.
    """

    def batches(self, case: Case, placement: Placement) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless pairs of images and labels of the placement's share."""
        import torch

        generator = torch.Generator().manual_seed(case.seed)
        shape = (case.batch_size, 3, case.image_size, case.image_size)
        joint = [
            (torch.randn(shape, generator=generator), torch.randint(NUM_CLASSES, shape[:1], generator=generator))
            for _ in range(BATCHES)
        ]
        return cycle([placement.put(images[placement.part], labels[placement.part]) for images, labels in joint])


INPUTS.add(InputSpec("synthetic", Synthetic, {"augmentation": "none"}))
