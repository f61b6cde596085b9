"""The order of dimensions in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.contracts.tuning import Tuning
from suite.records import INFER, Case
from suite.registry import OPTIMIZERS, TASKS, TUNINGS, TuningSpec

if TYPE_CHECKING:
    import torch


class ChannelsLast(Tuning):
    """Images and weights of convolutions as (N, H, W, C) in memory.

    Vectorised kernels prefer this order.

    Source: PyTorch tutorials, "Channels last memory format in PyTorch".
    """

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:  # noqa: ARG003 - the same on every device
        """A task without images, or an optimizer that flattens gradients."""
        if not TASKS[case.task].strategy.has_images:
            return f"{case.tuning} orders the dimensions of images, and {case.task} has none"
        if case.mode != INFER and OPTIMIZERS[case.optimizer].flattens:
            return f"{case.optimizer} takes gradients as flat views, and those of {case.tuning} have none"
        return ""

    def memory_format(self) -> torch.memory_format:
        """Channels last."""
        import torch

        return torch.channels_last


TUNINGS.add(TuningSpec("channels_last", ChannelsLast, {"compiled": False, "dtype": "float32", "layout": "NHWC"}))
