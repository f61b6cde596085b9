"""The seed of the matrix, a small CNN, and variations of its layers.

`seed_cnn[_<layer>]_c<blocks>l<linear layers>`, such as `seed_cnn_c3l2` and `seed_cnn_separable_c2l2`. `seed_cnn` is
`seed_cnn_c2l2` by its usual name.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from suite.registry import STRUCTURES, StructureSpec

if TYPE_CHECKING:
    from torch import nn

CHANNELS = (16, 32, 64)
"""Output channels of the blocks: twice as many in each."""
LINEARS = (1, 2, 3)
"""Linear layers, with `HIDDEN` units between them."""
HIDDEN = 128
LAYERS = {"": "convolution", "separable": "separable", "grouped": "grouped", "bottleneck": "bottleneck"}
"""Word in a name -> type of layer, see `suite.levels.layers`. The first layer, on three channels, is always an ordinary
convolution, so that a network of one block has no other type."""
SELECTION = {
    # seed_cnn with one attribute changed
    "seed_cnn_c1l2",
    "seed_cnn_c3l2",
    "seed_cnn_c2l1",
    "seed_cnn_c2l3",
    "seed_cnn_separable_c2l2",
    "seed_cnn_grouped_c2l2",
    "seed_cnn_bottleneck_c2l2",
}
"""Variations that are listed, and so in every profile that does not name its structures."""


def seed_cnn(
    num_classes: int, image_size: int, *, depth: int = 2, linear_layers: int = 2, layer: str = "convolution"
) -> nn.Module:
    """Convolutions with pooling, then linear layers: two and two as the seed.

    Images (N, 3, H, W) -> conv 3->16, ReLU, pool (N, 16, H/2, W/2) -> conv 16->32, ReLU, pool (N, 32, H/4, W/4) ->
    linear 32*(H/4)*(W/4) -> 128, ReLU -> linear 128 -> K. At 28x28 and K = 10: 207,210 parameters. Sides are
    halved rounding down; only the first linear layer adapts to the image size. One block goes to the linear layers
    after the first pooling, three go on with conv 32->64, ReLU, pool (N, 64, H/8, W/8); one linear layer leads
    straight to K, three have 128 units twice.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II (LeNet-5): the
        same order of layers, with 3x3 kernels, padding, ReLU and maximum pooling as is usual today.
    """
    from torch import nn

    from suite.levels.layers import LAYERS, linears

    widths = CHANNELS[:depth]
    modules: list[nn.Module] = []
    for inputs, outputs in zip((3, *widths), widths, strict=False):
        make = LAYERS[layer if modules else "convolution"]
        modules += [*make(inputs, outputs, "none"), nn.ReLU(), nn.MaxPool2d(2)]
    flat = widths[-1] * (image_size // 2**depth) ** 2
    return nn.Sequential(*modules, nn.Flatten(), *linears([flat, *[HIDDEN] * (linear_layers - 1), num_classes]))


def entry_of(name: str, *, depth: int, linear_layers: int, layer: str) -> StructureSpec:
    """The entry of a variation; the smallest image has one pixel after all poolings."""
    attributes: dict[str, Any] = {"depth": depth, "linear_layers": linear_layers, "layer": layer}
    fixed = {"family": "seed_cnn", "width": CHANNELS[0], "connection": "plain", "normalisation": "none", "head": "fc"}
    return StructureSpec(name, partial(seed_cnn, **attributes), fixed | attributes, 2**depth)


STRUCTURES.add(entry_of("seed_cnn", depth=2, linear_layers=2, layer="convolution"))
for _layer, _depth, _linears in product(LAYERS, range(1, len(CHANNELS) + 1), LINEARS):
    if _depth > 1 or not _layer:
        _name = "_".join(filter(None, ("seed_cnn", _layer, f"c{_depth}l{_linears}")))
        STRUCTURES.add(
            entry_of(_name, depth=_depth, linear_layers=_linears, layer=LAYERS[_layer]), listed=_name in SELECTION
        )
