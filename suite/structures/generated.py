"""The generated family: depth, width and connection as levels of their own (`residual_d8w32`).

`residual_d8w32` and `plain_d8w32` differ in nothing but the shortcuts, so their difference is what shortcuts cost.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from suite.registry import STRUCTURES, StructureSpec

if TYPE_CHECKING:
    from torch import nn

DEPTHS = (2, 4, 8, 16)
"""Convolutions in the body; even, since a shortcut spans two."""
WIDTHS = (16, 32, 64)
"""Channels of every convolution in the body."""
CONNECTIONS = ("plain", "residual")


def generated(num_classes: int, image_size: int, *, depth: int, width: int, connection: str) -> nn.Module:
    """A stem, `depth` convolutions of `width` channels in blocks of two, and a linear head.

    Images (N, 3, H, W) -> stem: conv 3->width, norm, ReLU, pool (N, width, H/2, W/2) -> first half of the blocks ->
    pool (N, width, H/4, W/4) -> second half -> global average pooling (N, width) -> linear width -> K. Every
    convolution is 3x3 and followed by batch normalisation.

    Source: He et al. 2016, "Deep residual learning for image recognition", figure 2 (the block with an identity
        shortcut) and section 4.2 (small images). Ours keeps one width throughout and pools instead of striding.
    """
    from torch import nn

    from suite.layers import ConvPair

    blocks = [ConvPair(width, shortcut=connection == "residual") for _ in range(depth // 2)]
    half = (len(blocks) + 1) // 2
    return nn.Sequential(
        nn.Conv2d(3, width, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *blocks[:half],
        nn.MaxPool2d(2),
        *blocks[half:],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )


for _connection, _depth, _width in product(CONNECTIONS, DEPTHS, WIDTHS):
    STRUCTURES.add(
        StructureSpec(
            name=f"{_connection}_d{_depth}w{_width}",
            build=partial(generated, depth=_depth, width=_width, connection=_connection),
            attributes={
                "family": "generated",
                "depth": _depth,
                "width": _width,
                "layer": "convolution",
                "connection": _connection,
            },
            min_image_size=4,
        )
    )
