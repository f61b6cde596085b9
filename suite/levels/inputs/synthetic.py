"""Images made before the first step: what the step costs when input costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING

from suite.contracts.placement import Placement
from suite.records import NUM_CLASSES, Case
from suite.registry import INPUTS, InputSpec

if TYPE_CHECKING:
    from torch import Tensor

BATCHES = 4
"""Different batches, in turn: one alone would stay in a cache that a training run never finds warm."""


class Synthetic:
    """Normally distributed images (N, 3, H, W) and uniform labels (N,), in turn from a fixed set on the device.

    Inside a step: nothing but taking the next pair. Outside: making it. Every other input pipeline derives from this
    and overrides what differs.

    Source: the synthetic mode of TorchBench and of the MLPerf training reference implementations.
    """

    @staticmethod
    def refusal(case: Case, device: str) -> str:  # noqa: ARG004 - pipelines that refuse look at them
        """Why this pipeline cannot feed `case` on a kind of device (`cpu`, `cuda`); empty where it can. No torch."""
        return ""

    def batches(self, case: Case, placement: Placement) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless (images, labels), the same for the same seed; the part of each that the placement names."""
        import torch

        generator = torch.Generator().manual_seed(case.seed)
        shape = (case.batch_size, 3, case.image_size, case.image_size)
        made = [
            (torch.randn(shape, generator=generator), torch.randint(NUM_CLASSES, shape[:1], generator=generator))
            for _ in range(BATCHES)
        ]
        return cycle([placement.put(images[placement.part], labels[placement.part]) for images, labels in made])

    def pause(self) -> None:
        """No step runs until `go_on`: hold every process that feeds the batches; harmless where there is none."""

    def go_on(self) -> None:
        """Steps run again: let them go on where they were held."""

    def close(self) -> None:
        """End every process that feeds the batches; harmless where there is none."""


INPUTS.add(InputSpec("synthetic", Synthetic, {"augmentation": "none"}))
