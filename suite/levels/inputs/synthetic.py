"""Batches made before the first step: the cost of the step without input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

from suite.contracts.batches import Batch
from suite.contracts.input_pipeline import InputPipeline
from suite.contracts.placement import Placement
from suite.records import Case
from suite.registry import INPUTS, TASKS, InputSpec

BATCHES = 4
"""Different batches, in turn: a single one would stay in a cache that is never warm in a training run."""


class Synthetic(InputPipeline):
    """A fixed set of batches that the case's task makes, such as random images.

    They are on the device. Inside a step: taking the next pair. Outside: making it.

    Source: the synthetic mode of TorchBench and of the MLPerf training reference implementations.
    """

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:  # noqa: ARG003 - the same on every device
        """A task that makes no batches."""
        if TASKS[case.task].strategy.makes_batches():
            return ""
        return f"{case.task} makes no synthetic batches, which {case.input} needs; name another input"

    def batches(self, case: Case, placement: Placement) -> Iterator[Batch]:
        """Endless pairs of inputs and targets of the placement's share."""
        import torch

        task = TASKS[case.task].strategy(case)
        generator = torch.Generator().manual_seed(case.seed)
        joint = [task.batch(generator) for _ in range(BATCHES)]
        return cycle([placement.put(*task.share(batch, placement.part)) for batch in joint])


INPUTS.add(InputSpec("synthetic", Synthetic, {"augmentation": "none"}, task=None))
