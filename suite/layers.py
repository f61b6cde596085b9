"""Blocks that structures are built of. Imports torch: structures import it when they build."""

from __future__ import annotations

from torch import Tensor, nn


class ConvPair(nn.Module):
    """Two 3x3 convolutions of equal width, each with batch normalisation, with or without a shortcut around them.

    (N, C, H, W) -> (N, C, H, W).

    Source: He et al. 2016, "Deep residual learning for image recognition", figure 2 and section 3.4 (normalisation
        after each convolution and before the activation; the second ReLU after the addition).
    """

    def __init__(self, width: int, *, shortcut: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.activation = nn.ReLU()
        self.shortcut = shortcut

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        features: Tensor = self.body(images)
        if self.shortcut:
            features = features + images
        activated: Tensor = self.activation(features)
        return activated
