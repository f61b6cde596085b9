"""The generated family: each attribute is a word in the name.

`<connection>[_<layer>][_<normalisation>][_<head>]_d<depth>w<width>`; the words for an ordinary convolution, batch
normalisation and global average pooling are left out: `residual_d8w32`, `dense_grouped_nonorm_fc_d16w64`. Members
whose names differ in one word differ in that attribute only. The tables below define the words, and
`suite.levels.layers` has the sources. A selection is listed; any other member is found by its name.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from suite.registry import STRUCTURES, StructureSpec

if TYPE_CHECKING:
    from torch import nn

DEPTHS = (2, 4, 8, 16)
"""Layers in the body, each with one 3x3 convolution; even, since they stand in blocks of two."""
WIDTHS = (16, 32, 64)
"""Channels of every layer in the body."""
CONNECTIONS = ("plain", "residual", "dense")
"""The input of a block: the output of the block before; the same, which is also added to the block's output; or the
outputs of all blocks since the last pooling, concatenated and reduced to the width by a 1x1 convolution."""
LAYERS = {"": "convolution", "separable": "separable", "grouped": "grouped", "bottleneck": "bottleneck"}
"""Word in a name -> what a layer is: 3x3; 3x3 by channel, then 1x1; 3x3 in four groups; 1x1 to a quarter of the width,
3x3, 1x1 to the width. The first convolution, from the images, is always an ordinary one."""
NORMALISATIONS = {"": "batch", "nonorm": "none", "groupnorm": "group"}
"""Word in a name -> what follows each convolution (of a separable layer, the second). Without, convolutions have a
bias; weights start as torch makes them all the same, so that the gradients of a deep plain network are minute then.
Group normalisation takes four channels together."""
HEADS = {"": "gap", "fc": "fc"}
"""Word in a name -> the head: global average pooling and one linear layer, or two linear layers that see every pixel,
as in the seed CNN."""
HIDDEN = 128
"""Units between the two linear layers."""
MIN_IMAGE_SIZE = 4
"""Pixels a side: halved twice, one is left."""

SELECTION = {
    *(f"{connection}_d{depth}w{width}" for connection, depth, width in product(CONNECTIONS[:2], DEPTHS, WIDTHS)),
    # residual_d4w32 with one attribute changed
    "dense_d4w32",
    "residual_separable_d4w32",
    "residual_grouped_d4w32",
    "residual_bottleneck_d4w32",
    "residual_nonorm_d4w32",
    "residual_groupnorm_d4w32",
    "residual_fc_d4w32",
}
"""Members that are listed, and so in every profile that does not name its structures."""


def generated(
    num_classes: int,
    image_size: int,
    *,
    depth: int,
    width: int,
    connection: str,
    layer: str = "convolution",
    normalisation: str = "batch",
    head: str = "gap",
) -> nn.Module:
    """A stem, `depth` layers of `width` channels in blocks of two, and a head.

    Images (N, 3, H, W) -> stem: conv 3->width, norm, ReLU, pool (N, width, H/2, W/2) -> first half of the blocks ->
    pool (N, width, H/4, W/4) -> second half -> head: global average pooling (N, width) -> linear width -> K; or
    linear width*(H/4)*(W/4) -> 128, ReLU -> linear 128 -> K. Sides are halved rounding down, blocks rounding up.

    Source: He et al. 2016, "Deep residual learning for image recognition", figure 2 (the block with an identity
        shortcut) and section 4.2 (small images). Ours keeps one width throughout and pools instead of striding.
    """
    from torch import nn

    from suite.levels.layers import blocks, convolution, linears

    body = partial(blocks, width=width, connection=connection, layer=layer, normalisation=normalisation)
    first, second = body((depth // 2 + 1) // 2), body(depth // 2 // 2)
    pooled = [nn.AdaptiveAvgPool2d(1)] if head == "gap" else []
    sizes = [width] if head == "gap" else [width * (image_size // 4) ** 2, HIDDEN]
    return nn.Sequential(
        *convolution(3, width, normalisation),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *first,
        nn.MaxPool2d(2),
        *second,
        *pooled,
        nn.Flatten(),
        *linears([*sizes, num_classes]),
    )


for _connection, _layer, _normalisation, _head, _depth, _width in product(
    CONNECTIONS, LAYERS, NORMALISATIONS, HEADS, DEPTHS, WIDTHS
):
    _words = (_connection, _layer, _normalisation, _head, f"d{_depth}w{_width}")
    _name = "_".join(filter(None, _words))
    _attributes: dict[str, Any] = {
        "depth": _depth,
        "width": _width,
        "layer": LAYERS[_layer],
        "connection": _connection,
        "normalisation": NORMALISATIONS[_normalisation],
        "head": HEADS[_head],
    }
    STRUCTURES.add(
        StructureSpec(
            _name,
            partial(generated, **_attributes),
            {"family": "generated", **_attributes},
            MIN_IMAGE_SIZE,
            min_image_size_alone=2 * MIN_IMAGE_SIZE if _depth > 2 and NORMALISATIONS[_normalisation] == "batch" else 1,
        ),
        listed=_name in SELECTION,
    )
