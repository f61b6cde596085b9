"""The seed of the matrix: the small CNN that everything else varies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.registry import STRUCTURES

if TYPE_CHECKING:
    from torch import nn


@STRUCTURES.register(
    "seed_cnn", family="seed_cnn", depth=2, width=16, layer="convolution", connection="plain", min_image_size=4
)
def seed_cnn(num_classes: int, image_size: int) -> nn.Module:
    """Two convolutions with pooling, then two linear layers.

    Images (N, 3, H, W) -> conv 3->16, ReLU, pool (N, 16, H/2, W/2) -> conv 16->32, ReLU, pool (N, 32, H/4, W/4) ->
    linear 32*(H/4)*(W/4) -> 128, ReLU -> linear 128 -> K. At 28x28 and K = 10: 207,210 parameters. Sides are
    halved rounding down; only the first linear layer adapts to the image size.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II (LeNet-5): the
        same order of layers, with 3x3 kernels, padding, ReLU and maximum pooling as is usual today.
    """
    from torch import nn

    side = image_size // 4
    return nn.Sequential(
        nn.Conv2d(3, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * side * side, 128),
        nn.ReLU(),
        nn.Linear(128, num_classes),
    )
