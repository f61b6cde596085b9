"""The order of dimensions in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.registry import TUNINGS, TuningSpec
from suite.tunings.eager import Eager

if TYPE_CHECKING:
    import torch


class ChannelsLast(Eager):
    """Images and weights of convolutions in memory as (N, H, W, C), the order that vectorised kernels prefer.

    Source: PyTorch tutorials, "Channels last memory format in PyTorch".
    """

    def memory_format(self) -> torch.memory_format:
        """Channels last."""
        import torch

        return torch.channels_last


TUNINGS.add(TuningSpec("channels_last", ChannelsLast, {"compiled": False, "dtype": "float32", "layout": "NHWC"}))
