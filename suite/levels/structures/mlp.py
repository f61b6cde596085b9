"""Fully connected networks, without convolutions: `mlp_d<depth>w<width>`."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from suite.registry import STRUCTURES, StructureSpec

if TYPE_CHECKING:
    from torch import nn

DEPTHS = (1, 2, 4, 8)
"""Hidden layers."""
WIDTHS = (64, 128, 256, 512)
"""Units of each hidden layer; 128 as between the linear layers of the seed CNN."""
SELECTION = {"mlp_d2w128", "mlp_d4w128", "mlp_d2w512"}
"""Members that are listed, and so in every profile that does not name its structures."""


def mlp(num_classes: int, image_size: int, *, depth: int, width: int) -> nn.Module:
    """A multilayer perceptron: `depth` hidden layers of `width` units, with ReLU.

    Images (N, 3, H, W) -> (N, 3*H*W) -> linear to width, ReLU, `depth` times -> linear width -> K.

    Source: Rumelhart et al. 1986, "Learning representations by back-propagating errors", with ReLU for the sigmoid.
    """
    from torch import nn

    from suite.levels.layers import linears

    return nn.Sequential(nn.Flatten(), *linears([3 * image_size**2, *[width] * depth, num_classes]))


for _depth, _width in product(DEPTHS, WIDTHS):
    _attributes = {"depth": _depth, "width": _width}
    STRUCTURES.add(
        StructureSpec(
            name=f"mlp_d{_depth}w{_width}",
            build=partial(mlp, **_attributes),
            attributes={
                "family": "mlp",
                **_attributes,
                "layer": "fully_connected",
                "connection": "plain",
                "normalisation": "none",
            },
        ),
        listed=f"mlp_d{_depth}w{_width}" in SELECTION,
    )
